"""Images a second, 20 steps each with guidance, by how many are drawn at once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from minidiff.pipeline import Pipeline

from ..generate.benchmark import PROMPT, difference, random_pipeline
from ..measure.packages import PEERS, missing
from ..measure.rows import RUNTIMES, left_out, row
from ..measure.timing import interleaved
from .job import Job, Setup, in_a_line

BATCHES = (1, 4, 16, 64)
STEPS = 20


def jobs(setup: Setup) -> Iterator[Job]:
    yield Job(f"{STEPS} steps", 40, lambda: images(setup))


def images(setup: Setup) -> Iterator[dict]:
    """Of the small model with random weights; its images cost as much as a trained one's."""
    own, their = RUNTIMES[setup.device]
    absent, steps = missing(setup.device, *PEERS), 2 if setup.quick else STEPS
    options = {"num_inference_steps": steps, "guidance_scale": 3.0}
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        random_pipeline(setup.small).save_pretrained(model, dtype="float32")
        runs, errors = {own: Pipeline.from_pretrained(model, setup.device)}, {}
        if not absent:
            from ..generate.peers import pipelines

            name = f"{their} NHWC"
            try:
                pipe = dict(pipelines(model))["PyTorch NHWC"].to(setup.device)
                errors[name] = difference(name, runs[own], pipe, options)
                runs[name] = pipe
            except Exception as error:  # whatever ails diffusers must not cost our times
                absent = in_a_line(error)
        for count in BATCHES[:2] if setup.quick else BATCHES:
            calls = {name: partial(pipe, PROMPT, num_images_per_prompt=count, **options) for name, pipe in runs.items()}
            times = interleaved(calls, setup.rounds, setup.pause)
            yield row("images", f"{setup.small}: {count} at once, {steps} steps", times, batch=count) | {
                "images a second": {name: count / time.median for name, time in times.items()},
                "largest error": errors}
    if absent:
        yield left_out("images", their, absent)
