"""What a folder's files say is understood as diffusers and transformers do, where they say it in odd or old ways."""

from __future__ import annotations

import json

import numpy as np
import pytest
from diffusers import StableDiffusionPipeline
from tiny_pipeline import SIDE, STABLE_DIFFUSION, tiny_pipeline
from transformers import CLIPTokenizer

from minidiff.pipeline import Pipeline
from minidiff.tokenizer import Tokenizer

from .compare import VALUES
from .test_folder import images_of_both

SCHEDULER, UNET, INDEX = "scheduler/scheduler_config.json", "unet/config.json", "model_index.json"
DDIM = "DDIMScheduler"
BETAS = [round(0.001 + 0.00002 * i, 6) for i in range(1000)]


@pytest.fixture
def folder(tmp_path):
    tiny_pipeline(STABLE_DIFFUSION).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def edit(path, changes):
    """Change the fields of a JSON file; those that become None are taken out."""
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))


@pytest.mark.parametrize("changes", [
    {SCHEDULER: {"steps_offset": 0}}, {SCHEDULER: {"steps_offset": None}}, {SCHEDULER: {"trained_betas": BETAS}},
    {SCHEDULER: {"steps_offset": 0, "timestep_spacing": "leading"}, INDEX: {"scheduler": ["diffusers", DDIM]}},
    {INDEX: {"scheduler": ["diffusers", DDIM]}}, {INDEX: {"scheduler": ["diffusers", "EulerDiscreteScheduler"]}},
    {UNET: {"act_fn": "swish"}}, {UNET: {"layers_per_block": [1, 1]}}, {UNET: {"sample_size": [8, 8]}}],
    ids=lambda changes: str(changes)[:60])
def test_the_same_file_gives_the_same_image(folder, changes, agree):
    for name, values in changes.items():
        edit(folder / name, values)
    latents = np.random.default_rng(0).standard_normal((2, SIDE // 2, SIDE // 2, 4)).astype(np.float32)
    ours, theirs = images_of_both(folder, latents, num_inference_steps=5, guidance_scale=3.0)
    agree("images of an edited folder", ours, theirs, VALUES["float32"])


@pytest.mark.parametrize("version", ["0.6.0", "0.8.1", "0.9.0", "0.10.2", "0.42.1", None])
@pytest.mark.parametrize("size", [32, 64, 96])
def test_the_size_of_first_unets_is_the_same(folder, version, size):
    edit(folder / UNET, {"_diffusers_version": version, "sample_size": size})
    theirs = StableDiffusionPipeline.from_pretrained(folder)
    assert Pipeline.from_pretrained(folder).unet.config.sample_size == theirs.unet.config.sample_size


@pytest.mark.parametrize("decoder", [None, {"0": {"content": "!"}}], ids=["old", "new"])
@pytest.mark.parametrize("in_map, in_config", [("!", None), ("!", "a</w>"), (None, "!"), ("a</w>", "!")])
def test_the_padding_token_is_the_same(folder, in_map, in_config, decoder):
    edit(folder / "tokenizer/special_tokens_map.json", {"pad_token": in_map})
    edit(folder / "tokenizer/tokenizer_config.json", {"pad_token": in_config, "added_tokens_decoder": decoder})
    expected = CLIPTokenizer.from_pretrained(folder / "tokenizer").pad_token_id
    assert Tokenizer.from_pretrained(folder / "tokenizer").pad_id == expected
