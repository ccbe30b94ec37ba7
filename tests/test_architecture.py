"""The rules of the source tree, read from the source: who imports whom, who writes what, how long a file is."""

from __future__ import annotations

import ast
import re
from collections import Counter
from itertools import takewhile
from pathlib import Path

import pytest
from run_python import run_python
from source_tree import FILES, ROOT, TREES, part, targets

TESTS = Path(__file__).parent
ORDER = ["errors", "fields", "reading", "writing", "backend", "arguments", "ops", "kernels", "nn", "models",
         "tokenizer", "diffusion", "storage", "data", "training", "pipeline", "evaluation", "report", "explain", "cli",
         "__init__", "__main__"]  # a file imports only from above
KERNELS_IMPORT = {"kernels", "ops", "backend"}  # and are imported by nobody: ops/dispatch.py loads them by name
KNOWS_CUPY = "backend/"
WRITES_GRADIENTS = ("nn/module.py", "nn/gradients.py", "training/flat.py", "training/workers.py")  # has, adds, owns
OF_A_MACHINE = ("as_strided", "BLOCK", "BAND", "tiled(", "column_sums", "in_blocks", "winograd")  # not for ops
NOT_NEEDED = {"torch", "scipy", "einops", "pandas", "diffusers", "transformers"}

FOLDERS = {f"{parent.as_posix()}/" for name in FILES for parent in Path(name).parents if parent.name}

each_file = pytest.mark.parametrize("name", FILES)


def imported(name):
    """The absolute dotted names that a file imports, anywhere in it."""
    package = ["minidiff", *name.split("/")[:-1]]
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            yield from (".".join([*base, *filter(None, [node.module]), alias.name]) for alias in node.names)


def imported_parts(name):
    """The parts of the package among them."""
    return {dotted.split(".")[1] for dotted in imported(name) if dotted.startswith("minidiff.")}


def test_every_part_has_its_place_in_the_order():
    assert {part(name) for name in FILES} <= {*ORDER}


@each_file
def test_a_file_imports_only_from_above(name):
    below = {other for other in imported_parts(name) if ORDER.index(other) > ORDER.index(part(name))}
    assert below == set()


@each_file
def test_kernels_import_ops_and_are_imported_by_no_other_part(name):
    if part(name) == "kernels":
        assert imported_parts(name) <= KERNELS_IMPORT
    else:
        assert "kernels" not in imported_parts(name)


@each_file
def test_cupy_is_imported_by_those_who_know_it_only(name):
    packages = {dotted.split(".")[0] for dotted in imported(name)}
    assert name.startswith(KNOWS_CUPY) or not packages & {"cupy", "cupyx"}


@each_file
def test_the_package_needs_no_other_framework(name):
    assert not {dotted.split(".")[0] for dotted in imported(name)} & NOT_NEEDED


@each_file
def test_a_file_is_short_and_says_what_it_is(name):
    assert line_count(FILES[name]) <= 250
    assert ast.get_docstring(TREES[name]) or not TREES[name].body
    assert Path(name).name not in {"utils.py", "common.py", "base.py", "helpers.py", "misc.py"}


def test_ops_are_short():
    lengths = {name: line_count(path) for name, path in FILES.items() if part(name) == "ops"}
    assert {name: length for name, length in lengths.items() if length > 90} == {}
    marked = sum(path.read_text("utf-8").count(mark) for name, path in FILES.items() if part(name) == "ops"
                 for mark in ("\n@op\n", "\n@replaceable\n"))
    assert sum(lengths.values()) <= 750 + 30 * (marked - 24)


def test_ops_know_no_machine():
    found = {name: [word for word in OF_A_MACHINE if word in path.read_text("utf-8")]
             for name, path in FILES.items() if part(name) == "ops"}
    assert {name: words for name, words in found.items() if words} == {}


def test_no_file_of_tests_is_long():
    lengths = {path.relative_to(TESTS).as_posix(): line_count(path) for path in TESTS.rglob("*.py")}
    assert {name: length for name, length in lengths.items() if length > 300} == {}


def line_count(path):
    return len(path.read_text("utf-8").splitlines())


@each_file
def test_gradients_are_written_by_their_owners_only(name):
    written = [target for node in ast.walk(TREES[name]) for target in targets(node)]
    assert name in WRITES_GRADIENTS or not [target for target in written if ends_in_grad(target)]


def ends_in_grad(target):
    """x.grad, x.grad[...] and x.grad.flat"""
    return any(isinstance(node, ast.Attribute) and node.attr == "grad" for node in ast.walk(target))


def test_importing_minidiff_loads_nothing_else():
    code = "import sys; before = {*sys.modules}; import minidiff; print(*sorted({*sys.modules} - before))"
    assert run_python("-c", code).stdout.split() == ["minidiff"]


def test_every_folder_says_what_it_holds():
    for folder in FOLDERS:
        assert ast.get_docstring(TREES[f"{folder}__init__.py"]), folder


def test_every_folder_of_several_files_has_tests_of_its_name():
    sizes = Counter(part(name) for name in FILES if "/" in name and not name.endswith("__init__.py"))
    several = {folder for folder, size in sizes.items() if size > 1}
    assert {name for name in several if not (TESTS / name).is_dir() and not [*TESTS.glob(f"test_{name}*.py")]} == set()


def test_the_readme_maps_every_folder_and_every_file_outside_one():
    mapped = readme_map()
    assert [path for path in mapped if not (ROOT / path).exists()] == []
    explained = [path for path, words in mapped.items() if words]
    assert [path for path in mapped if not any(other.startswith(path) for other in explained)] == []
    assert {folder for folder in FOLDERS if not any(path.startswith(folder) for path in mapped)} == set()
    assert {name for name in FILES if "/" not in name and not name.startswith("__")} <= {*mapped}


def test_the_tests_that_the_security_page_names_exist():
    quoted = re.findall(r"`([^`]+)`", (TESTS.parent / "SECURITY.md").read_text("utf-8"))
    files = [TESTS.parent / name for name in quoted if name.startswith("tests/")]
    assert len(files) > 5 and [file for file in files if not file.is_file()] == []
    written = "".join(file.read_text("utf-8") for file in files)
    assert [name for name in quoted if name.startswith("test_") and f"def {name}(" not in written] == []


def readme_map():
    """{path: what the README's map of the package says of it}"""
    text = (TESTS.parent / "README.md").read_text("utf-8")
    start = text.index("\nminidiff/\n")
    folders, found = [], {}
    for line in text[start : text.index("```", start)].splitlines()[2:]:
        depth, words = (len(line) - len(line.lstrip())) // 2 - 1, line.split()
        names = [*takewhile(lambda word: word.endswith(("/", ".py")), words)]
        paths = ["".join(folders[:depth]) + name for name in names]
        found |= {path: " ".join(words[len(names) :]) for path in paths}
        folders = [*folders[:depth], *names[-1:]]
    return found
