"""An op cannot be forgotten: it is exported, and it is in the table of op_cases.py."""

from __future__ import annotations

import ast
from pathlib import Path

from op_cases import CASES

from minidiff import ops


def test_every_op_is_exported_and_in_the_table():
    functions = [node for file in Path(ops.__file__).parent.glob("*.py")
                 for node in ast.parse(file.read_text("utf-8")).body if isinstance(node, ast.FunctionDef)]
    marked = {name: {function.name for function in functions if name in map(ast.unparse, function.decorator_list)}
              for name in ("op", "replaceable")}
    exported = {name for name, value in vars(ops).items() if hasattr(value, "kernels")}
    assert marked["op"] == {case.op.__name__ for case in CASES}
    assert marked["op"] | marked["replaceable"] == exported
