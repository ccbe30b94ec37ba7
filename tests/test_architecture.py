"""The rules of the source tree, read from the source: who imports whom, who writes what, how long a file is."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import minidiff

ROOT = Path(minidiff.__file__).parent
FILES = {path.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in FILES.items()}

ORDER = ["errors", "backend", "ops", "nn", "models", "tokenizer", "diffusion", "data", "storage", "training",
         "pipeline", "evaluation", "report", "cli", "kernels", "__init__", "__main__"]  # a file imports only from above
KNOWS_CUPY = ("backend/", "training/graph.py", "kernels/gpu/")
WRITES_GRADIENTS = ("nn/module.py", "training/flat.py", "training/workers.py")  # adds up, owns, gathers
MAPPED_AS_ONE = ("training/optimizers/",)  # folders of files of one kind, which one line of the README explains
NOT_NEEDED = {"torch", "scipy", "einops", "pandas", "diffusers", "transformers"}

each_file = pytest.mark.parametrize("name", FILES)


def part(name):
    """'ops/linear.py' -> 'ops', 'cli.py' -> 'cli'"""
    return name.split("/")[0].removesuffix(".py")


def imported(name):
    """The absolute dotted names that a file imports, anywhere in it."""
    package = ["minidiff", *name.split("/")[:-1]]
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            yield from (".".join([*base, *filter(None, [node.module]), alias.name]) for alias in node.names)


def test_every_part_has_its_place_in_the_order():
    assert {part(name) for name in FILES} <= {*ORDER}


@each_file
def test_a_file_imports_only_from_above(name):
    parts = {dotted.split(".")[1] for dotted in imported(name) if dotted.startswith("minidiff.")}
    below = {other for other in parts if ORDER.index(other) > ORDER.index(part(name))}
    assert below == set()


@each_file
def test_cupy_is_imported_by_those_who_know_it_only(name):
    packages = {dotted.split(".")[0] for dotted in imported(name)}
    assert name.startswith(KNOWS_CUPY) or not packages & {"cupy", "cupyx"}


@each_file
def test_the_package_needs_no_other_framework(name):
    assert not {dotted.split(".")[0] for dotted in imported(name)} & NOT_NEEDED


@each_file
def test_a_file_is_short_and_says_what_it_is(name):
    lines = len(FILES[name].read_text("utf-8").splitlines())
    assert lines <= 250
    assert ast.get_docstring(TREES[name]) or not TREES[name].body
    assert Path(name).name not in {"utils.py", "common.py", "base.py", "helpers.py", "misc.py"}


@each_file
def test_gradients_are_written_by_their_owners_only(name):
    written = [target for node in ast.walk(TREES[name]) for target in targets(node)]
    assert name in WRITES_GRADIENTS or not [target for target in written if ends_in_grad(target)]


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


def ends_in_grad(target):
    """x.grad, x.grad[...] and x.grad.flat"""
    return any(isinstance(node, ast.Attribute) and node.attr == "grad" for node in ast.walk(target))


CLOSURE_FILES = [name for name in FILES if part(name) in ("ops", "nn", "models")]


@pytest.mark.parametrize("name", CLOSURE_FILES)
def test_a_name_that_backward_uses_is_assigned_once(name):
    """A closure binds names, not values: a name assigned again would reach backward with the wrong value."""
    functions = [node for node in ast.walk(TREES[name]) if isinstance(node, ast.FunctionDef)]
    assert {function.name: again for function in functions if (again := assigned_again(function))} == {}


@pytest.mark.parametrize(("source", "again"), [
    ("def f(x):\n h = x\n h = g(h)\n def backward(dy):\n  return dy * h\n return h, backward", {"h"}),
    ("def f(x):\n x = g(x)\n return x, lambda dy: dy * x", {"x"}),
    ("def f(x):\n y = g(x)\n y += 1\n return y, lambda dy: dy * y", {"y"}),
    ("def f(xs):\n for x in xs:\n  x, b = g(x)\n def backward(dy):\n  return b(dy)\n return x, backward", {"b"}),
    ("def f(x):\n h = x\n h = g(h)\n return h, lambda dy: dy * x", set()),
    ("def f(x, b):\n if b:\n  s = g(x)\n else:\n  s = x\n return s, lambda dy: dy * s", set()),
    ("def f(x, b):\n s = None\n if b:\n  s = g(x)\n return x, lambda dy: dy * s if s else dy", set()),
    ("def f(x):\n h = x\n def backward(dy):\n  dy = g(dy)\n  return dy * h\n return h, backward", set()),
])
def test_assigned_again_finds_what_it_should(source, again):
    assert assigned_again(ast.parse(source).body[0]) == again


def assigned_again(function):
    """The names of `function` that a function inside it reads, and that are bound more than once or in a loop."""
    closures = [node for node in ast.walk(function) if isinstance(node, ast.FunctionDef | ast.Lambda)]
    read = {node.id for closure in closures if closure is not function for node in ast.walk(closure)
            if isinstance(node, ast.Name) and node.id not in own_names(closure)}
    counts = bindings(function.body) + Counter(argument.arg for argument in arguments_of(function))
    return {name for name in read if counts[name] > 1}


def own_names(closure):
    body = closure.body if isinstance(closure.body, list) else []
    return {argument.arg for argument in arguments_of(closure)} | set(bindings(body))


def arguments_of(function):
    found = function.args
    return [*found.posonlyargs, *found.args, *found.kwonlyargs, *filter(None, (found.vararg, found.kwarg))]


def bindings(statements):
    """How often each name is bound by statements in a row; None to begin with is free, of two branches one counts."""
    counts = Counter()
    for statement in statements:
        if isinstance(statement, ast.FunctionDef):
            counts[statement.name] += 1
        elif isinstance(statement, ast.If):
            counts += bindings(statement.body) | bindings(statement.orelse)
        elif isinstance(statement, ast.For | ast.While):
            inside = bindings(statement.body) + Counter(names_in(targets(statement)))
            counts += inside + inside
        elif isinstance(statement, ast.With):
            counts += bindings(statement.body)
        elif not (isinstance(statement, ast.Assign) and ast.unparse(statement.value) == "None"):
            counts += Counter(names_in(targets(statement)))
    return counts


def names_in(nodes):
    return [node.id for node in nodes if isinstance(node, ast.Name)]


def test_importing_minidiff_is_quick_and_loads_nothing_heavy():
    code = ("import time, sys; start = time.process_time(); import minidiff; spent = time.process_time() - start; "
            "print(spent, *sorted({'matplotlib', 'PIL', 'cupy', 'torch'} & set(sys.modules)))")
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
            for _ in range(3)]
    assert [loaded for _, *loaded in runs] == [[], [], []]
    assert min(float(spent) for spent, *_ in runs) < 0.3


def test_the_readme_maps_every_file_in_one_line():
    text = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    lines = text[text.index("\nminidiff/\n") : text.index("```\n\n## Generate")].splitlines()[2:]
    folders, mapped = [], []
    for line in lines:
        depth, name = (len(line) - len(line.lstrip())) // 2 - 1, line.split()[0]
        folders = folders[:depth]
        if name.endswith("/") and "".join(folders) + name not in MAPPED_AS_ONE:
            folders.append(name)
        else:
            mapped.append("".join(folders) + name)
            assert len(line.split()) > 1, f"{name} is not explained"
    assert sorted(mapped) == sorted({next((folder for folder in MAPPED_AS_ONE if name.startswith(folder)), name)
                                     for name in FILES if not name.endswith(("__init__.py", "__main__.py"))})
