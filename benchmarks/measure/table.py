"""Results on the screen: the header, then each row as soon as it is measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

# What a row shows besides times and ratios; the rest is in the file of results.
SCREEN = ("GFLOP/s", "GB/s", "fraction of ceiling", "MB", "a second", "images a second", "GFLOP", "launches", "host",
          "seconds", "crossing", "exponent", "grows too fast", "largest error", "to OpenVINO", "seen", "held_out",
          "verdict", "left out")


def show_header(machine: dict) -> None:
    for name, value in machine.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {in_words(item)}" for key, item in value.items()) or None
        if value is not None:
            print(f"{name:<15}{value}")
    print(flush=True)


def shown(rows: Iterable[dict]) -> Iterator[dict]:
    """The rows, each printed as it comes."""
    for row in rows:
        times = "  ".join(f"{name} {in_units(time['median'])} ({in_units(time['minimum'])})"
                          for name, time in row["times"].items())
        ratio = "  ".join(f"{name} x{value:.2f}" for name, value in row["ratios"].items())
        more = "  ".join(f"{name} {in_words(value)}" for name, value in row.items()
                         if name in SCREEN)
        print(f"{row['what']:<44} {row['detail']:<30} {times}   {ratio or '-'}   {more}".rstrip(), flush=True)
        yield row


def in_units(seconds: float) -> str:
    """Three digits: 12.3 µs, 4.56 ms, 789 ms, 1.23 s"""
    for factor, unit in ((1e6, "µs"), (1e3, "ms")):
        if seconds * factor < 1000:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def in_words(value) -> str:
    if isinstance(value, dict):
        return "/".join(in_words(item) for item in value.values())
    if isinstance(value, list):
        return " ".join(map(in_words, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)
