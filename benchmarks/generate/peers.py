"""Prompt to image by diffusers' pipeline, here and in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator

from diffusers import StableDiffusionPipeline

from ..steps.peers import LAYOUTS, set_precision, to_torch

PROCESS = """
import sys, warnings
warnings.simplefilter("ignore")
import torch
from diffusers import StableDiffusionPipeline
threads, folder, prompt, steps, guidance, file = sys.argv[1:]
torch.set_num_threads(int(threads))
pipe = StableDiffusionPipeline.from_pretrained(folder)
pipe.set_progress_bar_config(disable=True)
pipe(prompt, num_inference_steps=int(steps), guidance_scale=float(guidance)).images[0].save(file)
"""


def pipelines(folder) -> Iterator[tuple[str, StableDiffusionPipeline]]:
    """(runtime, pipeline) for each memory layout of the networks' images."""
    for layout in LAYOUTS:
        yield "PyTorch" + layout, opened(folder, layout)


def opened(folder, layout: str) -> StableDiffusionPipeline:
    set_precision("float32")
    pipe = StableDiffusionPipeline.from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    pipe.unet.to(memory_format=LAYOUTS[layout])
    pipe.vae.to(memory_format=LAYOUTS[layout])
    return pipe


def image_from(pipe, prompt, noise, options):
    """The image in [-1, 1], channels last, that starts from `noise` (N, H, W, C)."""
    latents = to_torch(noise, LAYOUTS[""], pipe.device)
    return 2 * pipe(prompt, latents=latents, output_type="np", **options).images - 1
