"""The rules of the benchmarks' source, read without PyTorch: its equivalents of all ops, who imports it, the files."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from op_cases import CASES
from shape_line import read

import benchmarks
import minidiff.ops

ROOT = Path(benchmarks.__file__).parent
FILES = {path.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.rglob("*.py"))}
OPS = {case.op.__name__: case.op for case in CASES}
PEERS = {"torch", "diffusers", "transformers", "tokenizers"}
ASK_TORCH = {"measure/threads.py", "measure/packages.py"}  # for its threads, for a GPU
KNOWS_CUPY = {"measure/device.py", "measure/launches.py"}
OF_TORCH = {"linear", "cross_entropy"}  # in torch.nn.functional by these names, as its element-wise functions are


def table_of_torch():
    """The names in OPS of benchmarks/ops/peers.py."""
    tree = ast.parse(FILES["ops/peers.py"].read_text("utf-8"))
    [table] = [node.value for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "OPS"]
    return {key.value for key in table.keys}


@pytest.mark.parametrize("name", OPS)
def test_an_op_has_an_equivalent_in_torch(name):
    """Element-wise ops are taken to be functions of torch.nn.functional; tests/peers checks that they are."""
    elementwise = all(dims == ("...",) for side in read(OPS[name]) for dims in side.values())
    assert elementwise or name in table_of_torch() | OF_TORCH, (
        f'add the line `"{name}": ...,` to OPS in benchmarks/ops/peers.py: the same op in PyTorch')


def test_the_table_of_torch_has_only_ops_of_the_case_table():
    assert table_of_torch() | OF_TORCH <= OPS.keys()
    assert not table_of_torch() & OF_TORCH


def test_products_of_ops_go_through_matmul_which_counts_them():
    folder = Path(minidiff.ops.__file__).parent
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            assert not isinstance(node, ast.MatMult), f"{path.name}: write matmul(a, b) for a @ b"
            assert not (isinstance(node, ast.Attribute) and node.attr in ("dot", "tensordot", "inner")), (
                f"{path.name}: write matmul(a, b) for {node.attr}(a, b)")


@pytest.mark.parametrize("name", FILES)
def test_peers_are_imported_by_files_that_begin_with_peer_only(name):
    found = set()
    for node in ast.walk(ast.parse(FILES[name].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.split(".")[0])
    assert not found & PEERS or Path(name).name.startswith("peer") or name in ASK_TORCH
    assert "cupy" not in found or name in KNOWS_CUPY


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_short_and_says_what_it_is(name):
    text = FILES[name].read_text("utf-8")
    assert len(text.splitlines()) <= 120
    assert ast.get_docstring(ast.parse(text))


def test_the_readme_names_every_file():
    text = (ROOT / "README.md").read_text("utf-8")
    files = text[text.index("## Files") : text.index("## What is compared")]
    missing = [name for name in FILES if "__" not in name and Path(name).name not in files]
    assert not missing


def test_every_folder_but_the_instruments_measures_one_word_of_the_command_line():
    from benchmarks.command import MEASURES

    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders == {what.replace("-", "_") for what in MEASURES} | {"measure"}
    assert all((ROOT / folder / "benchmark.py").is_file() for folder in folders - {"measure"})
