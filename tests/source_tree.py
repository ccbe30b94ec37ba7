"""The files of the package as they were installed, and their syntax trees."""

from __future__ import annotations

import ast
from pathlib import Path

import minidiff

ROOT = Path(minidiff.__file__).parent
FILES = {path.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in FILES.items()}


def part(name):
    """'ops/linear.py' -> 'ops', 'pipeline.py' -> 'pipeline'"""
    return name.split("/")[0].removesuffix(".py")


def targets(node):
    """What a node assigns to, or writes into by `out=`, tuples taken apart."""
    if isinstance(node, ast.Assign):
        found = node.targets
    elif isinstance(node, ast.AugAssign | ast.AnnAssign | ast.For):
        found = [node.target]
    elif isinstance(node, ast.Call):
        found = [keyword.value for keyword in node.keywords if keyword.arg == "out"]
    else:
        found = []
    return [leaf for target in found for leaf in (target.elts if isinstance(target, ast.Tuple) else [target])]
