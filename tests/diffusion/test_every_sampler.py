"""What is true of every sampler in the table, whatever it converges to."""

from __future__ import annotations

import numpy as np
import pytest
from gaussian import denoise, end_of
from numpy.testing import assert_allclose

from minidiff.diffusion.guidance import inpainted
from minidiff.diffusion.sampler_table import SAMPLERS
from minidiff.diffusion.samplers import step_noise
from minidiff.diffusion.scheduler import Scheduler
from minidiff.diffusion.schedules import Schedule


@pytest.mark.parametrize("zero_snr", [False, True])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_zero_terminal_snr_and_every_sampler_stay_finite(sampler, zero_snr):
    schedule = Schedule(rescale_betas_zero_snr=zero_snr)
    scheduler = Scheduler(sampler, schedule, "v_prediction", timestep_spacing="trailing")
    steps = scheduler.steps(6)
    x = scheduler.start(np.random.default_rng(0).standard_normal((2, 3, 4, 1)), steps)
    predict = scheduler.denoiser(lambda x, time: 0.3 * x)
    end = end_of(scheduler.sample(predict, x, steps, lambda i: np.ones_like(x)))
    assert np.isfinite(end).all() and end.std() > 0


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_inputs_are_untouched_and_low_precision_stays(sampler, dtype):
    scheduler = Scheduler(sampler)
    steps = scheduler.steps(4)
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 1)).astype(dtype)
    x.flags.writeable = False

    def frozen(x, time):
        y = denoise(x, time)
        y.flags.writeable = False
        return y

    for state in scheduler.sample(frozen, x, steps, step_noise([1, 2], x)):
        assert state.x.dtype == dtype
        state.x.flags.writeable = False


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_network_is_called_as_often_as_published(sampler):
    asked = []

    def counting(x, time):
        asked.append(time.t)
        return denoise(x, time)

    scheduler, x = Scheduler(sampler), np.ones((1, 2, 3, 1))
    calls, steps = scheduler.entry.calls, scheduler.steps(10)
    states = list(scheduler.sample(counting, x, steps, lambda i: x))
    assert len(asked) == calls * (len(steps) - 1) + 1
    assert [state.t for state in states] == asked[::calls]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_an_image_is_the_same_alone_and_in_a_batch(sampler):
    scheduler = Scheduler(sampler)
    steps, shape = scheduler.steps(5), (3, 4, 2)

    def run(seeds):
        start = np.stack([np.random.default_rng(seed).standard_normal(shape, dtype=np.float32) for seed in seeds])
        return end_of(scheduler.sample(denoise, scheduler.start(start, steps), steps, step_noise(seeds, start)))

    batch = run([7, 8, 9])
    assert_allclose(run([8]), batch[1:2], rtol=1e-6, atol=1e-7)
    assert abs(batch[0] - batch[1]).max() > 0.01


def test_step_noise_differs_between_steps_and_images():
    noise = step_noise([1, 2], np.empty((2, 50, 40, 1), np.float32))
    first, second = noise(0), noise(1)
    assert_allclose(noise(0), first, rtol=0, atol=0)
    correlations = np.corrcoef([*first.reshape(2, -1), *second.reshape(2, -1)]) - np.eye(4)
    assert abs(correlations).max() < 0.1


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_inpainting_keeps_the_known_part_and_its_noise(sampler):
    scheduler = Scheduler(sampler, Schedule("flow"), "flow_prediction")
    rng = np.random.default_rng(0)
    known, noise = rng.standard_normal((2, 2, 4, 6, 3))
    mask = np.zeros((1, 4, 6, 1))
    mask[:, :, 3:] = 1
    steps = scheduler.steps(8)
    x = scheduler.start(noise, steps, known)
    states = list(scheduler.sample(inpainted(denoise, known, mask), x, steps, lambda i: noise))
    kept = np.broadcast_to(mask == 0, known.shape)
    assert_allclose(states[-1].x[kept], known[kept], rtol=0, atol=1e-9)
    assert abs(states[-1].x - known)[~kept].mean() > 0.1
    if not SAMPLERS[sampler].draws_noise:
        end = steps[states[3].i].end
        assert_allclose(states[3].x[kept], (end.alpha * known + end.sigma * noise)[kept], rtol=0, atol=1e-9)
