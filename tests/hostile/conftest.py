"""One small model folder with all that a folder can have, and a copy of it that a test may change."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from tiny_pipeline import STABLE_DIFFUSION, tiny_pipeline

from minidiff.models.clip import CLIPModel
from minidiff.models.configs import CLIPConfig, TextConfig, VisionConfig
from minidiff.tokenizer import END, AddedToken
from minidiff.writing import write_json

TOWER = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
CLIP = CLIPConfig(TextConfig(vocab_size=50, eos_token_id=49, **TOWER),
                  VisionConfig(image_size=8, patch_size=4, **TOWER))


@pytest.fixture(scope="session")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("original") / "model"
    pipe = tiny_pipeline(STABLE_DIFFUSION)
    pipe.save_pretrained(folder, CLIPModel(np.random.default_rng(0), CLIP))
    end = pipe.tokenizer.end_id
    write_json(folder / "tokenizer" / "added_tokens.json", {END: end})
    write_json(folder / "tokenizer" / "tokenizer.json", {"added_tokens": [AddedToken(END)._asdict() | {"id": end}]})
    return folder


@pytest.fixture
def model(original, tmp_path):
    return shutil.copytree(original, tmp_path / "model")
