"""Settings: overridden, read from JSON, and refused."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from tiny_training import SETTINGS

from minidiff.errors import UserError
from minidiff.training import presets


@pytest.mark.parametrize("name, text, expected", [
    ("train_diffusion.batch_size", "16", 16), ("unet.block_out_channels", "8,16", (8, 16)), ("seed", "3", 3),
    ("diffusion.train_text_encoder", "false", False), ("diffusion.prediction", "epsilon", "epsilon"),
    ("autoencoder.kl_weight", "1e-5", 1e-5)])
def test_every_setting_can_be_overridden_in_its_own_type(name, text, expected):
    assert presets.setting_names(presets.override(SETTINGS, name, text))[name] == expected


@pytest.mark.parametrize("name, text, message", [
    ("train_diffusion.size", "1", "unknown setting"), ("nothing", "1", "unknown setting"),
    ("seed", "x", "'x' is no int"), ("diffusion.train_text_encoder", "maybe", "is no bool")])
def test_a_bad_setting_is_one_clear_line(name, text, message):
    with pytest.raises(UserError, match=message):
        presets.override(SETTINGS, name, text)


def test_settings_survive_json():
    values = json.loads(json.dumps(asdict(SETTINGS)))
    assert presets.from_dict(presets.Settings(), values) == SETTINGS


def test_an_unknown_preset_names_the_known_ones():
    with pytest.raises(UserError, match="tiny, small"):
        presets.preset("huge")
