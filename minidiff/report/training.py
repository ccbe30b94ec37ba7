"""Sample images during a training run, and its report.md at the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ..data.batches import evaluation_scenes
from ..data.images import to_pillow
from ..data.source import Batch, Source
from ..errors import UserError
from ..evaluation import reconstruct
from ..models.autoencoder import AutoencoderKL
from ..pipeline import Pipeline
from ..storage.files import new_file
from .images import grid
from .plots import loss_curves, plot_losses, plot_scores, read_metrics

COLUMNS = 4


def samples(pipe: Pipeline, source: Source) -> Image.Image:
    """A grid of what a model draws for eight captions, always the same ones.

    Four captions of scenes were seen in training and four are held out. Those of a person's images are held out, and
    what is drawn for them stands beside the true images.
    """
    if source.name == "scenes":
        captions = [scene.caption for split in ("seen", "held_out") for scene in evaluation_scenes(COLUMNS, split)]
        return grid(pipe(captions), captions, columns=COLUMNS)
    true = examples(source, 2 * COLUMNS)
    pairs = zip(to_pillow(true.images), pipe(true.captions), strict=True)
    return grid([image for pair in pairs for image in pair],
                [text for caption in true.captions for text in (caption, "drawn")], columns=COLUMNS)


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


def write_report(folder: Path, scores: dict | None = None) -> Path:
    """Write report.md into the folder of a run: the losses of each stage, the model's scores, its last samples.

    `scores` are those of `evaluate`, for a model that draws scenes.
    """
    records = read_metrics(folder / "metrics.jsonl")
    try:
        plot_losses(records, folder / "losses.png")
        plots = ["![losses](losses.png)"]
        if scores:
            plot_scores(scores, folder / "scores.png")
            plots += ["", "![scores](scores.png)"]
    except UserError as error:
        plots = [f"({error})"]
    scored = [*score_table(scores), ""] if scores else []
    text = ["# What this run learned", "", *stage_table(records), "", *scored, *plots, ""]
    for name in ("autoencoder", "diffusion"):
        drawn = sorted((folder / "samples").glob(f"{name}-*.png"))
        text += [f"![{name}](samples/{drawn[-1].name})", ""] if drawn else []
    text += [f"All settings are in settings.json, all losses in metrics.jsonl"
             f"{', all scores in scores.json' if scores else ''}."]
    with new_file(folder / "report.md") as path:
        path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return folder / "report.md"


def stage_table(records: list[dict]) -> list[str]:
    """A table with one row per stage."""
    lines = ["| stage | steps | images per second | first loss | last loss |", "|---|---|---|---|---|"]
    for stage, losses in loss_curves(records).items():
        steps, own = sorted(losses["loss"]), [record for record in records if record["stage"] == stage]
        speed = sorted(record["samples_per_second"] for record in own)[len(own) // 2]
        lines.append(f"| {stage} | {steps[-1]} | {speed:.0f} | {losses['loss'][steps[0]]:.4f} "
                     f"| {losses['loss'][steps[-1]]:.4f} |")
    return lines


def score_table(scores: dict) -> list[str]:
    """A table of the scores, and the upper limit that the autoencoder sets."""
    def cell(value):
        return "-" if value is None else f"{value:.2f}"

    lines = ["| prompts drawn right | seen | held-out |", "|---|---|---|",
             f"| **all** | **{cell(scores['seen'])}** | **{cell(scores['held_out'])}** |"]
    for group in ("by_kind", "by_attribute"):
        seen, held_out = scores[group]["seen"], scores[group]["held_out"]
        lines += [f"| {name} | {cell(seen.get(name))} | {cell(held_out.get(name))} |" for name in seen | held_out]
    return [*lines, "", f"The judge reads {cell(scores['judge']['reconstruction'])} of the autoencoder's "
            f"reconstructions correctly (PSNR {scores['psnr']} dB). The contrastive model picks a matching image out "
            f"of 64 for {cell(scores['retrieval'])} of the captions, and prefers the true caption over one with the "
            f"two objects exchanged for {cell(scores['word_order'])} of the images."]
