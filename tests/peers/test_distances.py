"""The Fréchet distance with scipy's square root of a matrix, as it is usually computed."""

from __future__ import annotations

import numpy as np
import pytest

from minidiff.evaluation import frechet_distance

linalg = pytest.importorskip("scipy.linalg")


@pytest.mark.parametrize(("features", "count"), [(3, 50), (16, 300), (64, 400)])
def test_the_frechet_distance_is_that_of_the_matrix_square_root(features, count, agree):
    rng = np.random.default_rng(0)
    mix_a, mix_b = rng.standard_normal((2, features, features))
    a = rng.standard_normal((count, features)) @ mix_a
    b = rng.standard_normal((count + 7, features)) @ mix_b + 0.3
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    shared = np.trace(linalg.sqrtm(cov_a @ cov_b)).real
    theirs = ((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * shared
    agree("Fréchet distance", np.float64(frechet_distance(a, b)), theirs, 1e-9)
