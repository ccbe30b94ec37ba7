"""The source of what a view shows: its file, its line and its code, read from the package that runs."""

from __future__ import annotations

import inspect
import textwrap
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def source_of(thing) -> dict:
    """Where a function or class stands and what it says; of a class only how it begins and how it is called."""
    if inspect.isclass(thing) and "__call__" in vars(thing):
        return source_of(thing.__call__) | {"name": thing.__name__}
    thing = inspect.unwrap(thing)
    lines, line = inspect.getsourcelines(thing)
    file = Path(inspect.getsourcefile(thing)).resolve().relative_to(PACKAGE.parent).as_posix()
    code = textwrap.dedent("".join(lines)).rstrip()
    return {"name": thing.__qualname__, "file": file, "line": max(line, 1), "code": code}
