"""The flat buffers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minidiff.nn.module import Parameter
from minidiff.training.flat import Flat


def test_flat_parameters_are_views_that_keep_their_values_and_addresses():
    parameters = [Parameter(np.arange(6.0).reshape(2, 3)), Parameter(np.arange(4.0))]
    flat = Flat([*parameters, parameters[0]])  # a shared parameter is there once
    assert flat.value.size == 10
    assert_array_equal(parameters[0].value, np.arange(6.0).reshape(2, 3))
    flat.value[...] = 7
    flat.grad[...] = 3
    assert all((p.value == 7).all() and (p.grad == 3).all() for p in parameters)


def test_matrices_of_whole_vectors_lie_at_addresses_of_whole_vectors():
    shapes = [(3,), (), (4, 4), (2, 6), (5,), (3, 8), (2, 6), (7, 3)]
    flat = Flat([Parameter(np.zeros(shape)) for shape in shapes])
    assert [part.start % 4 for p, part in flat.slices() if p.value.size % 4 == 0] == [0] * 4
    ordered = [p.value.shape for p in flat.parameters]
    assert ordered.index((2, 6)) + 1 == len(ordered) - 1 - ordered[::-1].index((2, 6))  # side by side


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 7), st.integers(1, 20))
def test_blocks_cover_a_range_in_whole_units(start, units, unit, size):
    flat = Flat([Parameter(np.zeros(500))])
    parts = flat.blocks(start, start + units * unit, unit, size)
    assert [i for part in parts for i in range(part.start, part.stop)] == [*range(start, start + units * unit)]
    assert all((part.stop - part.start) % unit == 0 for part in parts)
    assert all(part.stop - part.start <= max(size, unit) for part in parts)
