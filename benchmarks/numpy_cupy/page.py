"""The page: what was measured, as a table for ops, one for a training step, and the plots of both, in Markdown."""

from __future__ import annotations

from pathlib import Path

from ..measure.table import in_units

HEAD = """# NumPy and CuPy, side by side

The same source runs on NumPy and on CuPy. This page says what each op costs on both, at which size the GPU begins to
win, and what kernels and a graph add. Plain is an op as it is written in `minidiff/ops`; a kernel computes the same,
written for the machine. Results of up to 2¹⁷ elements were compared with float64 before they were timed.

{machine}
"""
OPS = """
## {direction}: time against size

**At least** is what the smallest call takes on the GPU: launches, whatever the size. **Crossing** is the size from
which on CuPy with kernels takes less time than NumPy with kernels; in brackets, if its arrays come from the host and
go back. The last columns are for the largest size.

| op | NumPy: plain, kernel | CuPy: plain, kernel | at least | crossing, elements | verdict |
|---|---|---|---|---|---|
"""
STEP = """
## A training step: plain, kernels, graph

Each row has what the rows above it have, NumPy on one core. Operations are what the device is asked to do: launches,
products, copies.

| runtime | kernels | a step | operations |
|---|---|---|---|
"""


def write(results: dict, folder: Path, name: str) -> list[Path]:
    """The page of a file of results, with the plots that stand next to it."""
    rows, machine = results["rows"], results["machine"]
    text = HEAD.format(machine=f"{machine['cpu']}, {machine['cores']} cores; GPU: {machine['gpu'] or 'none'}; "
                               f"{machine['precision']}; {machine['date']}.")
    for direction in ("forward", "backward"):
        own = [row for row in rows if row.get("part") == direction]
        if own:
            text += OPS.format(direction=direction.capitalize())
            text += "".join(op_line(own, what) for what in dict.fromkeys(row["what"] for row in own))
            text += image(folder, f"{name}-{direction}.svg", "Seconds over elements, in a panel for each op")
    steps = [row for row in rows if row["what"] == "waterfall" and row["times"]]
    if steps:
        text += STEP + "".join(map(step_line, steps))
        text += image(folder, f"{name}-waterfall.svg", "Milliseconds of a step as kernels are switched on")
    missing = dict.fromkeys(f"- {row['what']}, {row['detail']}: {row['left out']}" for row in rows if "left out" in row)
    if missing:
        text += "\n## What is missing\n\n" + "\n".join(missing) + "\n"
    file = folder / f"{name}.md"
    file.write_text(text, encoding="utf-8")
    return [file]


def op_line(rows, what) -> str:
    *points, last = [row for row in rows if row["what"] == what]
    times = points[-1]["times"]

    def pair(runtime):
        both = [times.get(f"{runtime} plain"), times.get(runtime)]
        return ", ".join(in_units(time["median"]) if time else "-" for time in both)

    crossing = last.get("crossing") or {}
    found = [f"{crossing[key]:.2g}" if crossing.get(key) else "never" for key in crossing]
    least = in_units(last["floor"]) if "floor" in last else "-"
    cells = [f"{what.rpartition(',')[0]}, {points[-1]['elements']} elements", pair("NumPy"), pair("CuPy"), least,
             f"{found[0]} ({found[1]})" if found else "-", last["verdict"]]
    return f"| {' | '.join(cells)} |\n"


def step_line(row) -> str:
    [(runtime, time)] = row["times"].items()
    count = row["launches"][runtime]
    return f"| {runtime} | {row['detail']} | {in_units(time['median'])} | {'-' if count is None else count} |\n"


def image(folder, name, words) -> str:
    return f"\n![{words}]({name})\n" if (folder / name).is_file() else ""
