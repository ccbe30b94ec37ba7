"""What takes a whole program: prompt to image, tokenizer, the parts of Stable Diffusion, a training and its scores."""

from __future__ import annotations

import time
from functools import reduce

from benchmarks.generate import benchmark as generate
from benchmarks.leaderboard import benchmark as leaderboard
from benchmarks.leaderboard import page
from benchmarks.quality import benchmark as quality
from benchmarks.sd15 import benchmark as sd15
from benchmarks.tokenizer import benchmark as tokenizer
from minidiff.training.presets import override, preset
from minidiff.training.run import Run


def test_the_tokenizer_is_timed():
    training, encoding, fresh = tokenizer.measure(["tiny"], rounds=1, pause=0.0)
    assert [list(row["times"]) for row in (training, encoding, fresh)] == [["minidiff"]] * 3
    assert encoding["tokens"] > 50 * 3


def test_an_image_is_drawn_warm_and_from_the_shell(tmp_path):
    generate.random_pipeline("smoke").save_pretrained(tmp_path / "model", dtype="float32")
    warm, cold = generate.measure(str(tmp_path / "model"), steps=2, rounds=1, pause=0.0)
    assert [list(row["times"]) for row in (warm, cold)] == [["NumPy"]] * 2
    assert warm["detail"] == cold["detail"] == "model, 2 steps"


def test_a_part_of_stable_diffusion_is_timed_in_a_process_of_its_own():
    [row] = sd15.measure(["tiny"], match="text encoder", rounds=1, calls=2, pause=0.0, threads=1)
    assert len(row["times"]["NumPy"]["rounds"]) == 2
    assert row["MB"]["NumPy"] > 10 and row["opening"]["NumPy"] > 0


def test_a_whole_image_of_stable_diffusion_is_drawn_once():
    [row] = sd15.measure(["tiny"], match="image", rounds=1, pause=0.0, threads=1)
    assert row["what"] == "image, 20 steps" and len(row["times"]["NumPy"]["rounds"]) == 1


SMALL = ["size=16", "autoencoder.block_out_channels=8,8", "text.hidden_size=16", "text.num_hidden_layers=1",
         "image.hidden_size=16", "image.num_hidden_layers=1", "unet.block_out_channels=16,16",
         "unet.attention_levels=false,true", "unet.norm_num_groups=8", "diffusion.latents=32",
         *(f"train_{stage}.{name}" for stage in ("autoencoder", "contrastive", "diffusion")
           for name in ("warmup=5", "batch_size=2"))]


def test_a_training_is_scored_until_its_end():
    begin = time.monotonic()
    found = list(quality.measure(["tiny"], minutes=0.1, every=0.005, count=2, threads=1, settings=SMALL))
    passed = (time.monotonic() - begin) / 60
    minutes = [row["minutes"] for row in found]
    assert len(found) > 1 and minutes == sorted(minutes) and minutes[-1] < passed
    assert all(row[split] in (0, 0.5, 1) for row in found for split in ("seen", "held_out"))


def test_a_leaderboard_trains_each_change_with_each_seed_once(monkeypatch, tmp_path):
    trained, wide = [], "unet.block_out_channels=24,24 diffusion.caption_dropout=0"
    small = reduce(lambda settings, change: override(settings, *change.split("=")), SMALL, preset("tiny"))
    monkeypatch.setattr(leaderboard, "preset", lambda name: small)
    monkeypatch.setattr(leaderboard, "Run", lambda folder, settings, *more: (
        trained.append(settings), Run(folder, settings, *more))[1])

    def board(seeds, earlier=()):
        return list(leaderboard.measure(["tiny"], minutes=0.02, count=2, seeds=seeds, changes=[wide], threads=1,
                                        earlier=earlier))

    first = board(1)
    rows = board(2, first)
    assert [(row["detail"], row["seed"]) for row in rows] == [
        ("the preset", 0), (wide, 0), ("the preset", 1), (wide, 1)]
    assert [(one.seed, one.unet.block_out_channels, one.diffusion.caption_dropout) for one in trained] == [
        (seed, *changed) for seed in (0, 1) for changed in (((16, 16), 0.1), ((24, 24), 0.0))]
    assert rows[:2] == first and all(row["samples"]["diffusion"] > 0 for row in rows)
    stamped = [row | {"date": f"day {row['seed']}", "commit": "abc"} for row in rows]
    [file] = page.write({"rows": stamped, "machine": {"cpu": "a CPU", "cores": 2}}, tmp_path, "b")
    text = file.read_text("utf-8")
    assert text.count("\n| ") == 3 and "1 threads, cpu; trained day 0 to day 1 by abc." in text


def test_a_leaderboard_says_how_sure_it_is(tmp_path):
    rows = [{"what": "small, 10 minutes", "detail": detail, "seed": seed, "size": "small", "planned": 10.0,
             "count": 200, "seen": 0.5, "held_out": score, "samples": {"diffusion": 1000 + seed}, "date": "today",
             "commit": "abc"}
            for detail, scores in (("the preset", (0.2, 0.4, 0.3)), ("better", (0.5, 0.7)), ("once", (0.1,)))
            for seed, score in enumerate(scores)]
    [file] = page.write({"rows": rows, "machine": {"cpu": "a CPU", "cores": 2}}, tmp_path, "b")
    assert file.read_text("utf-8").splitlines()[-3:] == [
        "| better | 0.600 ± 0.100 | 0.500 ± 0.000 | 1,000 | 0.500 0.700 |",
        "| the preset | 0.300 ± 0.058 | 0.500 ± 0.000 | 1,001 | 0.200 0.400 0.300 |",
        "| once | 0.100 | 0.500 | 1,000 | 0.100 |"]
