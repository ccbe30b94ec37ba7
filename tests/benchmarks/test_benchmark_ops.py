"""Every op of the case table is timed, at a size for each of its letters, with the operations of its products."""

from __future__ import annotations

import re
from contextlib import contextmanager

import numpy as np
import pytest
from op_cases import CASES
from op_cases import case as line
from shape_line import letters_in

import minidiff.ops
from benchmarks.measure.checks import Different
from benchmarks.measure.products import counted
from benchmarks.ops import benchmark, runs, sizes

ONCE = {"rounds": 1, "pause": 0.0, "least": 0.0}


def measured(match, ceilings):
    return list(benchmark.measure(["tiny"], match, ceilings=ceilings, **ONCE))


def test_every_op_of_the_case_table_is_timed_forward_and_backward(ceilings, monkeypatch):
    monkeypatch.setattr(runs, "gpu_available", lambda: False)
    found = measured("", ceilings)
    timed = {tuple(row["what"].rpartition(", ")[::2]) for row in found}
    assert {name.split(",")[0] for name, _ in timed} == {case.op.__name__ for case in CASES}
    assert {(name, direction) for name, _ in timed for direction in ("forward", "backward")} == timed
    assert all(row["times"].keys() == {"NumPy plain", "NumPy"} for row in found)
    assert {row["what"] for row in found if not row["bytes"]} == {"concat, backward", "split, forward"}  # views


@pytest.mark.parametrize("size", sizes.SIZES)
def test_every_letter_has_a_size(size):
    legend = re.findall(r"\b([A-Z]|k)\b", minidiff.ops.__doc__)
    in_use = [letter for case in CASES for letter in letters_in(case.arguments)]
    assert {*legend, *in_use} - sizes.SIZES[size][0].keys() == set(), "give these letters a size in ops/sizes.py"


@pytest.mark.parametrize("size", sizes.SIZES)
def test_groups_and_heads_divide_the_channels(size):
    for case, letters in sizes.cases(size):
        assert letters.get("C", 0) % max(case.options.get("groups", 1), case.options.get("heads", 1)) == 0, case


@pytest.mark.parametrize("size", sizes.SIZES)
def test_only_ops_of_the_table_have_sizes_of_their_own(size):
    assert sizes.SIZES[size][1].keys() <= {case.op.__name__ for case in CASES}


def test_a_new_elementwise_op_has_the_rows_and_channels_of_a_feature_map(monkeypatch):
    @minidiff.ops.op
    def cube(x, scale=1.0):
        """y = scale · x³

        x (...) -> y (...)
        """
        return scale * x**3, lambda dy: 3 * scale * x**2 * dy

    monkeypatch.setattr(sizes, "CASES", [line(cube), line(cube, scale=2.0)])
    [(found, letters)] = sizes.cases("small")  # another value of an option with a default costs the same
    assert (found.label, found.options) == ("cube", {})
    assert letters == {".0": 16 * 256, ".1": 64}


def test_a_linear_layer_counts_two_operations_a_weight_and_row(ceilings):
    forward, backward = measured("linear, no bias", ceilings)
    assert forward["operations"] == 2 * (2 * 6) * 8 * 12
    assert backward["operations"] == 2 * forward["operations"]
    assert forward["bytes"] == 4 * ((2 * 6) * 8 + 8 * 12 + (2 * 6) * 12)


def test_bytes_are_those_that_must_be_moved(ceilings):
    found = {row["what"]: row for what in ("embedding, forward", "patchify, size=2, backward", "split, forward")
             for row in measured(what, ceilings)}
    assert found["embedding, forward"]["bytes"] <= 2 * 4 * (2 * 4) * 32 + 8 * (2 * 4)  # of a table of 20 rows
    assert found["patchify, size=2, backward"]["bytes"] == 2 * 4 * 2 * 6 * 12 * 32
    assert "GB/s" not in found["split, forward"]


def test_a_missing_gradient_is_different():
    run = runs.OpRun("cpu", (), (None,), None, None)
    with pytest.raises(Different):
        benchmark.largest_error(line(minidiff.ops.silu), "NumPy", run, run._replace(gradients=(np.ones(3),)))


@pytest.mark.parametrize(("label", "operations"), [
    ("conv2d, k=3", 2 * (2 * 6 * 12 * 12) * 9 * 8),
    ("attention", 4 * 2 * 9 * 5 * 32),
    ("contrastive", 2 * 2 * 2 * 32),
    ("silu", 0),
])
def test_operations_are_those_of_the_products_forward_and_twice_as_many_backward(label, operations, ceilings):
    found = {row["what"]: row["operations"] for row in measured(label, ceilings)}
    assert found[f"{label}, forward"] == operations
    assert found[f"{label}, backward"] == 2 * operations


def test_every_product_of_an_op_is_counted():
    with counted() as operations:
        minidiff.ops.linear(np.ones((6, 8)), np.ones((12, 8)))[1](np.ones((6, 12)))
    assert operations == [2 * 6 * 8 * 12] * 3
    minidiff.ops.linear(np.ones((6, 8)), np.ones((12, 8)))
    assert len(operations) == 3


def test_a_runtime_is_a_device_and_the_context_in_which_its_ops_run(ceilings, monkeypatch):
    inside, depth = [], [0]

    @contextmanager
    def context():
        depth[0] += 1
        yield
        depth[0] -= 1

    def silu(x):
        inside.append(depth[0])
        y, back = minidiff.ops.silu(x)
        return y, lambda dy: (inside.append(depth[0]), back(dy))[1]

    silu.__doc__, silu.__name__ = minidiff.ops.silu.__doc__, "silu"
    x = np.ones((3, 4), np.float32)
    run = runs.our_run(line(silu), [x], [x], "cpu", context)
    run.forward(), run.backward()
    assert inside == [1] * 4 and depth == [0]
    monkeypatch.setattr(runs, "OURS", {"one": ("cpu", context), "two": ("cpu", context)})
    assert all(row["times"].keys() == {"one", "two"} for row in measured("silu", ceilings))
