"""The models in weights/: what their README says of them is what lies there."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from minidiff.pipeline import Pipeline
from minidiff.storage.pipeline_folder import shipped_models

WEIGHTS = Path(__file__).parents[2] / "weights"
MODELS = sorted(shipped_models())


@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="weights/ is part of the source tree, not of the installed package")
def test_the_sums_in_the_readme_are_those_of_all_weights():
    text = (WEIGHTS / "README.md").read_text("utf-8")
    stated = {name: total for total, name in re.findall(r"^([0-9a-f]{64})  (\S+)$", text, re.MULTILINE)}
    assert stated == {path.relative_to(WEIGHTS).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
                      for path in WEIGHTS.rglob("*.safetensors")}


@pytest.mark.parametrize("name", MODELS)
def test_a_shipped_model_draws(name):
    [image] = Pipeline.from_pretrained(name, "cpu")("a red heart", num_inference_steps=2)
    assert image.size == (64, 64)
