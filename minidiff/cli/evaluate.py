"""minidiff evaluate: the scores of a model."""

from __future__ import annotations

import json

from .options import add_device, judging, whole_number


def add_to(commands) -> None:
    parser = commands.add_parser("evaluate", help="score a model", description="Draw prompts that no training saw, "
                                 "and let the judge read the pictures.")
    parser.add_argument("model", help="a shipped model, or a folder")
    parser.add_argument("--json", action="store_true", help="print all scores as JSON")
    parser.add_argument("--count", type=whole_number(1), default=400, help="prompts of each split (400)")
    add_device(parser)
    parser.set_defaults(run=run)


def run(args) -> None:
    from ..backend import resolve_device
    from ..evaluation import evaluate
    from ..pipeline import Pipeline
    from ..storage.pipeline_folder import find_model, load_clip

    device = resolve_device(args.device)
    pipe = Pipeline.from_pretrained(args.model, device)
    clip = load_clip(args.model, device=device) if (find_model(args.model) / "clip").is_dir() else None
    scores = evaluate(pipe, clip, args.count, judging)
    print(json.dumps(scores, indent=2) if args.json else "\n".join(as_lines(scores)))


def as_lines(scores: dict, indent: str = "") -> list[str]:
    """Scores for reading: one a line, groups indented."""
    lines = []
    for name, value in scores.items():
        if isinstance(value, dict):
            lines += [f"{indent}{name}", *as_lines(value, indent + "  ")]
        else:
            lines.append(f"{indent}{name:<{30 - len(indent)}} {'-' if value is None else value}")
    return lines
