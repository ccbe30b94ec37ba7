"""The loop that trains any stage: a generator of Progress. The caller prints, plots, draws samples, and may stop.

The loop knows nothing of what is learned; stage.py says what it asks for. All random numbers of a batch follow from its
index, so the parameters, the optimizer's buffers, the average, the index and the number of steps are the whole state,
and a resumed run continues bit for bit.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..backend import array_module, captured, to_host
from ..errors import UserError
from ..storage.checkpoint import latest, list_checkpoints, save_step
from .flat import Flat
from .optimizers import optimizer_class
from .pace import Means, Pace
from .presets import StageSettings
from .ranks import world
from .run_folder import append_line
from .schedule import average_decay, fallen, learning_rate
from .stage import Stage
from .update import update_parameters
from .workers import Workers, worker_count

LOOK_EVERY = 20          # steps between two reads of the losses: each read waits for the device
HELD_OUT_EVERY = 300     # steps between two readings of the held-out losses, a multiple of LOOK_EVERY
CHECKPOINT_SECONDS = 120
UNKNOWN = 10**9          # stands for the number of steps until it is known: the learning rate does not fall yet


@dataclass(frozen=True)
class Progress:
    """The state of a stage after `step` of `total` steps; the losses are means since the last Progress.

    Some also have the losses `held_out` and `held_out.BAND`: those of images that are never trained on, at this step.
    """

    stage: str
    step: int
    total: int
    losses: dict[str, float]
    learning_rate: float
    gradient_norm: float
    samples_per_second: float
    seconds_left: float

    def log(self, path: Path) -> None:
        """Append one line of JSON to a file, with the time."""
        record = {name: value for name, value in asdict(self).items() if name not in ("losses", "seconds_left")}
        append_line(path, json.dumps(record | self.losses | {"time": round(time.time(), 1)}))


class Trainer:
    """A stage, its optimizer, the folder of its checkpoints, and a function that computes its held-out losses."""

    def __init__(self, stage: Stage, settings: StageSettings, checkpoints: Path, threads: int | None = None,
                 held_out: Callable[[], dict[str, float]] = dict):
        self.stage, self.settings, self.checkpoints, self.held_out = stage, settings, checkpoints, held_out
        self.flat = Flat([p for model in stage.models for p in model.parameters()], stage.device)
        self.optimizer = optimizer_class(settings.optimizer)(self.flat, stage.models, settings)
        self.average = self.flat.value.copy()
        self.change = captured(self._change, stage.device)
        self.step, self.total, self.ranks = 0, settings.steps, world()
        self.threads = self.ranks.threads(threads)
        self.worker_count = worker_count(settings.batch_size // self.ranks.size, stage.device, self.threads)

    def workers(self) -> Workers:
        return Workers(self.stage, self.flat, self.worker_count, self.threads)

    def train(self, seconds: float | None = None, metrics: Path | None = None) -> Iterator[Progress]:
        """Train to the end, and save a checkpoint every two minutes. With `seconds`, train for that time.

        Each Progress is appended to the file `metrics`, before the checkpoint, so that no step of it is missing there.

        The number of steps that fits into `seconds` is estimated from the time per step so far: first at the end of the
        warm-up, then again at every Progress, until the learning rate begins to fall. Up to there the learning rate
        does not depend on the number of steps, so a new estimate changes nothing that has been done. If the time is up
        before the first estimate, the step that ends then is the last. The time that the caller spends between two
        steps does not count.

        Raises UserError when a loss is not finite; the last checkpoint was written before that.
        """
        if seconds is None:
            self.total = self.total or self.settings.steps
        elif not self._fallen():
            self.total = None
        with self._followed() as workers:
            pace, means = Pace(self.step, seconds if self.total is None else None), Means()
            saved = time.monotonic()
            while self.total is None or self.step < self.total:
                with self.ranks.step((self.step, self._expected())):
                    losses, norm = self._update(workers)
                means.add(losses)
                if self.total is None and pace.is_up():
                    self.total = self.step
                if self.step % LOOK_EVERY and self.step != self.total:
                    continue
                progress = self._look(pace, means, float(norm))
                if metrics is not None:
                    progress.log(metrics)
                if time.monotonic() - saved > CHECKPOINT_SECONDS or self.step == self.total:
                    self.save()
                    saved = time.monotonic()
                yield progress
                pace.go()

    def _look(self, pace, means, norm) -> Progress:
        """Read the losses, and estimate how many steps there will be, if that is to fit into a time."""
        steps, losses = means.taken()
        self._check(losses | {"the gradient's norm": norm})
        speed = self.settings.batch_size * self.settings.accumulation * steps / pace.elapsed()
        if self.step % HELD_OUT_EVERY == 0 or self.step == self.total:
            losses |= self.held_out()
        pace.look(self.step)
        if pace.seconds is not None and self.step >= self.settings.warmup and not self._fallen():
            self.total = pace.total(self.step)
        total = self.total or pace.total(self.step)
        return Progress(self.stage.name, self.step, total, losses, self._rate(self.step - 1), norm, speed,
                        (total - self.step) * pace.step_time)

    @contextmanager
    def _followed(self):
        """Inside, the other ranks follow this one, in the state that it is in, each with such workers."""
        self.ranks.tell((self.stage.name, self.stage.device))
        try:
            with self._working() as workers:
                yield workers
        finally:
            self.ranks.tell(None)

    def follow(self) -> None:
        """Make the steps of the first rank, which decides how many there are, until it ends the stage."""
        with self._working() as workers:
            while (told := self.ranks.hear()) is not None:
                self.step, self.total = told
                self._update(workers)

    @contextmanager
    def _working(self):
        for array in self._arrays().values():
            self.ranks.share(array)
        with closing(self.workers()) as workers:
            yield workers

    def _update(self, workers):
        """One step: the mean gradient of `accumulation` batches, summed over workers and ranks, and the update."""
        settings = self.settings
        workers.clear()
        totals = {}
        for part in range(settings.accumulation):
            index = self.step * settings.accumulation + part
            losses = self.stage.step(workers, 1 / settings.accumulation, *workers.draw(index))
            totals = {name: totals.get(name, 0.0) + value / settings.accumulation for name, value in losses.items()}
        workers.add_gradients()
        numbers = self.step + 1, self._rate(self.step), average_decay(self.step, settings.average_decay)
        norm = self.change(numbers, workers.map)
        self.step += 1
        return totals, norm

    def _change(self, numbers, run):
        """Change the parameters by their gradients; `numbers` are those that differ from step to step."""
        step, rate, decay = numbers
        return update_parameters(self.flat, self.optimizer, self.average, step, rate, self.settings.clip, decay, run)

    def _expected(self):
        return self.total or UNKNOWN

    def _rate(self, step):
        return learning_rate(step, self._expected(), self.settings.learning_rate, self.settings.warmup)

    def _fallen(self):
        return fallen(self.step, self._expected(), self.settings.warmup)

    def _check(self, losses):
        for name, value in losses.items():
            if not np.isfinite(value):
                good = [f"the last good checkpoint is {path}" for path in list_checkpoints(self.checkpoints)[-1:]]
                raise UserError(f"{self.stage.name}: {name} is {value} at step {self.step}; "
                                f"{good[0] if good else 'there is no checkpoint yet'}; lower "
                                f"train_{self.stage.name}.learning_rate in settings.json and go on with --resume, or "
                                "start another run")

    def lengthen(self, steps: int) -> None:
        """Have the stage end at `steps`. Raises UserError if it is past them."""
        if steps <= self.step:
            raise UserError(f"the {self.stage.name} stage is at step {self.step}: give it more than {steps}")
        self.total = steps
        self.save()

    def end(self):
        """Mark the stage as trained, with its parameters as they are."""
        self.step = self.total = self.settings.steps
        self.save()

    def save(self):
        """Write the whole state, atomically."""
        save_step(self.checkpoints, self.step, {name: to_host(array) for name, array in self._arrays().items()},
                  {"step": self.step, "total": self.total, "shapes": self._shapes(),
                   "optimizer": self.settings.optimizer})

    def _arrays(self):
        return {"value": self.flat.value, "average": self.average} | self.optimizer.state()

    def _shapes(self):
        return [list(parameter.value.shape) for parameter in self.flat.parameters]

    def resume(self) -> bool:
        """Continue from the newest checkpoint that is whole, if there is one."""
        found = latest(self.checkpoints)
        if found is None:
            return False
        path, arrays, state = found
        own = self._arrays()
        begun = state.get("optimizer", self.settings.optimizer)  # checkpoints of older versions don't name it
        if begun != self.settings.optimizer:
            raise UserError(f"{path} was trained with the optimizer {begun}, the settings say "
                            f"{self.settings.optimizer}: set it back to {begun}, or start another run")
        if state.get("shapes") != self._shapes() or arrays.keys() != own.keys():
            raise UserError(f"{path} holds other arrays than this stage has, or in another order: it was written with "
                            f"other settings, or by another version")
        xp = array_module(self.flat.value)
        for name, array in own.items():
            array[...] = xp.asarray(arrays[name])
        self.step, self.total = state["step"], state["total"]
        return True

    @contextmanager
    def averaged(self):
        """Inside, the models have the moving average of their parameters: what is evaluated and shipped."""
        own = self.flat.value.copy()
        self.flat.value[...] = self.average
        try:
            yield
        finally:
            self.flat.value[...] = own
