"""What takes a whole program: prompt to image, tokenizer, the parts of Stable Diffusion, a training and its scores."""

from __future__ import annotations

import time

from benchmarks.generate import benchmark as generate
from benchmarks.quality import benchmark as quality
from benchmarks.sd15 import benchmark as sd15
from benchmarks.tokenizer import benchmark as tokenizer


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
    [row] = sd15.measure(["tiny"], match="text", rounds=1, calls=2, pause=0.0, threads=1)
    assert len(row["times"]["NumPy"]["rounds"]) == 2
    assert row["MB"]["NumPy"] > 10 and row["opening"]["NumPy"] > 0


def test_a_training_is_scored_until_its_end():
    small = ["size=16", "autoencoder.block_out_channels=8,8", "text.hidden_size=16", "text.num_hidden_layers=1",
             "image.hidden_size=16", "image.num_hidden_layers=1", "unet.block_out_channels=16,16",
             "unet.attention_levels=false,true", "unet.norm_num_groups=8", "diffusion.latents=32",
             *(f"train_{stage}.{name}" for stage in ("autoencoder", "contrastive", "diffusion")
               for name in ("warmup=5", "batch_size=2"))]
    begin = time.monotonic()
    found = list(quality.measure(["tiny"], minutes=0.1, every=0.005, count=2, threads=1, settings=small))
    passed = (time.monotonic() - begin) / 60
    minutes = [row["minutes"] for row in found]
    assert len(found) > 1 and minutes == sorted(minutes) and minutes[-1] < passed
    assert all(row[split] in (0, 0.5, 1) for row in found for split in ("seen", "held_out"))
