"""The page: what each change is worth, the best first."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

HEAD = """# What changes are worth

Prompts drawn right after {minutes:g} minutes of training from nothing, all stages included, by the moving average: the
mean over seeds ± its standard error. Each change is one from the preset `{size}`, and everything else, such as the
division of the time among stages, stays as it is. `python -m benchmarks leaderboard`, {count} prompts a split.

{machine}

| change | held-out | seen | diffusion samples | held-out, seed by seed |
|---|---|---|---|---|
"""


def write(results: dict, folder: Path, name: str) -> list[Path]:
    """The page of a file of results."""
    machine, text = results["machine"], ""
    found = summary(results["rows"])
    for what in dict.fromkeys(one["what"] for one in found):
        own = [one for one in found if one["what"] == what]
        first = own[0]["rows"][0]
        text += ("\n" if text else "") + HEAD.format(
            minutes=first["planned"], size=first["size"], count=first["count"],
            machine=f"{machine['cpu']}, {machine['cores']} cores; {what}; {runs_of(own)}.")
        text += "".join(map(line, own))
    file = folder / f"{name}.md"
    file.write_text(text, encoding="utf-8")
    return [file]


def runs_of(own: Sequence[dict]) -> str:
    """When these rows were trained, and which commits did."""
    rows = [row for one in own for row in one["rows"]]
    dates, commits = (sorted({str(row[name]) for row in rows}) for name in ("date", "commit"))
    return f"trained {' to '.join(dict.fromkeys((dates[0], dates[-1])))} by {', '.join(commits)}"


def line(one: dict) -> str:
    samples = statistics.mean(row["samples"]["diffusion"] for row in one["rows"])
    each = " ".join(f"{row['held_out']:.3f}" for row in one["rows"])
    return f"| {one['change']} | {in_words(one['held_out'])} | {in_words(one['seen'])} | {samples:,.0f} | {each} |\n"


def in_words(score: tuple[float, float | None]) -> str:
    value, error = score
    return f"{value:.3f}" + (f" ± {error:.3f}" if error is not None else "")


def summary(rows: Sequence[dict]) -> list[dict]:
    """The rows of each change together, the best first: means over seeds, with standard errors where there are two."""
    together = {}
    for one in rows:
        together.setdefault((one["what"], one["detail"]), []).append(one)
    found = [{"what": what, "change": change, "rows": own} | {split: mean(own, split) for split in ("seen", "held_out")}
             for (what, change), own in together.items()]
    return sorted(found, key=lambda one: (one["what"], -one["held_out"][0]))


def mean(rows, split) -> tuple[float, float | None]:
    values = [one[split] for one in rows]
    return statistics.mean(values), statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else None
