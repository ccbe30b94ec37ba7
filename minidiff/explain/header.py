"""The image, where it came from, and what the judge reads in it."""

from __future__ import annotations

import shlex

from PIL import Image

from ..data.judge import read, verdict
from ..data.scene_captions import parse_caption
from ..pipeline import Pipeline
from .images import data_uri
from .run import Run

SOURCES = (Pipeline.stream, read, verdict)


def view(run: Run) -> dict:
    parts = {"text encoder": run.pipe.text_encoder, "UNet": run.pipe.unet, "autoencoder": run.pipe.vae}
    count = {name: sum(p.value.size for p in part.parameters()) for name, part in parts.items()}
    return {
        "prompt": run.prompt, "seed": run.seed, "model": run.model, "steps": len(run.steps), "guidance": run.scale,
        "sampler": run.scheduler.sampler, "command": command(run), "parameters": count,
        "size": list(run.image.shape[:2]), "latents": list(run.noise.shape), "tokens": run.tokens,
        "image": data_uri(Image.fromarray(run.image)), "judge": judged(run),
    }


def command(run: Run) -> str:
    return f"minidiff explain {shlex.quote(run.prompt)} --model {shlex.quote(run.model)} --seed {run.seed}"


def judged(run: Run) -> dict | None:
    """What the judge reads, and its verdict on each attribute; None if the prompt is no caption of a scene."""
    scene = parse_caption(run.prompt)
    height, width, _ = run.image.shape
    if scene is None or height != width:
        return None
    seen = read(run.image)
    objects = [{"text": f"{one.colour} {one.shape or 'thing of no known shape'}", "size": one.size,
                "box": [round(edge / 64, 4) for edge in one.box]} for one in seen.objects]
    return {"background": seen.background, "objects": objects, "checks": verdict(seen, scene)}
