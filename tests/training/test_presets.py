"""Settings: overridden, read from JSON, and refused."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
from tiny_training import SETTINGS, STAGE

from minidiff.errors import UserError
from minidiff.training import presets


@pytest.mark.parametrize("name, text, expected", [
    ("train_diffusion.batch_size", "16", 16), ("unet.block_out_channels", "8,16", (8, 16)), ("seed", "3", 3),
    ("diffusion.train_text_encoder", "false", False), ("diffusion.prediction", "epsilon", "epsilon"),
    ("autoencoder.kl_weight", "1e-5", 1e-5), ("precision", "tf32", "tf32")])
def test_every_setting_can_be_overridden_in_its_own_type(name, text, expected):
    assert presets.setting_names(presets.override(SETTINGS, name, text))[name] == expected


@pytest.mark.parametrize("name, text, message", [
    ("train_diffusion.size", "1", "unknown setting"), ("nothing", "1", "unknown setting"),
    ("seed", "x", "seed is 'x': use a whole number"),
    ("diffusion.train_text_encoder", "maybe", "train_text_encoder is 'maybe': use true or false"),
    ("diffusion.guidance_scale", "nan", "guidance_scale is nan: use a number"),
    ("train_autoencoder.batch_size", "0", "batch_size is 0: use a whole number from 1 to 65536"),
    ("train_lora.beta1", "1", "beta1 is 1.0: use a number from 0 to less than 1"),
    ("unet.block_out_channels", "8,-1", r"is \(8, -1\): use a list of 1 to 8, each a whole number from 1 to 16384"),
    ("unet.block_out_channels", "8,,16", "is '8,,16'"),
    ("precision", "fp8", "precision is 'fp8': use"), ("unet", "8", "unet is '8': use an object")])
def test_a_bad_setting_is_one_clear_line(name, text, message):
    with pytest.raises(UserError, match=message):
        presets.override(SETTINGS, name, text)


def test_settings_survive_json():
    values = json.loads(json.dumps(asdict(SETTINGS)))
    assert presets.from_dict(presets.Settings(), values) == SETTINGS


def test_an_unknown_preset_names_the_known_ones():
    with pytest.raises(UserError, match="tiny, small"):
        presets.preset("huge")


@pytest.mark.parametrize("muon, optimizer, rate", [(0.0, "adamw", 3.0), (2.0, "muon", 2.0)])
def test_settings_of_older_runs_are_read_under_todays_names(muon, optimizer, rate):
    values = json.loads(json.dumps(asdict(SETTINGS)))
    older = values["train_diffusion"]
    del older["optimizer"], older["muon_rate"]
    older |= {"muon": muon, "share": older.pop("time_fraction") + 0.1}
    values["diffusion"] |= {"middle_share": 0.4, "layout_share": 0.2}
    del values["diffusion"]["middle_fraction"], values["diffusion"]["layout_fraction"]
    assert presets.from_dict(presets.Settings(), values) == replace(
        SETTINGS, diffusion=replace(SETTINGS.diffusion, middle_fraction=0.4, layout_fraction=0.2),
        train_diffusion=replace(STAGE, optimizer=optimizer, muon_rate=rate, time_fraction=STAGE.time_fraction + 0.1))
