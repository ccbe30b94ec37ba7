"""Distances of two sets of feature vectors, on Gaussians whose distance is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minidiff.errors import UserError
from minidiff.evaluation import frechet_distance, frechet_error, kernel_distance


def exact(rng, mean, root, count=50):
    """Vectors whose own mean and covariance are exactly `mean` and root @ root.T."""
    x = rng.standard_normal((count, len(mean)))
    x -= x.mean(axis=0)
    x = x @ np.linalg.inv(np.linalg.cholesky(x.T @ x / (count - 1))).T
    return mean + x @ root.T


def test_the_frechet_distance_of_two_gaussians_that_vary_along_the_same_axes(rng):
    """For covariances that commute it is ‖μa − μb‖² + Σ (√λa − √λb)²."""
    axes = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    mean_a, mean_b = rng.standard_normal((2, 5))
    std_a, std_b = rng.uniform(0.1, 3, (2, 5))
    a, b = exact(rng, mean_a, axes * std_a), exact(rng, mean_b, axes * std_b, 70)
    expected = ((mean_a - mean_b) ** 2).sum() + ((std_a - std_b) ** 2).sum()
    assert_allclose(frechet_distance(a, b), expected, rtol=1e-10, atol=0)


def test_the_frechet_distance_of_two_correlated_gaussians_in_the_plane(rng):
    """In two dimensions tr √M = √(tr M + 2 √det M)."""
    root_a, root_b = rng.standard_normal((2, 2, 2))
    cov_a, cov_b = root_a @ root_a.T, root_b @ root_b.T
    product = cov_a @ cov_b
    shared = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    a, b = exact(rng, np.zeros(2), root_a), exact(rng, np.zeros(2), root_b)
    assert_allclose(frechet_distance(a, b), np.trace(cov_a) + np.trace(cov_b) - 2 * shared, rtol=1e-10, atol=0)
    assert np.abs(cov_a @ cov_b - cov_b @ cov_a).max() > 0.1


def test_the_frechet_distance_is_symmetric_and_zero_for_the_same_set_even_if_it_is_small(rng):
    a, b = rng.standard_normal((2, 6, 20)).astype(np.float32)
    assert_allclose(frechet_distance(a, b), frechet_distance(b, a), rtol=1e-5, atol=0)
    assert abs(frechet_distance(a, a)) < 1e-5 * frechet_distance(a, b)


def test_the_frechet_error_is_how_much_the_distance_differs_from_one_sample_to_the_next(rng):
    def sets():
        return rng.standard_normal((400, 3)), 2 * rng.standard_normal((300, 3)) + 1

    spread = np.std([frechet_distance(*sets()) for _ in range(100)], ddof=1)
    errors = [frechet_error(*sets()) for _ in range(10)]
    assert_allclose(np.mean(errors), spread, rtol=0.25, atol=0)
    a, b = sets()
    assert frechet_error(a, b) == frechet_error(a, b) != frechet_error(a, b, seed=1)


def test_the_kernel_distance_is_zero_on_average_and_its_error_is_its_spread(rng):
    found = np.array([kernel_distance(*rng.standard_normal((2, 60, 4)), parts=6) for _ in range(300)])
    spread = found[:, 0].std(ddof=1)
    assert abs(found[:, 0].mean()) < 3 * spread / np.sqrt(len(found))
    assert (found[:, 0] < 0).mean() > 0.3  # unbiased, so often negative
    assert_allclose(np.sqrt((found[:, 1] ** 2).mean()), spread, rtol=0.15, atol=0)


def test_the_kernel_distance_is_zero_on_average_for_vectors_that_belong_together(rng):
    found = []
    for _ in range(300):
        a = rng.standard_normal((60, 4))
        found.append(kernel_distance(a, a + 0.1 * rng.standard_normal(a.shape), parts=6)[0])
    assert abs(np.mean(found)) < 3 * np.std(found, ddof=1) / np.sqrt(len(found))


def test_the_kernel_distance_of_two_constant_sets_is_known():
    """k(a, a) + k(b, b) − 2 k(a, b) with all vectors of a set equal."""
    a, b = np.array([1.0, -2.0, 0.5]), np.array([0.0, 3.0, 1.0])
    expected = sum(sign * (x @ y / 3 + 1) ** 3 for sign, x, y in ((1, a, a), (1, b, b), (-2, a, b)))
    distance, error = kernel_distance(np.tile(a, (8, 1)), np.tile(b, (12, 1)))
    assert_allclose(distance, expected, rtol=1e-12, atol=0)
    assert error < 1e-12


def test_sets_that_differ_are_many_errors_apart(rng):
    a, b = rng.standard_normal((200, 8)), rng.standard_normal((200, 8)) + 0.7
    distance, error = kernel_distance(a, b)
    assert distance > 5 * error > 0
    assert kernel_distance(a, b) == (distance, error)
    assert frechet_distance(a, b) > 5 * frechet_error(a, b)


def test_too_few_images_are_an_error_that_says_so(rng):
    with pytest.raises(UserError, match="at least 4"):
        kernel_distance(*rng.standard_normal((2, 3, 5)))
    with pytest.raises(UserError, match="at least 2"):
        frechet_distance(*rng.standard_normal((2, 1, 5)))
