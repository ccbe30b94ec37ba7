"""Lion: its formula."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.testing import assert_allclose
from tiny_training import STAGE

from minidiff.nn.module import Parameter
from minidiff.training.flat import Flat
from minidiff.training.optimizers.lion import Lion
from minidiff.training.update import update_parameters


def test_lion_follows_its_formula_for_ten_steps():
    rng = np.random.default_rng(0)
    flat = Flat([Parameter(rng.normal(size=shape)) for shape in ((3, 4), (5,), ())])
    w, m = flat.value.copy(), np.zeros_like(flat.value)
    lion = Lion(flat, [], replace(STAGE, beta1=0.7, beta2=0.95, weight_decay=0.1))
    for step in range(1, 11):
        g = rng.normal(size=w.shape)
        flat.grad[...] = g
        update_parameters(flat, lion, flat.value.copy(), step, lr=0.01)
        w = w - 0.01 * (np.sign(0.7 * m + 0.3 * g) + 0.1 * w)
        m = 0.95 * m + 0.05 * g
        assert_allclose(flat.value, w, rtol=1e-12, atol=1e-14)
        assert_allclose(lion.state()["momentum"], m, rtol=1e-12, atol=1e-14)
