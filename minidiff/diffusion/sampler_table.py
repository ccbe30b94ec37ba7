"""Every sampler in one table. To add one, write its function in samplers.py or multistep.py and its entry here.

The scheduler, scheduler_config.json, error messages and the tests all read this table: a new entry is at once
compared with diffusers, and its order of convergence is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import NamedTuple

from ..errors import UserError
from .multistep import dpm_solver, dpm_solver_sde, lms, pndm, unipc
from .samplers import ancestral, first_order, heun
from .spacing import RATIOS, SOLVERS, SPACINGS, WHOLE


def average_prediction(scheduler):
    """The kind of answer to average is the network's own."""
    return {"average": scheduler.prediction_type}


def average_slope(scheduler):
    """The kind of answer to average is the slope of the path: ε, or the velocity of rectified flow."""
    return {"average": "flow_prediction" if scheduler.schedule.is_flow else "epsilon"}


def solver_settings(scheduler):
    return {"order": scheduler.solver_order, "lower_order_final": scheduler.lower_order_final}


NOTHING = MappingProxyType({})


class Sampler(NamedTuple):
    """What distinguishes one sampler from another. Settings have the names of scheduler_config.json."""

    function: Callable                 # function(denoise, x, steps, noise, **options) yields States
    family: str                        # of times: see spacing.py
    diffusers: str                     # the class in diffusers
    orders: tuple[int, ...]            # of convergence, for solver_order = 1, 2, ... if it has one: measured after a
                                       # run-up of tiny steps; of a whole run the first may limit it (LMS to 2)
    reads: tuple[str, ...]             # the settings of its class, besides those that every class has
    options: Callable = lambda scheduler: {}  # the keyword arguments of `function`
    written: Mapping = NOTHING         # constants of its class, written so that diffusers does the same
    defaults: Mapping = NOTHING        # what its class assumes where a file is silent, if other classes do not
    only: Mapping = NOTHING            # the supported values of a setting, where fewer than scheduler_config.ONLY has
    calls: int = 1                     # calls of the network in every step but the last, which makes one
    draws_noise: bool = False
    strides: tuple[str, ...] = ()      # the timestep_spacings with which every step is equally long in t
    repeats_first: bool = False        # its first step is taken twice: see spacing.first_repeated
    starts_below_one: bool = False     # where rectified flow starts: see spacing.flow_steps

    @property
    def highest_order(self) -> int:
        """The largest solver_order; 2, the usual one, is allowed where it is not read."""
        return max(2, len(self.orders))


ZERO_SNR, KARRAS = "rescale_betas_zero_snr", "use_karras_sigmas"
SOLVER = (ZERO_SNR, KARRAS, "final_sigmas_type", "solver_order", "lower_order_final", "use_flow_sigmas", "flow_shift")

SAMPLERS = {
    "ddpm": Sampler(ancestral, WHOLE, "DDPMScheduler", (1,), (ZERO_SNR,), draws_noise=True,
                    written={"clip_sample": False}),
    "ddim": Sampler(first_order, WHOLE, "DDIMScheduler", (1,), (ZERO_SNR, "set_alpha_to_one"),
                    written={"clip_sample": False}, defaults={"set_alpha_to_one": True},
                    strides=("leading", "trailing")),  # in diffusers "linspace" too, which is a known bug
    "pndm": Sampler(pndm, WHOLE, "PNDMScheduler", (2,), ("set_alpha_to_one",), average_prediction,
                    written={"skip_prk_steps": True}, defaults={"skip_prk_steps": False},
                    strides=SPACINGS, repeats_first=True),
    "euler": Sampler(first_order, RATIOS, "EulerDiscreteScheduler", (1,), (ZERO_SNR, KARRAS, "final_sigmas_type")),
    "euler_ancestral": Sampler(ancestral, RATIOS, "EulerAncestralDiscreteScheduler", (1,), (ZERO_SNR,),
                               draws_noise=True),
    "heun": Sampler(heun, RATIOS, "HeunDiscreteScheduler", (2,), (KARRAS,), average_slope, calls=2,
                    defaults={"beta_start": 0.00085, "beta_end": 0.012}),
    "lms": Sampler(lms, RATIOS, "LMSDiscreteScheduler", (4,), (KARRAS,), average_slope),
    "dpm++": Sampler(dpm_solver, SOLVERS, "DPMSolverMultistepScheduler", (1, 2), SOLVER, solver_settings,
                     written={"algorithm_type": "dpmsolver++"}, starts_below_one=True),
    "dpm++_sde": Sampler(dpm_solver_sde, SOLVERS, "DPMSolverMultistepScheduler", (1, 2), SOLVER, solver_settings,
                         written={"algorithm_type": "sde-dpmsolver++"}, starts_below_one=True, draws_noise=True),
    "unipc": Sampler(unipc, SOLVERS, "UniPCMultistepScheduler", (2, 3, 4), SOLVER, solver_settings,
                     only={"solver_type": ("bh2", "midpoint", "logrho")}),  # diffusers reads the last two as bh2
}


def sampler_named(name: str) -> Sampler:
    """The entry of this name. UserError with the nearest name if there is none."""
    if name not in SAMPLERS:
        near = get_close_matches(name, SAMPLERS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UserError(f"unknown sampler {name!r}: {hint}use one of {', '.join(SAMPLERS)}")
    return SAMPLERS[name]
