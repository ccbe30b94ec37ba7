"""minidiff evaluate: the scores of a model."""

from __future__ import annotations

import json
from pathlib import Path

from .options import add_device, check_image_name, judging, say, whole_number


def add_to(commands) -> None:
    parser = commands.add_parser("evaluate", help="score a model", description="Draw images from prompts that "
                                 "were never trained on, and let the judge score them.")
    parser.add_argument("model", help="the name of a shipped model, or a folder")
    parser.add_argument("--json", action="store_true", help="print all scores as JSON")
    parser.add_argument("--count", type=whole_number(1), default=400, help="prompts per split (default: 400)")
    parser.add_argument("--failures", type=Path, metavar="FILE",
                        help="write a contact sheet of the wrong images, each with what the judge saw")
    add_device(parser)
    parser.set_defaults(run=run)


def run(args) -> None:
    from ..backend import resolve_device
    from ..evaluation import evaluate
    from ..pipeline import Pipeline
    from ..report.failures import failures
    from ..storage.pipeline_folder import find_model, load_clip

    if args.failures:
        check_image_name(args.failures)
    device = resolve_device(args.device)
    pipe = Pipeline.from_pretrained(args.model, device)
    clip = load_clip(args.model, device=device) if (find_model(args.model) / "clip").is_dir() else None
    wrong = []

    def keep_wrong(found, total):
        for one in judging(found, total):
            if not one.right:
                wrong.append(one)
            yield one

    scores = evaluate(pipe, clip, args.count, keep_wrong)
    print(json.dumps(scores, indent=2) if args.json else "\n".join(as_lines(scores)))
    if args.failures and wrong:
        failures(wrong).save(args.failures)
    elif args.failures:
        say("note", f"{args.failures} was not written: no image is wrong")


def as_lines(scores: dict, indent: str = "") -> list[str]:
    """Scores as readable text: one per line, groups indented."""
    lines = []
    for name, value in scores.items():
        if isinstance(value, dict):
            lines += [f"{indent}{name}", *as_lines(value, indent + "  ")]
        else:
            lines.append(f"{indent}{name:<{30 - len(indent)}} {'-' if value is None else value}")
    return lines
