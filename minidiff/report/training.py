"""A training run to look at: images while it learns, and report.md when it is done."""

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
from .plots import loss_curves, plot_losses, plot_scores, read_metrics

EACH = 4


def samples(pipe: Pipeline) -> Image.Image:
    """What a model draws for four captions of seen and four of held-out compositions, the same ones each time."""
    captions = [scene.caption for split in ("seen", "held_out") for scene in evaluation_scenes(EACH, split)]
    return grid(pipe(captions), captions, columns=EACH)


def reconstructions(vae: AutoencoderKL) -> Image.Image:
    """True images above what the autoencoder makes of them."""
    true = images_of(evaluation_scenes(EACH), vae.config.sample_size)
    shown = [Image.fromarray(image) for image in (*true, *reconstruct(vae, true))]
    return grid(shown, ["true"] * EACH + ["through the autoencoder"] * EACH, columns=EACH)


def write_report(folder: Path, scores: dict) -> Path:
    """report.md in the folder of a run: what each stage learned, how the model is judged, its last images."""
    records = read_metrics(folder / "metrics.jsonl")
    try:
        plot_losses(records, folder / "losses.png")
        plot_scores(scores, folder / "scores.png")
        plots = ["![losses](losses.png)", "", "![scores](scores.png)"]
    except UserError as error:
        plots = [f"({error})"]
    text = ["# What this run learned", "", *stages(records), "", *judged(scores), "", *plots, ""]
    for name in ("autoencoder", "diffusion"):
        drawn = sorted((folder / "samples").glob(f"{name}-*.png"))
        text += [f"![{name}](samples/{drawn[-1].name})", ""] if drawn else []
    text += ["All settings are in settings.json, all losses in metrics.jsonl, all scores in scores.json."]
    with new_file(folder / "report.md") as path:
        path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return folder / "report.md"


def stages(records: list[dict]) -> list[str]:
    """A table with one line a stage."""
    lines = ["| stage | steps | images a second | loss at first | loss at last |", "|---|---|---|---|---|"]
    for stage, losses in loss_curves(records).items():
        steps, own = sorted(losses["loss"]), [record for record in records if record["stage"] == stage]
        speed = sorted(record["samples_per_second"] for record in own)[len(own) // 2]
        lines.append(f"| {stage} | {steps[-1]} | {speed:.0f} | {losses['loss'][steps[0]]:.4f} "
                     f"| {losses['loss'][steps[-1]]:.4f} |")
    return lines


def judged(scores: dict) -> list[str]:
    """A table of what the judge found, and the ceiling that the autoencoder sets."""
    def cell(value):
        return "-" if value is None else f"{value:.2f}"

    lines = ["| prompts drawn right | seen | held-out |", "|---|---|---|",
             f"| **all** | **{cell(scores['seen'])}** | **{cell(scores['held_out'])}** |"]
    for group in ("by_kind", "by_attribute"):
        seen, held_out = scores[group]["seen"], scores[group]["held_out"]
        lines += [f"| {name} | {cell(seen.get(name))} | {cell(held_out.get(name))} |" for name in seen | held_out]
    return [*lines, "", f"The autoencoder's reconstructions are judged right {cell(scores['judge']['reconstruction'])} "
            f"of the time (PSNR {scores['psnr']} dB). A caption finds its image among 64 "
            f"{cell(scores['retrieval'])} of the time, and fits it better than with its two objects exchanged "
            f"{cell(scores['word_order'])}."]
