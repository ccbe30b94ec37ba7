"""scheduler_config.json of a diffusers folder: read into a Scheduler, written from one.

What is read is honoured; a setting that would change images and is not known here is refused, never ignored.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from difflib import get_close_matches

from ..errors import UserError
from .scheduler import SAMPLERS, Scheduler
from .schedules import Schedule

CLASSES = {
    "ddpm": "DDPMScheduler",
    "ddim": "DDIMScheduler",
    "pndm": "PNDMScheduler",
    "euler": "EulerDiscreteScheduler",
    "euler_ancestral": "EulerAncestralDiscreteScheduler",
    "heun": "HeunDiscreteScheduler",
    "dpm++": "DPMSolverMultistepScheduler",
    "dpm++_sde": "DPMSolverMultistepScheduler",
    "unipc": "UniPCMultistepScheduler",
}

COMMON = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "prediction_type", "timestep_spacing",
          "steps_offset")
ZERO_SNR, KARRAS = ("rescale_betas_zero_snr",), ("use_karras_sigmas",)
SOLVER = (*ZERO_SNR, *KARRAS, "final_sigmas_type", "solver_order", "lower_order_final", "use_flow_sigmas", "flow_shift")
FIELDS = {
    "ddpm": ZERO_SNR,
    "ddim": (*ZERO_SNR, "set_alpha_to_one"),
    "pndm": ("set_alpha_to_one",),
    "euler": (*ZERO_SNR, *KARRAS, "final_sigmas_type"),
    "euler_ancestral": ZERO_SNR,
    "heun": KARRAS,
    "dpm++": SOLVER,
    "dpm++_sde": SOLVER,
    "unipc": SOLVER,
}

# What diffusers assumes where a file is silent, if that is not what a Scheduler assumes.
DEFAULTS = {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02, "steps_offset": 0}
DEFAULTS_OF = {"ddim": {"set_alpha_to_one": True}, "heun": {"beta_start": 0.00085, "beta_end": 0.012}}

# Constants of a class, written so that diffusers does the same.
WRITTEN = {
    "ddpm": {"clip_sample": False},
    "ddim": {"clip_sample": False},
    "pndm": {"skip_prk_steps": True},
    "dpm++": {"algorithm_type": "dpmsolver++"},
    "dpm++_sde": {"algorithm_type": "sde-dpmsolver++"},
}

# Settings with only one way here. (clip_sample is not among them: latents are never clipped, whatever the file says.)
ONLY = {
    "trained_betas": (None,),
    "thresholding": (False,),
    "variance_type": (None, "fixed_small"),
    "skip_prk_steps": (True,),
    "interpolation_type": ("linear",),
    "timestep_type": ("discrete",),
    "solver_type": ("midpoint", "bh2", "bh1", "logrho"),
    "predict_x0": (True,),
    "disable_corrector": ([],),
    "solver_p": (None,),
    "euler_at_final": (False,),
    "lambda_min_clipped": (float("-inf"),),
    "use_exponential_sigmas": (False,),
    "use_beta_sigmas": (False,),
    "use_lu_lambdas": (False,),
    "use_dynamic_shifting": (False,),
    "shift_terminal": (None,),
    "sigma_min": (None,),
    "sigma_max": (None,),
}


def from_config(config: dict) -> Scheduler:
    """The Scheduler a diffusers scheduler_config.json describes. UserError for a class or setting unknown here."""
    sampler = sampler_of(config)
    for name, allowed in ONLY.items():
        if name in config and config[name] not in allowed:
            raise UserError(f"{CLASSES[sampler]} with {name}={config[name]!r} is not supported: "
                            f"use {' or '.join(map(str, allowed))}")
    if sampler == "unipc" and config.get("solver_type") == "bh1":
        raise UserError("UniPCMultistepScheduler with solver_type='bh1' is not supported: use bh2")
    if sampler == "pndm" and not config.get("skip_prk_steps", False):
        raise UserError("PNDMScheduler with skip_prk_steps=False is not supported: use True, as Stable Diffusion does")
    values = DEFAULTS | DEFAULTS_OF.get(sampler, {}) | {name: config[name] for name in (*COMMON, *FIELDS[sampler])
                                                       if config.get(name) is not None}
    if values.pop("use_flow_sigmas", False):
        values["beta_schedule"] = "flow"
    table = {name: values.pop(name) for name in Schedule.__dataclass_fields__ if name in values}
    return Scheduler(sampler=sampler, schedule=Schedule(**table), **values)


def to_config(scheduler: Scheduler) -> dict:
    """The scheduler_config.json that `from_config`, and diffusers, read back as this Scheduler."""
    sampler, is_flow = scheduler.sampler, scheduler.schedule.is_flow
    if is_flow and "use_flow_sigmas" not in FIELDS[sampler]:
        raise UserError(f"diffusers has no rectified flow for {sampler}: save with dpm++, dpm++_sde or unipc")
    values = asdict(scheduler.schedule) | asdict(scheduler) | {"use_flow_sigmas": is_flow}
    if is_flow:
        values["beta_schedule"] = Schedule().beta_schedule
    written = {name: values[name] for name in (*COMMON, *FIELDS[sampler]) if values[name] is not None}
    return {"_class_name": CLASSES[sampler]} | written | WRITTEN.get(sampler, {})


def sampler_of(config: dict) -> str:
    """The sampler that a configuration's class and algorithm name."""
    name, algorithm = config.get("_class_name"), config.get("algorithm_type", "dpmsolver++")
    if name not in CLASSES.values():
        raise UserError(f"unknown scheduler {name!r}: use one of {', '.join(sorted(set(CLASSES.values())))}")
    if name != CLASSES["dpm++"]:
        return next(sampler for sampler, known in CLASSES.items() if known == name)
    for sampler in ("dpm++", "dpm++_sde"):
        if algorithm == WRITTEN[sampler]["algorithm_type"]:
            return sampler
    raise UserError(f"{name} with algorithm_type={algorithm!r} is not supported: use dpmsolver++ or sde-dpmsolver++")


def with_sampler(config: dict, sampler: str | None = None) -> Scheduler:
    """The scheduler of a configuration; with another sampler, as diffusers' `Other.from_config(config)` makes it."""
    own = from_config(config)
    if sampler is None or sampler == own.sampler:
        return own
    if sampler not in SAMPLERS:
        near = get_close_matches(sampler, SAMPLERS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UserError(f"unknown sampler {sampler!r}: {hint}use one of {', '.join(SAMPLERS)}")
    other = from_config(config | WRITTEN.get(sampler, {}) | {"_class_name": CLASSES[sampler]})
    return replace(other, schedule=own.schedule, flow_shift=own.flow_shift)
