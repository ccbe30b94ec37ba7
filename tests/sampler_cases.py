"""Every sampler with the settings that change its images: what its entry in the table says it reads."""

from __future__ import annotations

from itertools import product

import numpy as np

from minidiff.diffusion.sampler_table import SAMPLERS
from minidiff.diffusion.spacing import RATIOS

TABLE = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "num_train_timesteps": 1000}
PREDICTIONS = ("epsilon", "v_prediction", "sample")
SPACINGS = ({"timestep_spacing": "leading", "steps_offset": 0}, {"timestep_spacing": "leading", "steps_offset": 1},
            {"timestep_spacing": "trailing"}, {"timestep_spacing": "linspace"})
CHOICES = {"set_alpha_to_one": (False, True), "use_karras_sigmas": (False, True), "lower_order_final": (True, False),
           "final_sigmas_type": ("zero", "sigma_min")}
MISSING_OR_FAULTY_IN_DIFFUSERS = {
    "ddim": {"timestep_spacing": "linspace"}, "pndm": {"prediction_type": "sample"},
    "euler_ancestral": {"prediction_type": "sample"}, "unipc": {"lower_order_final": False},
}


def settings():
    """Yields scheduler configurations of every sampler; a setting not named is at its default in diffusers."""
    for sampler in SAMPLERS:
        yield from settings_of(sampler)


def settings_of(sampler):
    entry = SAMPLERS[sampler]
    choices = [[{name: value} for value in values] for name, values in CHOICES.items() if name in entry.reads]
    if "solver_order" in entry.reads:
        choices.append([{"solver_order": order} for order in range(1, 1 + len(entry.orders))])
    yield from combine(sampler, *choices)
    for beta_schedule in ("linear", "squaredcos_cap_v2"):
        yield from combine(sampler, [{"beta_schedule": beta_schedule}], predictions=["epsilon"],
                           spacings=[{"timestep_spacing": "trailing"}])
    if "rescale_betas_zero_snr" in entry.reads:
        yield from combine(sampler, [{"rescale_betas_zero_snr": True}], predictions=["v_prediction"])
    if "use_flow_sigmas" in entry.reads:
        yield from combine(sampler, [{"use_flow_sigmas": True}], [{"flow_shift": shift} for shift in (1.0, 3.0)],
                           predictions=["flow_prediction"], spacings=[{}])


def combine(sampler, *choices, predictions=PREDICTIONS, spacings=SPACINGS):
    """Each way to take one of every choice."""
    entry, missing = SAMPLERS[sampler], MISSING_OR_FAULTY_IN_DIFFUSERS.get(sampler, {})
    for prediction, *chosen in product(predictions, spacings, *choices):
        config = {"_class_name": entry.diffusers, **TABLE, **entry.written, "prediction_type": prediction}
        for part in chosen:
            config |= part
        if not missing.items() & config.items():
            yield config


def answer(x, t):
    """What stands for a network: smooth in x and t, different for each element of x (N, H, W, C)."""
    return 0.7 * np.tanh(x @ MIXING) + 0.3 * np.sin(x + t / 300) + 0.1


MIXING = np.array([[0.3, -0.5, 0.1], [0.2, 0.4, -0.6], [-0.3, 0.1, 0.5]])


def follow(scheduler, n, start, noise):
    """Our run from noise of unit variance: x after each step, as diffusers has it, and the times we ask at."""
    asked, steps = [], scheduler.steps(n)

    def predict(x, time):
        asked.append(time.t)
        return answer(x, time.t)

    states = scheduler.sample(scheduler.denoiser(predict), scheduler.start(start, steps), steps, noise)
    scaled = scheduler.entry.family == RATIOS  # these have x / α in diffusers
    return [state.x / (step.end.alpha if scaled else 1.0) for step, state in zip(steps, states, strict=True)], asked
