"""The command line: what to measure, then a table on the screen, a file of results, and plots."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from minidiff.backend import gpu_available, resolve_device
from minidiff.errors import UserError
from minidiff.nn.threads import cores
from minidiff.training.presets import PRESETS

from . import options
from .draw import draw
from .generate import benchmark as generate
from .gpu import benchmark as gpu
from .gpu import restart
from .leaderboard import benchmark as leaderboard
from .measure.ceilings import measure_ceilings
from .measure.checks import Different
from .measure.file import kept, rows_of
from .measure.machine import describe, folder_name, load
from .measure.table import show_header, shown
from .measure.threads import limited
from .numpy_cupy import benchmark as numpy_cupy
from .ops import benchmark as ops
from .ops.sizes import SIZES as OF_OPS
from .quality import benchmark as quality
from .scaling import benchmark as scaling
from .sd15 import benchmark as sd15
from .sd15.call import CONFIGS
from .steps import benchmark as steps
from .steps.sizes import SIZES as OF_STEPS
from .tokenizer import benchmark as tokenizer

RESULTS = Path(__file__).parent / "results"
MEASURES = {"ops": ops.measure, "steps": steps.measure, "scaling": scaling.measure, "generate": generate.measure,
            "tokenizer": tokenizer.measure, "sd15": sd15.measure, "quality": quality.measure, "gpu": gpu.measure,
            "numpy-cupy": numpy_cupy.measure, "leaderboard": leaderboard.measure}
SIZES = dict.fromkeys(MEASURES, OF_STEPS) | dict.fromkeys(("quality", "leaderboard"), PRESETS) | {
    "ops": OF_OPS, "tokenizer": tokenizer.SIZES, "sd15": CONFIGS}
ALL = [what for what in MEASURES if what not in ("quality", "leaderboard", "gpu", "numpy-cupy")]  # hours; a GPU
PARTIAL = {"match", "sizes", "after"}  # with these, other rows of the file stay
BUSY = 0.5  # cores in use before: above it, a warning


def main(argv: Sequence[str] | None = None) -> int:
    args = options.parser([*MEASURES, "all"], RESULTS).parse_args(argv)
    given, chosen = options.given(args), ALL if args.what == "all" else [args.what]
    try:
        for what in chosen:
            options.check(what, MEASURES[what], given, SIZES[what])
        if args.what == "gpu" and restart.NOTE not in os.environ:
            own = options.effective(gpu.measure, given, cores())
            resolve_device(own["device"])
            return restart.in_processes(sys.argv[1:] if argv is None else argv, own["minutes"])
        if (before := load() or 0) > BUSY:
            print(f"warning: other programs keep {before:g} cores busy, and change the times", file=sys.stderr)
        for what in chosen:
            measure(what, given, args.out)
    except (UserError, Different, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def measure(what: str, given: dict, out: Path) -> None:
    own = options.effective(MEASURES[what], given, cores())
    device = own.get("device")
    if device:
        resolve_device(device)
    results = {"benchmark": what, "machine": describe(), "options": own}
    name = "-".join([what, *(option for option in ("busy", "compiled") if own.get(option))])
    file = out / folder_name(results["machine"], device) / f"{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    show_header(results["machine"] | {"benchmark": what, "options": own})
    # Rows of quality are those of one training.
    earlier = rows_of(file) if what == "leaderboard" or (what != "quality" and given.keys() & PARTIAL) else []
    earlier = [row for row in earlier if "left out" not in row or "after" in given]
    more = {"earlier": earlier} if what == "leaderboard" else {}
    if what == "ops":
        more["ceilings"] = measured_ceilings(own["threads"])
        results["ceilings"] = {device: ceiling.to_dict() for device, ceiling in more["ceilings"].items()}
        show_header(results["ceilings"])
    for _ in kept(shown(MEASURES[what](**own, **more)), results, file, earlier):
        pass
    if "rows" not in results:
        raise UserError(f"{what} has no row whose name contains {own['match']!r}")
    print("\nwritten:", file, *draw(results, file), sep="\n  ", flush=True)


def measured_ceilings(threads: int) -> dict:
    with limited(threads):
        return {device: measure_ceilings(device) for device in (["cpu", "cuda"] if gpu_available() else ["cpu"])}
