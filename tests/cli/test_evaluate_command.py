from __future__ import annotations

import json

from PIL import Image
from tiny_pipeline import SIDE

from minidiff.cli import main
from minidiff.data.batches import evaluation_scenes
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
    assert scores["seen"] == scores["held_out"] == 0  # four images of an untrained model, so two columns
    with Image.open(sheet) as image:
        assert image.width == grid([Image.new("RGB", (SIDE, SIDE))] * 4, [""] * 4).width
    scenes = evaluation_scenes(2)
    right = judged(scenes, [scene.image() for scene in scenes])
    monkeypatch.setattr("minidiff.evaluation.evaluate", lambda *args: {"seen": len(list(args[-1](right, total=2)))})
    assert main(["evaluate", str(model), "--failures", str(none)]) == 0
    assert capsys.readouterr() == ("seen                           2\n",
                                   f"minidiff: note: {none} was not written: no image is wrong\n")
    assert not none.exists()
    assert main(["evaluate", str(model), "--failures", str(tmp_path / "wrong.xyz")]) == 2
    assert "use .png" in capsys.readouterr().err
