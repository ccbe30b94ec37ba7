"""A noise schedule, what the network predicts, a sampler and the times it visits, in one object.

    scheduler = from_config(json.loads(text))            # of scheduler_config.py; or Scheduler("unipc", Schedule())
    denoise = scheduler.denoiser(predict)                # predict(x, time) is the network's answer
    steps = scheduler.steps(20)
    for state in scheduler.sample(denoise, scheduler.start(noise, steps), steps):
        ...                                              # state.x, state.denoised

To start from an image, `steps(20, strength=0.6)` gives the last 12 of 20 steps, and `start(noise, steps, image)` adds
the noise of their first time to it. Inpainting wraps `denoise`: guidance.inpainted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ..arguments import number, whole
from ..errors import UserError
from ..fields import Between, Checked, Name
from . import objectives, spacing
from .sampler_table import SAMPLERS, Sampler, sampler_named
from .samplers import Step
from .schedules import Schedule
from .spacing import RATIOS, SOLVERS, WHOLE

STABLE_DIFFUSION = Schedule()


@dataclass(frozen=True)
class Scheduler(Checked):
    """How to sample a model. Fields are named as in scheduler_config.json; the default spacing is the sampler's own."""

    sampler: Name = "unipc"
    schedule: Schedule = STABLE_DIFFUSION
    prediction_type: Literal[objectives.KINDS] = "epsilon"
    timestep_spacing: Literal[spacing.SPACINGS] | None = None
    steps_offset: Annotated[int, Between(0, 1000)] = 1
    set_alpha_to_one: bool = False
    final_sigmas_type: Literal["zero", "sigma_min"] = "zero"
    use_karras_sigmas: bool = False
    solver_order: Annotated[int, Between(1, 3)] = 2
    lower_order_final: bool = True
    flow_shift: Annotated[float, Between(0.01, 100)] = 1.0

    def __post_init__(self):
        super().__post_init__()
        if self.solver_order > self.entry.highest_order:
            raise UserError(f"{self.sampler} of solver_order {self.solver_order}: use 1 or 2")
        whole = self.entry.family == WHOLE
        if self.use_karras_sigmas and (whole or self.schedule.is_flow):
            others = [name for name, entry in SAMPLERS.items() if entry.family != WHOLE]
            raise UserError(f"Karras sigmas need a schedule of betas and one of {', '.join(others)}")
        if self.final_sigmas_type == "sigma_min" and self.schedule.is_flow:
            raise UserError("a rectified flow ends without noise: use final_sigmas_type zero")
        if whole and self.schedule.rescale_betas_zero_snr and self.prediction_type == "epsilon":
            raise UserError("a network that predicts noise says nothing at zero terminal SNR: use v_prediction")

    @property
    def entry(self) -> Sampler:
        """The sampler's entry in the table."""
        return sampler_named(self.sampler)

    @property
    def most_steps(self) -> int:
        """The most steps of a run, whose times all differ."""
        return self.schedule.num_train_timesteps - (self.entry.family == SOLVERS)

    def steps(self, num_inference_steps: int, strength: float = 1.0) -> list[Step]:
        """The steps of a run: of n steps, the last n · strength, rounded down; PNDM takes one of them twice."""
        n = whole("num_inference_steps", num_inference_steps, 1)
        if n > self.most_steps:
            raise UserError(f"{n} steps: use 1 to {self.most_steps}")
        strength = number("strength", strength, 0, 1)
        stride = self.schedule.num_train_timesteps // n
        steps, skipped = self._all_steps(n, stride), n - int(n * strength)
        if self.entry.repeats_first and strength > 0:
            return spacing.first_repeated(spacing.moving(steps), self.schedule, stride, skipped)
        return spacing.moving(steps[skipped:])

    def _all_steps(self, n, stride):
        entry = self.entry
        if self.schedule.is_flow:
            return spacing.flow_steps(self.schedule, n, self.flow_shift, entry.starts_below_one)
        times = self.timestep_spacing or ("leading" if entry.family == WHOLE else "linspace")
        grid = self.schedule, n, times, self.steps_offset
        clean, cleanest = spacing.CLEAN, spacing.whole_time(self.schedule, 0)
        if entry.family == WHOLE:
            last = cleanest if "set_alpha_to_one" in entry.reads and not self.set_alpha_to_one else clean
            return spacing.whole_steps(*grid, last, stride if times in entry.strides else None)
        family = spacing.ratio_steps if entry.family == RATIOS else spacing.solver_steps
        last = cleanest if self.final_sigmas_type == "sigma_min" else clean
        return family(*grid, last, self.use_karras_sigmas)

    def start(self, noise, steps, image=None):
        """x at the start of `steps`: the noise, or `image` with noise added, which is none if there are no steps.

        The noise alone has unit variance, like x = α x0 + σ noise. The published Euler family scales it by σ unless
        the spacing is "leading", as if x0 were 0.

        noise (N, H, W, C) -> x (N, H, W, C)
        """
        if image is not None:
            _, alpha, sigma = steps[0].start if steps else spacing.CLEAN
            return objectives.add_noise(image, noise, alpha, sigma)
        scaled = self.entry.family == RATIOS and self.timestep_spacing != "leading"
        return noise * steps[0].start.sigma if scaled else noise

    def denoiser(self, predict):
        """`denoise(x, time)`, which turns the answer of a network's `predict(x, time)` into x0."""
        return lambda x, time: objectives.denoised(self.prediction_type, predict(x, time), x, time.alpha, time.sigma)

    def sample(self, denoise, x, steps, noise=None):
        """Yields a State after each of `steps`. `noise(i)` is needed by samplers whose entry says `draws_noise`."""
        return self.entry.function(denoise, x, steps, noise, **self.entry.options(self))
