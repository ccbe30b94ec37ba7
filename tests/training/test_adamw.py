"""AdamW: its formula, and the plain update against the fast one."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from tiny_training import STAGE

from minidiff import ops
from minidiff.nn.module import Parameter
from minidiff.ops import plain
from minidiff.training.flat import Flat
from minidiff.training.optimizers.adamw import AdamW
from minidiff.training.update import update_parameters


def test_adamw_follows_its_formula_for_ten_steps():
    rng = np.random.default_rng(0)
    flat = Flat([Parameter(rng.normal(size=shape)) for shape in ((3, 4), (5,), ())])
    w = flat.value.copy()
    adam = AdamW(flat, [], replace(STAGE, beta1=0.8, beta2=0.95, weight_decay=0.1), eps=1e-6)
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t in range(1, 11):
        g = rng.normal(size=w.shape)
        flat.grad[...] = g
        update_parameters(flat, adam, flat.value.copy(), t, lr=0.01)
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g * g
        w = w - 0.01 * (m / (1 - 0.8**t) / (np.sqrt(v / (1 - 0.95**t)) + 1e-6) + 0.1 * w)
        assert_allclose(flat.value, w, rtol=1e-12, atol=1e-14)
        for name, moment in (("first", m), ("second", v)):
            assert_allclose(adam.state()[name], moment, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("shape", [(1000,), ()])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_kernel_of_the_update_equals_the_plain_one_to_rounding(dtype, shape):
    rng, eps = np.random.default_rng(0), np.finfo(dtype).eps
    w = np.array(rng.standard_normal(shape), dtype)
    ours, theirs = ([w.copy(), np.zeros_like(w), np.zeros_like(w), w.copy()] for _ in range(2))
    for step in range(1, 11):
        g = np.array(rng.standard_normal(shape), dtype)
        g.flags.writeable = False
        options = {"scale": g.dtype.type(0.3), "step": step, "lr": 0.01, "decay": 0.5}
        options |= {"beta1": 0.8, "beta2": 0.95, "eps": 1e-6, "weight_decay": 0.1}
        for (weights, first, second, average), kernels in ((ours, nullcontext), (theirs, plain)):
            with kernels():
                ops.adamw(weights, g, first, second, average=average, **options)
        for a, b in zip(ours, theirs, strict=True):
            assert a.dtype == b.dtype == dtype
            assert_allclose(a, b, rtol=10 * eps, atol=10 * eps)
