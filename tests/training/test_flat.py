"""The flat buffers."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_array_equal

from minidiff.nn.module import Parameter
from minidiff.training import optimizer
from minidiff.training.optimizer import AdamW, Flat


def test_flat_parameters_are_views_that_keep_their_values_and_addresses():
    parameters = [Parameter(np.arange(6.0).reshape(2, 3)), Parameter(np.arange(4.0))]
    flat = Flat([*parameters, parameters[0]])  # a shared parameter is there once
    assert flat.value.size == 10
    assert_array_equal(parameters[0].value, np.arange(6.0).reshape(2, 3))
    flat.value[...] = 7
    flat.grad[...] = 3
    assert all((p.value == 7).all() and (p.grad == 3).all() for p in parameters)


def test_an_update_in_blocks_equals_one_in_one_piece(monkeypatch):
    def trained(block):
        monkeypatch.setattr(optimizer, "BLOCK", block)
        flat = Flat([Parameter(np.linspace(-1, 1, 50))])
        adam = AdamW(flat, (0.9, 0.99), 0.01)
        flat.grad[...] = np.cos(np.arange(50))
        adam.step(1, lr=0.1)
        return flat.value

    assert_array_equal(trained(7), trained(1000))
