"""Prompt to image: from starting a process to a written image, and again with everything loaded already."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from minidiff.backend import to_host
from minidiff.cli.options import SHIPPED
from minidiff.diffusion.scheduler import Scheduler
from minidiff.diffusion.scheduler_config import to_config
from minidiff.nn.threads import cores
from minidiff.pipeline import Pipeline
from minidiff.storage.pipeline_folder import find_model, shipped_models
from minidiff.training.diffusion import schedule_of

from ..measure.checks import check
from ..measure.packages import PEERS, installed
from ..measure.rows import row
from ..measure.threads import limited
from ..measure.timing import interleaved
from ..steps.sizes import SIZES
from ..steps.stages import stages

PROCESS = """
import sys
from minidiff.cli import main
from minidiff.nn.threads import at_most
with at_most(int(sys.argv[1])):
    sys.exit(main(sys.argv[2:]))
"""
PROMPT = "a red heart above a blue square"
TOLERANCE = 1e-3


def measure(model: str | None = None, size: str = "small", steps: int = 20, guidance: float = 3.0, rounds: int = 5,
            pause: float = 0.1, threads: int | None = None) -> Iterator[dict]:
    """`model` is a folder or a shipped one; by default that of the scenes, or random weights of `size` without it."""
    threads = threads or cores()
    with tempfile.TemporaryDirectory() as folder, limited(threads):
        if model is None and SHIPPED not in shipped_models():
            random_pipeline(size).save_pretrained(Path(folder) / "model", dtype="float32")
            model = str(Path(folder) / "model")
        opened = find_model(model or SHIPPED)
        detail = f"{opened.name}, {steps} steps"
        options = {"num_inference_steps": steps, "guidance_scale": guidance}
        runs, errors = warm_runs(opened, options)
        yield row("prompt to image, warm", detail, interleaved(runs, rounds, pause)) | {"largest error": errors}
        yield row("prompt to image, from the shell", detail,
                  interleaved(cold_runs(opened, options, Path(folder), threads), rounds, pause))


def warm_runs(folder, options):
    """All open the same folder; the same starting noise must give the same image."""
    ours = Pipeline.from_pretrained(folder, "cpu")
    runs, errors = {"NumPy": lambda: ours(PROMPT, **options)}, {}
    if installed(*PEERS):
        from .peers import pipelines

        for name, theirs in pipelines(folder):
            errors[name] = difference(name, ours, theirs, options)
            runs[name] = lambda theirs=theirs: theirs(PROMPT, **options)
    return runs, errors


def difference(name, ours, theirs, options) -> float:
    """Of the images that two pipelines make of the same noise."""
    from .peers import image_from

    side, channels = ours.unet.config.sample_size, ours.unet.config.in_channels
    noise = np.random.default_rng(0).standard_normal((1, side, side, channels), "float32")
    *_, last = ours.stream(PROMPT, latents=noise, **options)
    return check(f"image of {name}", to_host(last.value), image_from(theirs, PROMPT, noise, options), TOLERANCE)


def cold_runs(folder, options, target, threads):
    def process(*words):
        return lambda: subprocess.run([sys.executable, "-c", *map(str, words)], check=True, capture_output=True)

    steps, guidance = options["num_inference_steps"], options["guidance_scale"]
    runs = {"NumPy": process(PROCESS, threads, "generate", PROMPT, "--model", folder, "--steps", steps, "--guidance",
                             guidance, "--device", "cpu", "-o", target / "ours.png")}
    if installed(*PEERS):
        from . import peers

        runs["PyTorch"] = process(peers.PROCESS, threads, folder, PROMPT, steps, guidance, target / "theirs.png")
    return runs


def random_pipeline(size: str) -> Pipeline:
    """A whole model with random weights: it takes as long as one that was trained."""
    autoencoder, contrastive, diffusion = stages(SIZES[size], "cpu")
    scheduler = Scheduler("dpm++", schedule_of(diffusion.settings), diffusion.settings.diffusion.prediction)
    return Pipeline(contrastive.tokenizer, diffusion.text_encoder, diffusion.unet, autoencoder.model,
                    to_config(scheduler))
