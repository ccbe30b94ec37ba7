"""Muon: its formula, and the orthogonalisation of matrices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from tiny_training import STAGE

from minidiff.nn.module import Module, Parameter
from minidiff.training import flat as flat_module
from minidiff.training.flat import Flat
from minidiff.training.optimizers import muon as muon_module
from minidiff.training.optimizers.adamw import AdamW
from minidiff.training.optimizers.muon import Muon, orthogonal
from minidiff.training.update import update_parameters


def newton_schulz(x):
    """Jordan et al.'s iteration as they write it."""
    x = x / np.linalg.norm(x)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 9), st.floats(1e-6, 1e6))
def test_the_momentum_of_a_matrix_keeps_its_directions_and_loses_their_sizes(rows, columns, seed, size):
    x = size * np.random.default_rng(seed).standard_normal((rows, columns))
    stack = np.stack([np.ones_like(x), x, np.zeros_like(x)])
    stack.flags.writeable = False
    [[_, y, none]] = orthogonal(stack)
    assert not none.any()
    expected = newton_schulz(x) if rows <= columns else newton_schulz(x.T).T
    assert_allclose(y, expected, rtol=0, atol=1e-9)
    u, sizes, v = np.linalg.svd(x, full_matrices=False)
    in_its_directions = u.T @ y @ v.T
    new = np.diagonal(in_its_directions)
    assert_allclose(in_its_directions, np.diag(new), rtol=0, atol=1e-9)
    large = sizes > 0.01 * np.linalg.norm(x)
    assert (new[large] > 0.65).all()
    assert (new < 1.25).all()


def test_stacks_with_the_same_shorter_side_are_iterated_together(rng):
    stacks = [rng.standard_normal(shape) for shape in ((2, 3, 7), (1, 9, 3), (3, 3, 3))]
    for x, y in zip(stacks, orthogonal(*stacks), strict=True):
        assert_allclose(y, orthogonal(x)[0], rtol=0, atol=1e-12)


def test_muon_moves_matrices_and_leaves_the_rest_to_adamw(monkeypatch):
    monkeypatch.setattr(flat_module, "BLOCK", 5)
    monkeypatch.setattr(muon_module, "STACK", 2 * 18 * 4)
    rng = np.random.default_rng(0)

    class Model(Module):
        def __init__(self):
            for name, shape in (("bias", (4,)), ("conv", (3, 3, 2, 4)), ("second", (3, 6, 4)), ("third", (3, 6, 4)),
                                ("other", (7,)), ("norm", (6,)), ("apart", (18, 4)), ("wide", (4, 9)),
                                ("tall", (10, 4)), ("linear", (5, 3)), ("last", (2, 8)), ("token_embedding", (6, 3)),
                                ("patch_embedding", (2, 2, 3, 5)), ("position_embedding", (4, 5))):
                setattr(self, name, Parameter(rng.normal(size=shape)))

    model, twin = Model(), Model()
    for own, other in zip(model.parameters(), twin.parameters(), strict=True):
        other.value = own.value.copy()
    flat, plain = Flat(model.parameters()), Flat(twin.parameters())
    settings = replace(STAGE, beta1=0.8, beta2=0.95, weight_decay=0.1, muon_rate=2.0)
    muon, adam = Muon(flat, [model], settings, momentum=0.7), AdamW(plain, [twin], settings)
    average = flat.value.copy()
    shapes = [[shape for _, shape in stacks] for stacks in muon.stacks.values()]
    assert shapes == [[(2, 8)], [(4, 9), (10, 4)], [(18, 4)], [(18, 4)], [(12, 5)], [(5, 3)]]  # two and two of (18, 4)
    matrices = {**dict.fromkeys(("conv", "second", "third", "apart"), (18, 4)), "linear": (5, 3), "last": (2, 8),
                "patch_embedding": (12, 5), "wide": (4, 9), "tall": (10, 4)}
    w = {name: getattr(model, name).value.reshape(shape).copy() for name, shape in matrices.items()}
    m = {name: np.zeros(shape) for name, shape in matrices.items()}
    for t in range(1, 11):
        flat.grad[...] = plain.grad[...] = rng.normal(size=flat.value.shape)
        g = {name: getattr(model, name).grad.reshape(shape).copy() for name, shape in matrices.items()}
        norm = update_parameters(flat, muon, average, t, lr=0.01, clip=3.0, average_decay=0.9)
        update_parameters(plain, adam, plain.value.copy(), t, lr=0.01, clip=3.0)
        for name, shape in matrices.items():
            clipped = g[name] * min(1.0, 3.0 / (norm + 1e-6))
            m[name] = 0.7 * m[name] + 0.3 * clipped
            change = 0.3 * clipped + 0.7 * m[name]
            change = newton_schulz(change) if shape[0] <= shape[1] else newton_schulz(change.T).T
            w[name] = w[name] - 2.0 * 0.01 * (0.2 * max(shape) ** 0.5 * change + 0.1 * w[name])
    for name, parameter in model.named_parameters():
        if name in matrices:
            assert_allclose(parameter.value.reshape(matrices[name]), w[name], rtol=1e-9, atol=1e-12)
        else:
            assert_array_equal(parameter.value, getattr(twin, name).value)
    for parameter, part in flat.slices():
        assert (average[part] != parameter.value.reshape(-1)).all()
