"""The tables of report.md: the losses of each stage, and the scores of the model."""

from __future__ import annotations

from .plots import loss_curves


def stage_table(records: list[dict]) -> list[str]:
    """A table with one row per stage; the held-out loss is the last one of images that were never trained on."""
    lines = ["| stage | steps | images per second | first loss | last loss | held-out |", "|---|---|---|---|---|---|"]
    for stage, losses in loss_curves(records).items():
        steps, own = sorted(losses["loss"]), [record for record in records if record["stage"] == stage]
        speed = sorted(record["samples_per_second"] for record in own)[len(own) // 2]
        held_out = losses.get("held_out")
        last = f"{held_out[max(held_out)]:.4f}" if held_out else "-"
        lines.append(f"| {stage} | {steps[-1]} | {speed:.0f} | {losses['loss'][steps[0]]:.4f} "
                     f"| {losses['loss'][steps[-1]]:.4f} | {last} |")
    return lines


def score_table(scores: dict | None) -> list[str]:
    """A table of the scores, of whichever kind they are."""
    if scores is None:
        return ["There are no scores: too few held-out images, or --no-samples."]
    if "named" in scores:
        return emoji_table(scores)
    return judge_table(scores) if "by_kind" in scores else image_table(scores)


def judge_table(scores: dict) -> list[str]:
    """A table of what the judge saw, and the upper limit that the autoencoder sets."""
    def cell(value):
        return "-" if value is None else f"{value:.2f}"

    lines = ["| prompts drawn right | seen | held-out |", "|---|---|---|",
             f"| **all** | **{cell(scores['seen'])}** | **{cell(scores['held_out'])}** |"]
    for group in ("by_kind", "by_attribute"):
        seen, held_out = scores[group]["seen"], scores[group]["held_out"]
        lines += [f"| {name} | {cell(seen.get(name))} | {cell(held_out.get(name))} |" for name in seen | held_out]
    text = (f"The judge reads {cell(scores['judge']['reconstruction'])} of the autoencoder's reconstructions correctly "
            f"(PSNR {scores['psnr']} dB).")
    if scores["retrieval"] is not None:
        text += (f" The contrastive model picks a matching image out of 64 for {cell(scores['retrieval'])} of the "
                 f"captions, and prefers the true caption over one with the two objects exchanged for "
                 f"{cell(scores['word_order'])} of the images.")
    return [*lines, "", text]


def emoji_table(scores: dict) -> list[str]:
    """A table of the names and scenes drawn right, and the upper limits that the judge and the autoencoder set."""
    true, rebuilt = scores["judge"]["truth"], scores["judge"]["reconstruction"]
    rows = [(f"{scores['named']['count']} names", scores["named"]["all"], "named"),
            *((title, scores["named"][name], None) for title, name in (
                ("without a skin tone", "plain"), ("with a skin tone", "skin_tones")) if name in scores["named"])]
    if scores["composed"]["count"]:
        rows.append((f"{scores['composed']['count']} held-out skin tones", scores["composed"]["all"], "composed"))
    for kind, rate in scores["words"].items():
        rows += [(f"{kind}, words {title}", rate[split], f"{kind} {split}")
                 for title, split in (("seen together", "seen"), ("held out", "held_out"))]
    lines = ["| drawn right | model | autoencoder | true images |", "|---|---|---|---|"]
    for title, rate, name in rows:
        limits = [f"{limit[name]:.3f}" if name in limit else "" for limit in (rebuilt, true)]
        lines.append(f"| {title} | {'-' if rate is None else f'{rate:.3f}'} | {limits[0]} | {limits[1]} |")
    return [*lines, "", f"The autoencoder's reconstructions have a PSNR of {scores['psnr']} dB."]


def image_table(scores: dict) -> list[str]:
    """A table of the scores of a model whose images are compared with true ones, and how to read it."""
    copies, recall = scores["copies"], scores["recall"]
    lines = [f"| {scores['images']} held-out captions | drawn | true images |", "|---|---|---|"]
    for name, title in (("frechet", "Fréchet distance to their true images"),
                        ("kernel", "kernel distance to their true images")):
        if one := scores[name]:
            lines.append(f"| {title} | {one['distance']:.3g} ± {one['error']:.2g} "
                         f"| {one['of_training']:.3g} ± {one['of_training_error']:.2g} (training images) |")
    if recall:
        lines.append(f"| caption finds its image among {recall['among']} "
                     f"| {recall['drawn']:.2f} | {recall['true']:.2f} |")
    lines += [f"| nearer than {copies['threshold']:.3g} to a training image | {copies['copied']:.2f} "
              f"| {copies['by_chance']:.2f} |",
              f"| median distance to the nearest training image | {copies['drawn_median']:.3g} "
              f"| {copies['true_median']:.3g} |"]
    beyond_chance = copies["copied"] > copies["by_chance"] + 3 * copies["by_chance_error"]
    verdict = "The model copies training images" if beyond_chance else "No sign that the model copies training images"
    return [*lines, "", f"{verdict}: {copies['copied']:.0%} of what it draws, and {copies['by_chance']:.0%} of true "
            f"images that were never trained on, are nearer than the threshold to one of {copies['training_images']}. "
            f"The autoencoder's reconstructions have a PSNR of {scores['psnr']} dB. " +
            (f"Distances are those of {scores['features']}." if scores["features"] else
             "The model has no image encoder, so its images are compared by their pixels alone.")]
