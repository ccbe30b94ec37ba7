"""Every sampler with the settings that change its images, named by scheduler_config.json's words."""

from __future__ import annotations

from itertools import product

import numpy as np

TABLE = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "num_train_timesteps": 1000}
PREDICTIONS = ("epsilon", "v_prediction", "sample")
SPACINGS = ({"timestep_spacing": "leading", "steps_offset": 0}, {"timestep_spacing": "leading", "steps_offset": 1},
            {"timestep_spacing": "trailing"}, {"timestep_spacing": "linspace"})
KARRAS = ({}, {"use_karras_sigmas": True})
ENDS = ({}, {"final_sigmas_type": "sigma_min"})
LAST_ALPHA = ({"set_alpha_to_one": False}, {"set_alpha_to_one": True})
NO_CLIPPING = {"clip_sample": False}  # latents are never clipped
SOLVER_ENDS = ({"lower_order_final": True}, {"lower_order_final": False})
ORDERS = ({"solver_order": 1}, {"solver_order": 2})


def settings():
    """Yields scheduler configurations; a setting not named is at its default in diffusers."""
    yield from combine("DDPMScheduler", [NO_CLIPPING])
    yield from combine("DDIMScheduler", LAST_ALPHA, [NO_CLIPPING], spacings=SPACINGS[:3])  # linspace is faulty there
    yield from combine("PNDMScheduler", LAST_ALPHA, [{"skip_prk_steps": True}], predictions=PREDICTIONS[:2])
    yield from combine("EulerDiscreteScheduler", KARRAS, ENDS)
    yield from combine("EulerAncestralDiscreteScheduler", predictions=PREDICTIONS[:2])
    yield from combine("HeunDiscreteScheduler", KARRAS)
    yield from combine("DPMSolverMultistepScheduler", KARRAS, ENDS, SOLVER_ENDS, ORDERS)
    yield from combine("DPMSolverMultistepScheduler", KARRAS, ENDS, [{"algorithm_type": "sde-dpmsolver++"}])
    yield from combine("UniPCMultistepScheduler", KARRAS, ENDS, (*ORDERS, {"solver_order": 3}))
    for name in ("DDPM", "DDIM", "EulerDiscrete", "EulerAncestralDiscrete", "DPMSolverMultistep", "UniPCMultistep"):
        clipping = [NO_CLIPPING] if name.startswith("DD") else [{}]
        yield from combine(f"{name}Scheduler", [{"rescale_betas_zero_snr": True}], clipping,
                           predictions=["v_prediction"], spacings=SPACINGS[1 : 3 if name == "DDIM" else 4])
        for beta_schedule in ("linear", "squaredcos_cap_v2"):
            yield from combine(f"{name}Scheduler", [{"beta_schedule": beta_schedule}], clipping,
                               predictions=["epsilon"], spacings=[SPACINGS[2]])
    for name, shift in product(("DPMSolverMultistepScheduler", "UniPCMultistepScheduler"), (1.0, 3.0)):
        yield from combine(name, [{"use_flow_sigmas": True, "flow_shift": shift}],
                           predictions=["flow_prediction"], spacings=[{}])


def combine(name, *choices, predictions=PREDICTIONS, spacings=SPACINGS):
    """Each way to take one of every choice."""
    for prediction, *chosen in product(predictions, spacings, *choices):
        config = {"_class_name": name, **TABLE, "prediction_type": prediction}
        for part in chosen:
            config |= part
        yield config


def answer(x, t):
    """What stands for a network: smooth in x and t, different for each number of x (N, H, W, C)."""
    return 0.7 * np.tanh(x @ MIXING) + 0.3 * np.sin(x + t / 300) + 0.1


MIXING = np.array([[0.3, -0.5, 0.1], [0.2, 0.4, -0.6], [-0.3, 0.1, 0.5]])


def follow(scheduler, n, start, noise):
    """Our run from noise of unit variance: x after each step, as diffusers has it, and the times we ask at."""
    asked, steps = [], scheduler.steps(n)

    def predict(x, time):
        asked.append(time.t)
        return answer(x, time.t)

    states = scheduler.sample(scheduler.denoiser(predict), scheduler.start(start, steps), steps, noise)
    scaled = scheduler.sampler in ("euler", "euler_ancestral", "heun")  # these have x / alpha there
    return [state.x / (step.end.alpha if scaled else 1.0) for step, state in zip(steps, states, strict=True)], asked
