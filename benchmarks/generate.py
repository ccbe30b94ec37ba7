"""Prompt to image: a process started, a model opened, an image written; and again where all is loaded already."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from minidiff.diffusion.scheduler import Scheduler
from minidiff.diffusion.scheduler_config import to_config
from minidiff.nn.threads import cores
from minidiff.pipeline import Pipeline
from minidiff.storage.pipeline_folder import find_model, shipped_models
from minidiff.training.diffusion import schedule_of

from .checks import check
from .rows import row
from .stages import stages
from .step_sizes import SIZES
from .threads import limited
from .timing import interleaved

PROMPT = "a red heart above a blue square"
TOLERANCE = 1e-3
THEIR_PROCESS = """
import sys, warnings
warnings.simplefilter("ignore")
from diffusers import StableDiffusionPipeline
folder, prompt, steps, guidance, file = sys.argv[1:]
pipe = StableDiffusionPipeline.from_pretrained(folder)
pipe.set_progress_bar_config(disable=True)
pipe(prompt, num_inference_steps=int(steps), guidance_scale=float(guidance)).images[0].save(file)
"""


def measure(model: str | None = None, size: str = "small", steps: int = 20, guidance: float = 3.0, rounds: int = 5,
            pause: float = 0.1, threads: int | None = None) -> Iterator[dict]:
    """`model` is a folder or a shipped one; by default the shipped one, or random weights of `size` without one."""
    with tempfile.TemporaryDirectory() as folder, limited(threads or cores()):
        if model is None and not shipped_models():
            random_pipeline(size).save_pretrained(Path(folder) / "model", dtype="float32")
            model = str(Path(folder) / "model")
        opened = find_model(model or next(iter(shipped_models())))
        detail = f"{opened.name}, {steps} steps"
        options = {"num_inference_steps": steps, "guidance_scale": guidance}
        runs, errors = warm_runs(opened, options)
        yield row("prompt to image, warm", detail, interleaved(runs, rounds, pause)) | {"largest error": errors}
        yield row("prompt to image, from the shell", detail,
                  interleaved(cold_runs(opened, options, Path(folder)), rounds, pause))


def warm_runs(folder, options):
    """Both from one folder; the same starting noise must give the same image."""
    ours = Pipeline.from_pretrained(folder, "cpu")
    runs, errors = {"NumPy": lambda: ours(PROMPT, **options)}, {}
    if find_spec("diffusers") is not None:
        from diffusers import StableDiffusionPipeline

        from .stages_torch import LAYOUTS, to_torch

        side, channels = ours.unet.config.sample_size, ours.unet.config.in_channels
        noise = np.random.default_rng(0).standard_normal((1, side, side, channels), "float32")
        image = [moment.value for moment in ours.stream(PROMPT, latents=noise, **options)][-1]
        for layout, format in LAYOUTS.items():
            theirs = StableDiffusionPipeline.from_pretrained(folder)
            theirs.set_progress_bar_config(disable=True)
            theirs.unet.to(memory_format=format)
            theirs.vae.to(memory_format=format)
            expected = theirs(PROMPT, latents=to_torch(noise, format), output_type="np", **options).images
            name = "PyTorch" + layout
            errors[name] = check(f"image of {name}", image, 2 * expected - 1, TOLERANCE)
            runs[name] = lambda theirs=theirs: theirs(PROMPT, **options)
    return runs, errors


def cold_runs(folder, options, target):
    def process(*words):
        return lambda: subprocess.run([sys.executable, *map(str, words)], check=True, capture_output=True)

    steps, guidance = options["num_inference_steps"], options["guidance_scale"]
    runs = {"NumPy": process("-m", "minidiff", "generate", PROMPT, "--model", folder, "--steps", steps, "--guidance",
                             guidance, "--device", "cpu", "-o", target / "ours.png")}
    if find_spec("diffusers") is not None:
        runs["PyTorch"] = process("-c", THEIR_PROCESS, folder, PROMPT, steps, guidance, target / "theirs.png")
    return runs


def random_pipeline(size: str) -> Pipeline:
    """A whole model that was not trained: it takes as long as one that was."""
    autoencoder, contrastive, diffusion = stages(SIZES[size], "cpu")
    scheduler = Scheduler("dpm++", schedule_of(diffusion.settings), diffusion.settings.diffusion.prediction)
    return Pipeline(contrastive.tokenizer, diffusion.text_encoder, diffusion.unet, autoencoder.model,
                    to_config(scheduler))
