"""What the numbers of an op say, in words: how much a kernel gains, what limits it, what is faster."""

from __future__ import annotations

from ..measure.rows import COMPARED

NEAR = 0.6  # of the ceiling: what is above has reached it
# Our runtimes, and the same device without kernels.
PLAIN = {"NumPy": "NumPy plain", "CuPy": "CuPy plain"}


def verdict(row: dict, floor: float = 0.0) -> str:
    """`floor` is the seconds that the GPU's smallest call takes."""
    times = {name: time["median"] for name, time in row["times"].items()}
    words = [f"{name}: {own(name, plain, times, row, floor)}" for name, plain in PLAIN.items() if name in times]
    if {"NumPy", "CuPy"} <= times.keys():
        words.append(faster("the GPU", "the CPU", times["NumPy"] / times["CuPy"]))
    return "; ".join(words)


def own(name, plain, times, row, floor) -> str:
    found = []
    if plain in times:
        found.append(f"{times[plain] / times[name]:.1f} x plain")
    if name in row.get("ratios", {}):
        found.append(f"{1 / row['ratios'][name]:.2f} x {COMPARED[name]}")
    fraction = row.get("fraction of ceiling", {}).get(name)
    if name == "CuPy" and times[name] < 2 * floor:
        found.append("launches decide")
    elif fraction is not None:
        found.append("at the ceiling" if fraction >= NEAR else f"{fraction:.0%} of the ceiling")
    return ", ".join(found) or "nothing to compare with"


def faster(one: str, other: str, ratio: float) -> str:
    return f"{one} is {ratio:.1f} x as fast" if ratio >= 1 else f"{other} is {1 / ratio:.1f} x as fast"
