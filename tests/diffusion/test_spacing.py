"""The times that each family of samplers visits: those of the published implementations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from minidiff.diffusion.sampler_table import KARRAS, SAMPLERS
from minidiff.diffusion.scheduler import Scheduler
from minidiff.diffusion.schedules import Schedule, Time
from minidiff.diffusion.spacing import SOLVERS, SPACINGS, spaced
from minidiff.errors import UserError

FLOW = Schedule("flow")


def times(steps):
    return [step.start.t for step in steps]


def first_ratio(scheduler, n):
    start = scheduler.steps(n)[0].start
    return start.sigma / start.alpha


@pytest.mark.parametrize("spacing", SPACINGS)
def test_every_number_of_steps_has_as_many_times(spacing):
    for n in range(1, 1001):
        visited = spaced(spacing, 1000, n, n, 0)
        assert len(visited) == n and visited.max() <= 999 and visited.min() >= 0


@given(st.sampled_from(list(SAMPLERS)), st.sampled_from(SPACINGS), st.integers(1, 300),
       st.booleans())
def test_steps_fall_to_the_end_whatever_their_number(sampler, spacing, n, flow):
    scheduler = Scheduler(sampler, FLOW if flow else Schedule(), timestep_spacing=spacing)
    steps = scheduler.steps(n)
    assert len(steps) == n + (scheduler.entry.repeats_first and n > 1)
    for step in steps:
        assert step.start.sigma > step.end.sigma and step.start.alpha < step.end.alpha
    assert steps[-1].end.sigma <= Schedule().sigma[0]


def test_a_thousand_steps_of_a_thousand_stay_in_the_table():
    assert max(times(Scheduler("ddim").steps(1000))) == 999
    with pytest.raises(UserError, match="1 to 999"):
        Scheduler("unipc").steps(1000)
    with pytest.raises(UserError, match="num_inference_steps 0: use a whole number from 1"):
        Scheduler("ddim").steps(0)


def test_pndm_asks_twice_at_its_second_time():
    steps = Scheduler("pndm").steps(50)
    asked = [steps[0].start.t, steps[1].end.t, *times(steps[2:])]
    assert len(steps) == 51
    assert asked == [981, 961, *range(961, 0, -20)]


def test_ddim_times_are_the_published_ones():
    assert times(Scheduler("ddim").steps(50)) == list(range(981, 0, -20))
    assert times(Scheduler("ddim", steps_offset=0).steps(50)) == list(range(980, -1, -20))
    assert times(Scheduler("ddim", timestep_spacing="trailing").steps(50)) == list(range(999, 18, -20))
    linspace = times(Scheduler("ddim", timestep_spacing="linspace").steps(50))
    assert (linspace[:3], linspace[-1]) == ([999, 979, 958], 0)


def test_ddim_goes_a_stride_but_with_linspace_to_the_next_time():
    ends = {spacing: [step.end.t for step in Scheduler("ddim", timestep_spacing=spacing).steps(30)][:3]
            for spacing in ("leading", "trailing", "linspace")}
    assert ends == {"leading": [925, 892, 859], "trailing": [966, 933, 899], "linspace": [965, 930, 896]}


def test_ddim_ends_at_the_cleanest_time_or_without_noise():
    assert_allclose(Scheduler("ddim").steps(50)[-1].end.alpha ** 2, 0.99915, rtol=0, atol=5e-6)
    assert Scheduler("ddim", set_alpha_to_one=True).steps(50)[-1].end.sigma == 0


def test_euler_begins_at_the_published_sigmas():
    first = [first_ratio(Scheduler("euler", timestep_spacing=spacing), 50) for spacing in
             ("linspace", "leading", "trailing")]
    assert_allclose(first, [14.6146, 13.1204, 14.6146], rtol=5e-6, atol=0)


def test_solvers_divide_by_one_more():
    for sampler in [name for name, entry in SAMPLERS.items() if entry.family == SOLVERS]:
        assert times(Scheduler(sampler).steps(20))[:2] == [999, 949]
        assert times(Scheduler(sampler, timestep_spacing="leading").steps(20))[:2] == [941, 894]


@pytest.mark.parametrize("sampler", [name for name, entry in SAMPLERS.items() if KARRAS in entry.reads])
def test_karras_steps_are_even_in_the_seventh_root(sampler):
    steps = Scheduler(sampler, use_karras_sigmas=True).steps(9)
    ratios = np.array([step.start.sigma / step.start.alpha for step in steps])
    assert_allclose(np.diff(ratios ** (1 / 7), 2), 0, rtol=0, atol=1e-12)
    assert_allclose(ratios[[0, -1]], [14.6146, 0.029168], rtol=5e-5, atol=0)
    table = np.interp(times(steps), np.arange(1000), Schedule().ratio)
    assert_allclose(table, ratios, rtol=0.02, atol=0)


def test_flow_starts_as_published_and_is_told_whole_times():
    dpm, unipc = (Scheduler(sampler, FLOW).steps(20) for sampler in ("dpm++", "unipc"))
    assert_allclose([dpm[0].start.sigma, unipc[0].start.sigma], [0.999, 1 - 1e-6], rtol=0, atol=3e-8)
    assert times(dpm)[:3] == [999, 949, 899] and times(unipc)[:3] == [999, 950, 900]
    assert dpm[-1].end == unipc[-1].end == Time(0, 1, 0)


def test_flow_shift_moves_steps_towards_the_noise():
    plain, shifted = (Scheduler("dpm++", FLOW, flow_shift=shift).steps(8) for shift in (1.0, 3.0))
    before = np.array([step.start.sigma for step in plain])
    after = np.array([step.start.sigma for step in shifted])
    assert_allclose(after, 3 * before / (1 + 2 * before), rtol=1e-6, atol=0)
