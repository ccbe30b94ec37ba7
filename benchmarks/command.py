"""The command line: what to measure, then a table on the screen, a file of results, and plots."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from minidiff.backend import gpu_available
from minidiff.errors import UserError

from . import generate, ops, plots, quality, scaling, sd15, steps, tokenizer
from .ceilings import measure_ceilings
from .checks import Different
from .machine import describe, folder_name
from .table import show_header, shown
from .threads import limited

RESULTS = Path(__file__).parent / "results"
MEASURES = {"ops": ops.measure, "steps": steps.measure, "scaling": scaling.measure, "generate": generate.measure,
            "tokenizer": tokenizer.measure, "sd15": sd15.measure, "quality": quality.measure}
ALL = [what for what in MEASURES if what != "quality"]  # that takes an hour
TAKES = {  # the options that each understands
    "ops": ("sizes", "match", "rounds", "pause", "threads"),
    "steps": ("sizes", "match", "rounds", "pause", "threads", "device", "busy"),
    "scaling": ("sizes", "match", "rounds", "pause", "threads"),
    "generate": ("model", "steps", "rounds", "pause", "threads"),
    "tokenizer": ("sizes", "rounds", "pause"),
    "sd15": ("sizes", "match", "rounds", "pause", "threads"),
    "quality": ("sizes", "minutes", "every", "count", "settings", "threads", "device"),
}


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description="How long things take, beside PyTorch.")
    parser.add_argument("what", choices=[*MEASURES, "all"])
    parser.add_argument("--sizes", nargs="+", metavar="SIZE", help="ops: tiny small large; steps, scaling: smoke "
                        "tiny small medium; tokenizer: tiny small large; sd15: tiny full; quality: tiny small")
    parser.add_argument("--match", help="only what has this text in its name")
    parser.add_argument("--rounds", type=int, help="how often each runtime has its turn")
    parser.add_argument("--pause", type=float, help="seconds between two runtimes (0.1)")
    parser.add_argument("--threads", type=int, help="of each runtime; ops: 1, others: as many as cores")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="of steps and quality (cpu); ops take all there are")
    parser.add_argument("--busy", type=int, metavar="COUNT", help="steps: other processes that want a core each (0)")
    parser.add_argument("--model", help="generate: a folder or the name of a shipped model")
    parser.add_argument("--steps", type=int, help="generate: sampling steps (20)")
    parser.add_argument("--minutes", type=float, help="quality: how long to train (60)")
    parser.add_argument("--every", type=float, help="quality: minutes between two scores (5)")
    parser.add_argument("--count", type=int, help="quality: prompts of each split that are scored (100)")
    parser.add_argument("--settings", nargs="+", metavar="NAME=VALUE", help="quality: other than the preset's")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER", help="where results go, one folder a "
                        "machine (benchmarks/results)")
    parser.add_argument("--as-is", action="store_true", help="keep OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE as they are")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    try:
        for what in ALL if args.what == "all" else [args.what]:
            measure(what, args)
    except (UserError, Different) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def measure(what: str, args) -> None:
    options = {name: getattr(args, name) for name in TAKES[what] if getattr(args, name) is not None}
    results = {"benchmark": what, "machine": describe(), "options": options}
    show_header(results["machine"] | {"benchmark": what, "options": options or None})
    if what == "ops":
        ceilings = measured_ceilings(options.get("threads", 1))
        results["ceilings"] = {device: ceiling.to_dict() for device, ceiling in ceilings.items()}
        show_header(results["ceilings"])
        options = options | {"ceilings": ceilings}
    results["rows"] = list(shown(MEASURES[what](**options)))
    folder = args.out / folder_name(results["machine"])
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{what}-busy" if options.get("busy") else what
    file = folder / f"{name}.json"
    file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print("\nwritten:", *[file, *plots.draw(results, folder, name)], sep="\n  ", flush=True)


def measured_ceilings(threads: int) -> dict:
    with limited(threads):
        return {device: measure_ceilings(device) for device in (["cpu", "cuda"] if gpu_available() else ["cpu"])}
