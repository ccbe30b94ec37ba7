from __future__ import annotations

import shutil
from pathlib import Path

from tiny_pipeline import tiny_pipeline

from minidiff.cli import main


def test_info_tells_parts_sizes_scheduler_and_scores(model, capsys):
    assert main(["info", str(model)]) == 0
    out = capsys.readouterr().out
    pipe = tiny_pipeline()
    for part in (pipe.unet, pipe.vae, pipe.text_encoder):
        assert f"{sum(p.value.size for p in part.parameters()):,} parameters" in out
    assert "DPMSolverMultistepScheduler" in out
    assert "16 x 16" in out
    assert "0.875" not in out
    shutil.copytree(model, "scored")
    Path("scored/scores.json").write_text('{"seen": 0.875}', encoding="utf-8")
    assert main(["info", "./scored"]) == 0
    assert "0.875" in capsys.readouterr().out
