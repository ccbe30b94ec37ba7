"""The command line: what to measure, then a table on the screen, a file of results, and plots."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from inspect import signature
from pathlib import Path

from minidiff.backend import gpu_available
from minidiff.errors import UserError

from .generate import benchmark as generate
from .gpu import benchmark as gpu
from .leaderboard import benchmark as leaderboard
from .leaderboard import page as leaderboard_page
from .measure import plots
from .measure.ceilings import measure_ceilings
from .measure.checks import Different
from .measure.file import kept
from .measure.machine import describe, folder_name
from .measure.table import show_header, shown
from .measure.threads import limited
from .numpy_cupy import benchmark as numpy_cupy
from .numpy_cupy import page
from .ops import benchmark as ops
from .quality import benchmark as quality
from .scaling import benchmark as scaling
from .sd15 import benchmark as sd15
from .steps import benchmark as steps
from .tokenizer import benchmark as tokenizer

RESULTS = Path(__file__).parent / "results"
MEASURES = {"ops": ops.measure, "steps": steps.measure, "scaling": scaling.measure, "generate": generate.measure,
            "tokenizer": tokenizer.measure, "sd15": sd15.measure, "quality": quality.measure, "gpu": gpu.measure,
            "numpy-cupy": numpy_cupy.measure, "leaderboard": leaderboard.measure}
PAGES = {"numpy-cupy": page.write, "leaderboard": leaderboard_page.write}  # from a file of results
ALL = [what for what in MEASURES if what not in ("quality", "leaderboard", "gpu", "numpy-cupy")]  # hours; a GPU


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks",
                                     description="How long minidiff takes, compared with PyTorch.")
    parser.add_argument("what", choices=[*MEASURES, "all"])
    parser.add_argument("--sizes", nargs="+", metavar="SIZE", help="ops: tiny small large; steps, scaling, gpu "
                        "(two), numpy-cupy: smoke tiny small medium large; tokenizer: tiny small large; "
                        "sd15: tiny full; quality, leaderboard: tiny small")
    parser.add_argument("--match", help="only rows whose name contains this text")
    parser.add_argument("--rounds", type=int, help="how many times each runtime takes its turn")
    parser.add_argument("--pause", type=float, help="seconds between two runtimes (0.1)")
    parser.add_argument("--threads", type=int, help="of each runtime (ops: 1; others: one a core)")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="of steps and quality (cpu), of gpu (cuda); "
                        "ops and numpy-cupy use all there are")
    parser.add_argument("--busy", type=int, metavar="COUNT",
                        help="steps: other processes that each keep a core busy (0)")
    parser.add_argument("--compiled", action="store_const", const=True, help="steps, sd15: compare drawing with "
                        "torch.compile and OpenVINO, too")
    parser.add_argument("--model", help="generate: a folder or the name of a shipped model")
    parser.add_argument("--steps", type=int, help="generate: sampling steps (20)")
    parser.add_argument("--minutes", type=float, help="quality: how long to train (60); leaderboard: the same (10); "
                        "gpu: what does not fit is left out (8)")
    parser.add_argument("--every", type=float, help="quality: minutes between two scores (5)")
    parser.add_argument("--count", type=int, help="quality: how many prompts of each split to score (100); "
                        "leaderboard: the same (200)")
    parser.add_argument("--settings", nargs="+", metavar="NAME=VALUE", help="quality: settings other than the preset's")
    parser.add_argument("--changes", nargs="+", metavar="CHANGE", help="leaderboard: settings other than the preset's, "
                        "each such as \"NAME=VALUE NAME=VALUE\"")
    parser.add_argument("--seeds", type=int, help="leaderboard: trainings of each (3)")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER", help="where results go, in a folder per "
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
    options = {name: value for name in signature(MEASURES[what]).parameters
               if (value := getattr(args, name, None)) is not None}
    results = {"benchmark": what, "machine": describe(), "options": options}
    show_header(results["machine"] | {"benchmark": what, "options": options or None})
    if what == "ops":
        ceilings = measured_ceilings(options.get("threads", 1))
        results["ceilings"] = {device: ceiling.to_dict() for device, ceiling in ceilings.items()}
        show_header(results["ceilings"])
        options = options | {"ceilings": ceilings}
    device = signature(MEASURES[what]).parameters.get("device")
    folder = args.out / folder_name(results["machine"], device and options.get("device", device.default))
    name = "-".join([what, *(option for option in ("busy", "compiled") if options.get(option))])
    file = folder / f"{name}.json"
    if "earlier" in signature(MEASURES[what]).parameters and file.exists():
        options = options | {"earlier": json.loads(file.read_text("utf-8"))["rows"]}
    for _ in kept(shown(MEASURES[what](**options)), results, file):
        pass
    files = [file, *plots.draw(results, folder, name)]
    files += PAGES[what](results, folder, name) if what in PAGES else []
    print("\nwritten:", *files, sep="\n  ", flush=True)


def measured_ceilings(threads: int) -> dict:
    with limited(threads):
        return {device: measure_ceilings(device) for device in (["cpu", "cuda"] if gpu_available() else ["cpu"])}
