from __future__ import annotations

import json

from captioned_folder import captioned_folder
from lora_files import learned, of_diffusers
from PIL import Image
from safetensors.numpy import save_file
from tiny_pipeline import SIDE, tiny_pipeline

from minidiff.cli import main
from minidiff.cli.evaluate import open_data, trained_on
from minidiff.data.batches import evaluation_scenes
from minidiff.data.image_cache import ImageCache
from minidiff.evaluation import judged
from minidiff.report.images import grid


def test_evaluate_prints_scores_and_json(model, capsys):
    assert main(["evaluate", str(model), "--count", "2", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert {"seen", "held_out", "by_kind", "by_attribute", "judge", "psnr", "retrieval", "word_order"} <= scores.keys()
    assert main(["evaluate", str(model), "--count", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["seen", str(scores["seen"])]


def test_evaluate_draws_a_sheet_of_what_is_wrong(model, tmp_path, capsys, monkeypatch):
    sheet, none = tmp_path / "new" / "wrong.png", tmp_path / "none.png"
    assert main(["evaluate", str(model), "--count", "2", "--json", "--failures", str(sheet)]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["seen"] == scores["held_out"] == 0  # six images of an untrained model
    with Image.open(sheet) as image:
        assert image.width == grid([Image.new("RGB", (SIDE, SIDE))] * 6, [""] * 6).width
    scenes = evaluation_scenes(2)
    right = judged(scenes, [scene.image() for scene in scenes])
    monkeypatch.setattr("minidiff.evaluation.evaluate", lambda *args: {"seen": len(list(args[-1](right, total=2)))})
    assert main(["evaluate", str(model), "--failures", str(none)]) == 0
    assert capsys.readouterr() == ("seen                           2\n",
                                   f"minidiff: note: {none} was not written: no image is wrong\n")
    assert not none.exists()
    assert main(["evaluate", str(model), "--failures", str(tmp_path / "wrong.xyz")]) == 2
    assert "use .png" in capsys.readouterr().err


def test_evaluate_compares_with_the_images_of_a_source(model, capsys):
    assert main(["evaluate", str(model), "--data", "scenes", "--count", "4", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["images"] == 4 and scores["settings"]["source"] == "scenes"
    assert 0 <= scores["copies"]["copied"] <= 1
    assert scores["recall"] is None  # the model has no image encoder


def test_a_source_has_the_settings_of_the_run_that_the_model_lies_in(tmp_path):
    (tmp_path / "settings.json").write_text('{"seed": 5, "diffusion": {"latents": 77}}', "utf-8")
    source = open_data("scenes", tmp_path / "model", SIDE, tmp_path)
    assert (source.size, source.seed, source.latent_count) == (SIDE, 5, 77)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "settings.json").write_text('{"seed": 6}', "utf-8")  # a model that left its run
    assert open_data("scenes", tmp_path / "model", SIDE, tmp_path).seed == 6


def test_images_of_a_folder_are_read_for_a_model_that_was_not_trained_on_them(model, tmp_path, capsys):
    other = captioned_folder(tmp_path / "other", 5)
    assert main(["evaluate", str(model), "--data", str(other), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["settings"]["source"] == str(other) and scores["images"] == 5
    assert scores["copies"] is None  # nobody knows what the model was trained on


def test_copies_are_those_of_the_images_that_the_model_was_trained_on(tmp_path, capsys):
    own, other = captioned_folder(tmp_path / "own", 12), captioned_folder(tmp_path / "other", 6)
    run, options = tmp_path / "run", ["--data", str(other), "--json"]
    tiny_pipeline().save_pretrained(run / "model")
    (run / "settings.json").write_text(json.dumps({"size": SIDE, "data": {"source": str(own)}}), "utf-8")
    assert main(["evaluate", str(run / "model"), *options]) == 0
    assert json.loads(capsys.readouterr().out)["copies"] is None  # its images are not here
    assert [*ImageCache(run / "data", own, SIDE).fill()]
    assert main(["evaluate", str(run / "model"), *options]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["images"] == 6 and scores["copies"]["training_images"] == 11


def test_own_images_may_have_moved(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "settings.json").write_text(json.dumps({"data": {"source": "/gone"}}), "utf-8")
    source = open_data(str(captioned_folder(tmp_path / "moved", 12)), tmp_path / "model", SIDE, tmp_path / "scratch")
    assert len(source.split[0]) == 11
    assert trained_on(source, tmp_path / "model", SIDE) is source


def test_evaluate_scores_a_model_with_a_lora(model, tmp_path, capsys):
    layer, scores = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k", []
    save_file(of_diffusers(learned(tiny_pipeline(), [layer])), tmp_path / "lora.safetensors")
    for options in ([], ["--lora", f"{tmp_path}:0"], ["--lora", str(tmp_path)]):
        assert main(["evaluate", str(model), "--data", "scenes", "--count", "4", "--json", *options]) == 0
        scores.append(json.loads(capsys.readouterr().out))
    assert scores[0] == scores[1] != scores[2]


def test_images_of_a_model_that_left_its_run_are_read_elsewhere(tmp_path):
    own = captioned_folder(tmp_path / "own", 12)
    (tmp_path / "models" / "pets").mkdir(parents=True)
    (tmp_path / "scratch").mkdir()
    (tmp_path / "models" / "pets" / "settings.json").write_text(
        json.dumps({"size": SIDE, "data": {"source": str(own)}}), "utf-8")
    source = open_data(str(own), tmp_path / "models" / "pets", SIDE, tmp_path / "scratch")
    assert len(source.cache.images) == 12
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["pets"]


def test_images_that_a_model_was_trained_on_and_that_are_not_here_are_asked_for(tmp_path, capsys):
    tiny_pipeline().save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "settings.json").write_text('{"data": {"source": "emoji:elsewhere"}}', "utf-8")
    assert main(["evaluate", str(tmp_path / "model")]) == 2
    assert "emoji:elsewhere, which the model was trained on, is not here: say where" in capsys.readouterr().err


def test_an_unknown_source_and_a_sheet_without_a_judge_are_errors(model, capsys):
    assert main(["evaluate", str(model), "--data", "nowhere"]) == 2
    assert "nowhere: name a folder of images" in capsys.readouterr().err
    assert main(["evaluate", str(model), "--data", ""]) == 2
    assert "an empty name: give that of a file or folder" in capsys.readouterr().err
    assert main(["evaluate", str(model), "--data", "scenes", "--failures", "wrong.png"]) == 2
    assert "a judge saw, and scenes has none: leave it out" in capsys.readouterr().err


def test_a_sheet_is_refused_for_a_model_of_own_images_too(tmp_path, capsys):
    tiny_pipeline().save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "settings.json").write_text('{"data": {"source": "pets"}}', "utf-8")
    assert main(["evaluate", str(tmp_path / "model"), "--failures", "wrong.png"]) == 2
    assert "a judge saw, and pets has none: leave it out" in capsys.readouterr().err
