"""The image, where it came from, and what the judge reads in it."""

from __future__ import annotations

from PIL import Image

from ..data.judge import read, verdict
from ..pipeline import Pipeline
from .images import data_uri
from .run import Run

SOURCES = (Pipeline.stream, read, verdict)


def view(run: Run) -> dict:
    parts = {"text encoder": run.pipe.text_encoder, "UNet": run.pipe.unet, "autoencoder": run.pipe.vae}
    count = {name: sum(p.value.size for p in part.parameters()) for name, part in parts.items()}
    return {
        "prompt": run.prompt, "negative": run.options.get("negative_prompt"), "seed": run.seed,
        "model": run.about.model, "steps": len(run.steps), "guidance": run.scale, "sampler": run.scheduler.sampler,
        "command": run.about.command, "parameters": count,
        "size": list(run.image.shape[:2]), "latents": list(run.noise.shape), "tokens": run.tokens,
        "image": data_uri(Image.fromarray(run.image)), "judge": judged(run),
    }


def judged(run: Run) -> dict | None:
    """What the judge reads, and its verdict on each attribute; None if no scene is asked for."""
    if run.scene is None:
        return None
    seen = read(run.image)
    objects = [{"text": f"{one.colour} {one.shape or 'thing of no known shape'}", "size": one.size,
                "box": [round(edge / 64, 4) for edge in one.box]} for one in seen.objects]
    return {"background": seen.background, "objects": objects, "checks": verdict(seen, run.scene)}
