"""Reads the scheduler_config.json of a diffusers folder into a Scheduler, and writes it.

A setting that would change images is either obeyed or refused, never ignored.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Annotated

from ..errors import UserError
from ..fields import Between, Checked, read, shown
from .sampler_table import SAMPLERS, sampler_named
from .scheduler import Scheduler
from .schedules import MOST_TIMES, Schedule

FILE = "scheduler_config.json"

COMMON = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "prediction_type",
          "timestep_spacing", "steps_offset")
NOISE = ("rescale_betas_zero_snr", "use_flow_sigmas", "flow_shift")  # settings of the noise that not every class has

# What diffusers assumes where a file is silent, if a Scheduler assumes something else.
DEFAULTS = {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02, "steps_offset": 0}

# The supported values of other settings. clip_sample is not among them: latents are never clipped, whatever it says.
ONLY = {
    "use_flow_sigmas": (False, True),
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


# The sampler here that is nearest to one of diffusers that is not here; all are drawn from the same betas.
NEAREST = {
    "DEISMultistepScheduler": "unipc", "DPMSolverSinglestepScheduler": "dpm++", "DPMSolverSDEScheduler": "dpm++_sde",
    "IPNDMScheduler": "pndm", "KDPM2AncestralDiscreteScheduler": "euler_ancestral", "KDPM2DiscreteScheduler": "heun",
    "LCMScheduler": "ddim", "TCDScheduler": "ddim"}

# What the classes of diffusers without betas do, by the beginnings of their names.
WITHOUT_BETAS = {
    "EDM": "adds noise without scaling the image, and tells the network ln(σ) / 4 as the time: use a model of another "
           "scheduler",
    "FlowMatch": "is rectified flow in a form that is not read here: use DPMSolverMultistepScheduler with "
                 "use_flow_sigmas, its shift as flow_shift, and the prediction_type flow_prediction"}


@dataclass(frozen=True)
class Recommended(Checked):
    """What a model recommends in its scheduler_config.json, where it recommends something."""

    num_inference_steps: Annotated[int, Between(1, MOST_TIMES)] = 50
    guidance_scale: Annotated[float, Between(-1000, 1000)] = 7.5


def from_config(config: dict) -> Scheduler:
    """The Scheduler that a scheduler_config.json describes. UserError for a class or setting that is not supported."""
    sampler = sampler_of(config)
    entry = SAMPLERS[sampler]
    for name, allowed in (ONLY | entry.only).items():
        value = (entry.defaults | config).get(name, allowed[0])
        if value not in allowed:
            raise UserError(f"{entry.diffusers} with {name}={shown(value)} is not supported: "
                            f"use {' or '.join(map(str, allowed))}")
    settings = DEFAULTS | entry.defaults | {name: value for name, value in config.items() if value is not None}
    values = {name: settings[name] for name in (*COMMON, *entry.reads) if name in settings}
    if values.pop("use_flow_sigmas", False):
        values["beta_schedule"] = "flow"
    return read(Scheduler(sampler), values | {"schedule": read(Schedule(), values, FILE)}, FILE)


def check_config(config: dict, path: str) -> None:
    """Raises UserError for values that no sampler could draw with, whatever the class of the configuration."""
    read(Recommended(), config, path)
    shared = {name: value for name, value in config.items() if name in COMMON and value is not None}
    read(Scheduler(), shared | {"schedule": read(Schedule(), shared, path)}, path)


def to_config(scheduler: Scheduler) -> dict:
    """The scheduler_config.json that `from_config` and diffusers read as this Scheduler.

    UserError for a setting that the class of its sampler lacks.
    """
    entry, is_flow = scheduler.entry, scheduler.schedule.is_flow
    values = asdict(scheduler.schedule) | asdict(scheduler) | {"use_flow_sigmas": is_flow}
    usual = asdict(Schedule()) | asdict(Scheduler()) | {"use_flow_sigmas": False}
    for name, value in values.items():
        others = [sampler for sampler, other in SAMPLERS.items() if name in other.reads]
        if others and scheduler.sampler not in others and value != usual[name]:
            raise UserError(f"{entry.diffusers} has no {name}={value}: save with another sampler, "
                            f"{' or '.join(others)}")
    if is_flow:
        values["beta_schedule"] = usual["beta_schedule"]
    written = {name: values[name] for name in (*COMMON, *entry.reads) if values[name] is not None}
    return {"_class_name": entry.diffusers} | written | entry.written


def sampler_of(config: dict) -> str:
    """The sampler of a configuration's class, told apart by `algorithm_type` where a class has several."""
    name, algorithm = config.get("_class_name"), config.get("algorithm_type")
    found = {sampler: entry for sampler, entry in SAMPLERS.items() if entry.diffusers == name}
    if not found:
        check_betas(name)
        known = sorted({entry.diffusers for entry in SAMPLERS.values()})
        near = NEAREST.get(name) if isinstance(name, str) else None
        raise UserError(f"unknown scheduler {shown(name)}: " + (
            f"draw with the sampler {near}, which is the nearest" if near else f"use one of {', '.join(known)}"))
    if len(found) == 1:
        return next(iter(found))
    algorithms = {entry.written["algorithm_type"]: sampler for sampler, entry in found.items()}
    if algorithm is None:
        return next(iter(found))
    if not isinstance(algorithm, str) or algorithm not in algorithms:
        raise UserError(f"{name} with algorithm_type={shown(algorithm)} is not supported: "
                        f"use {' or '.join(algorithms)}")
    return algorithms[algorithm]


def check_betas(name) -> None:
    """Raises UserError for a class whose noise no betas describe."""
    for beginning, what in WITHOUT_BETAS.items():
        if str(name).startswith(beginning):
            raise UserError(f"{shown(name)} is not supported: it {what}")


def with_sampler(config: dict, sampler: str | None = None) -> Scheduler:
    """The Scheduler of a configuration, or with `sampler` what diffusers' `Other.from_config(config)` would give.

    Of a class that is not known here, the noise and the spacing are taken, as DPM-Solver++ reads them. UniPC's order 3
    becomes 2 with a sampler that has no higher one here.
    """
    if sampler is None:
        return from_config(config)
    entry = sampler_named(sampler)
    if config.get("_class_name") not in [known.diffusers for known in SAMPLERS.values()]:
        check_betas(config.get("_class_name"))
        shared = {name: config[name] for name in (*COMMON, *NOISE) if name in config}
        config = shared | {"_class_name": SAMPLERS["dpm++"].diffusers}
    own = from_config(config)
    if sampler == own.sampler:
        return own
    order = {"solver_order": entry.highest_order} if own.solver_order > entry.highest_order else {}
    other = from_config(config | entry.written | order | {"_class_name": entry.diffusers})
    return replace(other, schedule=own.schedule, flow_shift=own.flow_shift)
