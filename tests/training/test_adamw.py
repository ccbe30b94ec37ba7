"""AdamW's formula."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from minidiff.nn.module import Parameter
from minidiff.training.optimizer import AdamW, Flat


def test_adamw_follows_its_formula_for_ten_steps():
    rng = np.random.default_rng(0)
    parameters = [Parameter(rng.normal(size=shape)) for shape in ((3, 4), (5,), ())]
    flat = Flat(parameters)
    w = flat.value.copy()
    adam = AdamW(flat, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)
    m, v, average = np.zeros_like(w), np.zeros_like(w), w.copy()
    for t in range(1, 11):
        g = rng.normal(size=w.shape)
        flat.grad[...] = g
        norm = adam.step(t, lr=0.01, clip=3.0, average_decay=0.9)
        assert_allclose(norm, np.linalg.norm(g), rtol=1e-12, atol=0)
        g = g * min(1.0, 3.0 / (np.linalg.norm(g) + 1e-6))
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g * g
        w = w - 0.01 * (m / (1 - 0.8**t) / (np.sqrt(v / (1 - 0.95**t)) + 1e-6) + 0.1 * w)
        average = 0.9 * average + 0.1 * w
        assert_allclose(flat.value, w, rtol=1e-12, atol=1e-14)
        assert_allclose(adam.average, average, rtol=1e-12, atol=1e-14)
