"""The scores of a finished run: the judge's for scenes; for other images, how they compare with the held-out ones."""

from __future__ import annotations

from .options import drawing, judging


def score(run, count: int) -> tuple[dict | None, str]:
    """The scores of what a run learned, also written to scores.json, and half a sentence that says what they mean.

    `count` prompts are drawn, of scenes as many of each split. The scores are None where too few images are held out.
    """
    from ..data.scene_source import SceneSource
    from ..evaluation import LEAST, evaluate, evaluate_images
    from ..pipeline import Pipeline
    from ..storage.files import new_file, write_json
    from ..storage.pipeline_folder import find_clip

    is_judged = isinstance(run.source, SceneSource)
    if not is_judged and len(run.source.held_out(LEAST).captions) < LEAST:
        return None, "is trained"
    pipe = Pipeline.from_pretrained(run.model_folder, run.device)
    clip = find_clip(run.model_folder, device=run.device)
    if run.lora_file:
        pipe.load_lora(run.lora_file)
    if is_judged:
        scores = evaluate(pipe, clip, count, judging)
        learned = (f"draws {scores['seen']:.2f} of seen and {scores['held_out']:.2f} of held-out prompts right "
                   f"({count} each)")
    else:
        scores = evaluate_images(pipe, clip, run.source, count, drawing)
        copies, recall = scores["copies"], scores["recall"]
        found = (f"{recall['drawn']:.2f} of them find their image among {recall['among']}, and " if recall else
                 "without a contrastive stage no image encoder can say whether they are right; ")
        learned = (f"drew {scores['images']} held-out captions: {found}{copies['copied']:.2f} of the images are close "
                   f"to training images ({copies['by_chance']:.2f} by chance)")
    with new_file(run.folder / "scores.json") as path:
        write_json(path, scores)
    return scores, learned
