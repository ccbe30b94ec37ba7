"""The scores of a finished run, of the kind that its source has: by a judge, or by comparison with held-out images."""

from __future__ import annotations

from .options import drawing, judging


def score(run, count: int) -> tuple[dict | None, str]:
    """The scores of what a run learned, also written to scores.json, and half a sentence that says what they mean.

    `count` prompts are drawn, of scenes and emoji as many of each kind. The scores are None where too few images are
    held out.
    """
    from ..evaluation import LEAST
    from ..pipeline import Pipeline
    from ..storage.pipeline_folder import find_clip
    from ..writing import new_file, write_json

    if run.source.kind == "images" and len(run.source.held_out(LEAST).captions) < LEAST:
        return None, "is trained"
    pipe = Pipeline.from_pretrained(run.model_folder, run.device)
    clip = find_clip(run.model_folder, device=run.device)
    if run.lora_file:
        pipe.load_lora(run.lora_file)
    scores, learned = SCORES[run.source.kind](pipe, clip, run.source, count)
    with new_file(run.folder / "scores.json") as path:
        write_json(path, scores)
    return scores, learned


def of_scenes(pipe, clip, source, count):
    from ..evaluation import evaluate

    scores = evaluate(pipe, clip, count, judging)
    return scores, (f"draws {scores['seen']:.2f} of seen and {scores['held_out']:.2f} of held-out prompts right "
                    f"({count} each)")


def of_emoji(pipe, clip, source, count):
    from ..evaluation import evaluate_emoji

    scores = evaluate_emoji(pipe, clip, source, count, judging)
    named, composed = scores["named"], scores["composed"]
    words = ", ".join(f"{rate['held_out']:.2f} {kind}" for kind, rate in scores["words"].items()
                      if rate["held_out"] is not None)
    return scores, (f"draws {named['all']:.2f} of {named['count']} names" +
                    (f" and {composed['all']:.2f} of held-out skin tones" if composed["count"] else "") + " right" +
                    (f"; of scenes with held-out words {words}" if words else ""))


def of_images(pipe, clip, source, count):
    from ..evaluation import evaluate_images

    scores = evaluate_images(pipe, clip, source, source, count, drawing)
    copies, recall = scores["copies"], scores["recall"]
    found = (f"{recall['drawn']:.2f} of them find their image among {recall['among']}, and " if recall else
             "without a contrastive stage no image encoder can say whether they are right; ")
    return scores, (f"drew {scores['images']} held-out captions: {found}{copies['copied']:.2f} of the images are close "
                    f"to training images ({copies['by_chance']:.2f} by chance)")


SCORES = {"scenes": of_scenes, "emoji": of_emoji, "images": of_images}
