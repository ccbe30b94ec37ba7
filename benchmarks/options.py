"""The command line's options: which there are, and which of them a benchmark takes."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from inspect import signature
from pathlib import Path

from minidiff.cli.options import whole_number
from minidiff.errors import UserError

COUNT = whole_number(1)


def parser(words: Iterable[str], results: Path) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks",
                                     description="How long minidiff takes, compared with PyTorch.")
    parser.add_argument("what", choices=words)
    parser.add_argument("--sizes", nargs="+", metavar="SIZE", help="ops: tiny small large; steps, scaling, gpu "
                        "(two), numpy-cupy: smoke tiny small medium large; tokenizer: tiny small large; "
                        "sd15: tiny full; quality, leaderboard: tiny small")
    parser.add_argument("--match", help="only rows whose name contains this text; gpu: only such parts and jobs")
    parser.add_argument("--rounds", type=COUNT, help="how many times each runtime takes its turn")
    parser.add_argument("--pause", type=nonnegative, help="seconds between two runtimes (0.1)")
    parser.add_argument("--threads", type=COUNT, help="of each runtime (ops: 1; others: one a core)")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="of steps, quality and leaderboard (cpu), of gpu "
                        "(cuda); ops and numpy-cupy use all there are")
    parser.add_argument("--busy", type=whole_number(0), metavar="COUNT",
                        help="steps: other processes that each keep a core busy (0)")
    parser.add_argument("--compiled", action="store_const", const=True, help="steps, sd15: compare drawing with "
                        "torch.compile and OpenVINO, too")
    parser.add_argument("--model", help="generate: a folder or the name of a shipped model")
    parser.add_argument("--steps", type=COUNT, help="generate: sampling steps (20)")
    parser.add_argument("--minutes", type=nonnegative, help="quality: how long to train (60); leaderboard: the "
                        "same (10); gpu: what does not fit is left out (8)")
    parser.add_argument("--after", metavar="JOB", help="gpu: only what comes after this part and job")
    parser.add_argument("--every", type=nonnegative, help="quality: minutes between two scores (5)")
    parser.add_argument("--count", type=COUNT, help="quality: how many prompts of each split to score (100); "
                        "leaderboard: the same (200)")
    parser.add_argument("--settings", nargs="+", metavar="NAME=VALUE", help="quality: settings other than the preset's")
    parser.add_argument("--changes", nargs="+", metavar="CHANGE", help="leaderboard: settings other than the preset's, "
                        "each such as \"NAME=VALUE NAME=VALUE\"")
    parser.add_argument("--seeds", type=COUNT, help="leaderboard: trainings of each (3)")
    parser.add_argument("--out", type=Path, default=results, metavar="FOLDER", help="where results go, in a folder per "
                        "machine (benchmarks/results)")
    parser.add_argument("--as-is", action="store_true", help="keep OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE as they are")
    return parser


def nonnegative(text: str) -> float:
    if not (value := float(text)) >= 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return value


def given(args: argparse.Namespace) -> dict:
    """The options of the command line that have a value, but for those of all benchmarks."""
    return {name: value for name, value in vars(args).items()
            if value is not None and name not in ("what", "out", "as_is")}


def check(what: str, measure: Callable, options: dict, sizes: Iterable[str]) -> None:
    """Raises UserError for an option that a benchmark does not take, and for a size that it does not have."""
    if unknown := options.keys() - signature(measure).parameters.keys():
        raise UserError(f"{what} has no option {', '.join(f'--{name}' for name in sorted(unknown))}")
    if unknown := [size for size in options.get("sizes", ()) if size not in sizes]:
        raise UserError(f"{what} has no size {', '.join(unknown)}: use some of {', '.join(sizes)}")


def effective(measure: Callable, options: dict, threads: int) -> dict:
    """The options with those that were not given at their defaults, and `threads` where the default is all cores."""
    found = {name: parameter.default for name, parameter in signature(measure).parameters.items()
             if name not in ("ceilings", "earlier")} | options
    if "threads" in found:
        found["threads"] = found["threads"] or threads
    return found
