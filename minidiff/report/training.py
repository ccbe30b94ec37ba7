"""Sample images during a training run, and its report.md at the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ..data.batches import as_batch, evaluation_scenes
from ..data.images import to_pillow
from ..data.source import Batch, Source
from ..errors import UserError
from ..evaluation import reconstruct
from ..models.autoencoder import AutoencoderKL
from ..nn.lora import lora_layers, without_factors
from ..pipeline import Pipeline
from ..writing import new_file
from .images import grid
from .plots import plot_losses, plot_scores, read_metrics
from .tables import score_table, stage_table

COLUMNS = 4


def samples(pipe: Pipeline, source: Source) -> Image.Image:
    """A grid of what a model draws for eight captions, always the same ones.

    Four captions of scenes were seen in training and four are held out. Those of a person's images are held out, and
    what is drawn for them stands beside the true images. A model with factors also draws without them.
    """
    scenes, adapted = source.name == "scenes", bool(lora_layers(pipe.unet))
    asked = (as_batch([scene for split in ("seen", "held_out") for scene in evaluation_scenes(COLUMNS, split)],
                      source.size) if scenes else examples(source, 2 * COLUMNS))
    if scenes and not adapted:
        return grid(pipe(asked.captions), asked.captions, columns=COLUMNS)
    shown = {"true": to_pillow(asked.images)}
    if adapted:
        with without_factors(pipe.unet):
            shown["without the LoRA"] = pipe(asked.captions)
    shown["drawn"] = pipe(asked.captions)
    return grid([image for group in zip(*shown.values(), strict=True) for image in group],
                [text for caption in asked.captions for text in (caption, *list(shown)[1:])],
                columns=COLUMNS // 2 * len(shown))


def reconstructions(vae: AutoencoderKL, source: Source) -> Image.Image:
    """A grid of true images above their reconstructions by the autoencoder."""
    true = to_pillow(examples(source, COLUMNS).images)
    rebuilt = reconstruct(vae, np.stack([np.asarray(image) for image in true]))
    return grid([*true, *map(Image.fromarray, rebuilt)], ["true"] * len(true) + ["reconstructed"] * len(true),
                columns=len(true))


def examples(source: Source, count: int) -> Batch:
    """Up to `count` held-out images with their captions; of a source that holds out none, images of its training."""
    held_out = source.held_out(count)
    return held_out if held_out.captions else source.latent_batch(0, count)


def write_report(folder: Path, scores: dict | None) -> Path:
    """Write report.md into the folder of a run: the losses of each stage, the model's scores, its last samples.

    `scores` are those of `evaluate` or of `evaluate_images`; None if there are too few held-out images for any.
    """
    records = read_metrics(folder / "metrics.jsonl")
    try:
        plot_losses(records, folder / "losses.png")
        plots = ["![losses](losses.png)"]
        if scores and "by_kind" in scores:
            plot_scores(scores, folder / "scores.png")
            plots += ["", "![scores](scores.png)"]
    except UserError as error:
        plots = [f"({error})"]
    text = ["# What this run learned", "", *stage_table(records), "", *score_table(scores), "", *plots, ""]
    for name in ("autoencoder", "diffusion", "lora"):
        drawn = sorted((folder / "samples").glob(f"{name}-*.png"))
        text += [f"![{name}](samples/{drawn[-1].name})", ""] if drawn else []
    text += ["All settings are in settings.json, all losses in metrics.jsonl" +
             (", all scores in scores.json." if scores else ".")]
    with new_file(folder / "report.md") as path:
        path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return folder / "report.md"
