"""Our models and samplers are those of diffusers and transformers: the golden arrays say so without either of them."""

from __future__ import annotations

import pytest
from golden_cases import CASES, GOLDEN, compare, sampler_end
from relative import relative
from safetensors.numpy import load_file
from sampler_cases import settings_of


@pytest.mark.parametrize(("part", "version"), CASES)
def test_models_with_weights_written_by_others_compute_what_they_compute_there(part, version):
    compare(part, version)


@pytest.mark.parametrize(("sampler", "ends"), load_file(GOLDEN / "samplers.safetensors").items())
def test_every_setting_of_a_sampler_ends_where_it_does_in_diffusers(sampler, ends):
    for config, expected in zip(settings_of(sampler), ends, strict=True):
        x, tolerance = sampler_end(config)
        assert relative(x, expected) <= tolerance, config


def test_the_golden_files_stay_small():
    assert sum(path.stat().st_size for path in GOLDEN.rglob("*") if path.is_file()) < 300_000
