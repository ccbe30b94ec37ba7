"""Sample images during a training run, and its report.md at the end."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from ..data.batches import evaluation_scenes
from ..data.scenes import images_of
from ..errors import UserError
from ..evaluation import reconstruct
from ..models.autoencoder import AutoencoderKL
from ..pipeline import Pipeline
from ..storage.files import new_file
from .images import grid
from .plots import plot_losses, plot_scores, read_metrics
from .tables import score_table, stage_table

COLUMNS = 4


def samples(pipe: Pipeline) -> Image.Image:
    """A grid of what a model draws for four seen and four held-out captions, always the same ones."""
    captions = [scene.caption for split in ("seen", "held_out") for scene in evaluation_scenes(COLUMNS, split)]
    return grid(pipe(captions), captions, columns=COLUMNS)


def reconstructions(vae: AutoencoderKL) -> Image.Image:
    """A grid of true images above their reconstructions by the autoencoder."""
    true = images_of(evaluation_scenes(COLUMNS), vae.config.sample_size)
    shown = [Image.fromarray(image) for image in (*true, *reconstruct(vae, true))]
    return grid(shown, ["true"] * COLUMNS + ["reconstructed"] * COLUMNS, columns=COLUMNS)


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
    for name in ("autoencoder", "diffusion"):
        drawn = sorted((folder / "samples").glob(f"{name}-*.png"))
        text += [f"![{name}](samples/{drawn[-1].name})", ""] if drawn else []
    text += ["All settings are in settings.json, all losses in metrics.jsonl" +
             (", all scores in scores.json." if scores else ".")]
    with new_file(folder / "report.md") as path:
        path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return folder / "report.md"
