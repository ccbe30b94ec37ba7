"""Whatever the fields of a model's files and of a run's settings say: a UserError, or finite images.

Each test draws its inputs at random, the same every time; MINIDIFF_HOSTILE=20000 has each draw that many.
"""

from __future__ import annotations

import json

import pytest
from hostile_inputs import (
    COUNT,
    DEEP,
    TEXTS,
    VALUES,
    as_text,
    draw,
    load_and_draw,
    only_user_errors,
    pick,
    places,
    with_value,
)
from tiny_pipeline import FLOW, STABLE_DIFFUSION
from tiny_training import SETTINGS

from minidiff.diffusion.sampler_table import SAMPLERS
from minidiff.diffusion.scheduler_config import NEAREST, ONLY
from minidiff.models.configs import AutoencoderConfig, TextConfig, UNetConfig
from minidiff.pipeline import Pipeline
from minidiff.storage.pipeline_folder import read_scheduler
from minidiff.training import presets
from minidiff.training.checks import check_settings
from minidiff.training.run import read_settings
from minidiff.training.run_folder import write_settings

SCHEDULER = "scheduler/scheduler_config.json"
FILES = ["unet/config.json", "vae/config.json", "text_encoder/config.json", "clip/config.json", "model_index.json",
         SCHEDULER, *(f"tokenizer/{name}" for name in ("vocab.json", "tokenizer_config.json", "special_tokens_map.json",
                                                       "added_tokens.json", "tokenizer.json"))]
UNWRITTEN = {  # fields that the files may have and these do not
    "unet/config.json": [*UNetConfig.fixed, "_diffusers_version"], "vae/config.json": [*AutoencoderConfig.fixed],
    "text_encoder/config.json": [*TextConfig.fixed],
    "tokenizer/tokenizer_config.json": ["added_tokens_decoder"],
    SCHEDULER: [*ONLY, *{name for entry in SAMPLERS.values() for name in entry.reads}, "timestep_spacing",
                "trained_betas", "algorithm_type"]}
CLASSES = [*{entry.diffusers for entry in SAMPLERS.values()}, *NEAREST]


def changed(rng, content, paths):
    """A JSON object with another value in one place, and sometimes in two."""
    content = with_value(content, pick(rng, paths), pick(rng, VALUES))
    return with_value(content, pick(rng, paths)[:1], pick(rng, VALUES)) if rng.random() < 0.3 else content


def write(file, content):
    file.write_text(as_text(content), encoding="utf-8", errors="surrogatepass")


@pytest.mark.parametrize("name", [name for name in FILES if name != SCHEDULER])
def test_any_value_of_any_field_of_a_model_is_refused_or_drawn(model, name, rng):
    content = json.loads((model / name).read_text())
    paths = [*places(content), *((field,) for field in UNWRITTEN.get(name, ()))]
    for _ in range(COUNT or 60):
        other = changed(rng, content, paths)
        write(model / name, other)
        with only_user_errors(f"{name} {other}"):
            load_and_draw(model, name)


@pytest.mark.parametrize("scheduler", [STABLE_DIFFUSION, FLOW], ids=["betas", "flow"])
def test_any_value_of_any_scheduler_is_refused_or_drawn(model, scheduler, rng):
    pipe, file = Pipeline.from_pretrained(model), model / SCHEDULER
    paths = [*places(scheduler), *((field,) for field in UNWRITTEN[SCHEDULER])]
    for _ in range(COUNT or 300):
        other = changed(rng, scheduler | {"_class_name": pick(rng, CLASSES)}, paths)
        sampler = pick(rng, [None, None, *SAMPLERS])
        write(file, other)
        with only_user_errors(f"{other}, {sampler}"):
            pipe.scheduler = read_scheduler(model, {})
            draw(pipe, sampler)


@pytest.mark.parametrize("content", [DEEP, {"a": DEEP}, [], 1, "text", None, [[]] * 1000])
@pytest.mark.parametrize("name", FILES)
def test_json_of_any_form_is_refused(model, name, content):
    write(model / name, content)
    with only_user_errors(f"{name} {content}"):
        load_and_draw(model, name)


def test_any_value_of_any_setting_of_a_run_is_refused_or_read(tmp_path, rng):
    write_settings(tmp_path, SETTINGS)
    file = tmp_path / "settings.json"
    content = json.loads(file.read_text())
    paths = [*places(content)]
    for _ in range(COUNT or 600):
        other = changed(rng, content, paths)
        write(file, other)
        with only_user_errors(f"settings.json {other}"):
            read_settings(tmp_path)


@pytest.mark.parametrize("name", presets.setting_names())
def test_any_text_for_any_setting_on_the_command_line_is_refused_or_read(name):
    for text in TEXTS:
        with only_user_errors(f"--{name} {text[:40]}"):
            check_settings(presets.override(SETTINGS, name, text))
