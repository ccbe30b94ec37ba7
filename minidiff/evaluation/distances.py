"""How far two sets of images are apart, as distances between the distributions of their feature vectors.

Neither says which image is bad, and both depend on the features: compare only distances of the same features. The
Fréchet distance is biased: of two sets of 400 vectors from one Gaussian with 64 values of variance 1 it is 5.6, of
4,000 vectors 0.54. So state N, and compare it for equal N only. The kernel distance is right on average for any N, so
it may be negative.
"""

from __future__ import annotations

import numpy as np

from ..backend import random_stream
from ..errors import UserError

PARTS = 10        # of each set, from which the kernel distance and its error are computed
RESAMPLES = 30    # for the error of the Fréchet distance


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """‖μa − μb‖² + tr(Σa + Σb − 2 (Σa Σb)^½): the distance of two Gaussians with these means and covariances.

    a (N, F), b (M, F) -> d

    Heusel et al. 2017 (1706.08500), eq. 6. Σa Σb has the eigenvalues of the symmetric Σa^½ Σb Σa^½.
    """
    (mean_a, cov_a), (mean_b, cov_b) = moments(a), moments(b)
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ cov_b @ root).clip(0)).sum()
    return float(((mean_a - mean_b) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * shared)


def moments(features):
    """The mean and the covariance of feature vectors, in float64."""
    if len(features) < 2:
        raise UserError(f"{len(features)} images have no covariance: use at least 2")
    x = features.astype(np.float64)
    centred = x - x.mean(axis=0)
    return x.mean(axis=0), centred.T @ centred / (len(x) - 1)


def frechet_error(a: np.ndarray, b: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> float:
    """The sampling error of `frechet_distance(a, b)`: its standard deviation over bootstrap resamples of both sets.

    a (N, F), b (M, F) -> error
    """
    rng = random_stream(seed)
    found = [frechet_distance(*(x[rng.integers(len(x), size=len(x))] for x in (a, b))) for _ in range(resamples)]
    return float(np.std(found, ddof=1))


def kernel_distance(a: np.ndarray, b: np.ndarray, parts: int = PARTS, seed: int = 0) -> tuple[float, float]:
    """mean k(a, a') + mean k(b, b') − 2 mean k(a, b) with k(x, y) = (x·y / F + 1)³, and its standard error.

    a (N, F), b (M, F) -> distance, error

    The unbiased MMD² of Bińkowski et al. 2018 (1801.01401): a ≠ a' and b ≠ b'. It is the mean over disjoint random
    parts of both sets. Their estimates are independent, so its standard error is their deviation divided by √parts.
    Vector n of a and vector n of b may belong together, as images of one caption do. Where N = M they are never
    compared, since what they have in common would make the distance too small.
    """
    parts = min(parts, len(a) // 2, len(b) // 2)
    if parts < 2:
        raise UserError(f"{min(len(a), len(b))} images are too few for a distance with an error: use at least 4")
    first, second = (np.array_split(x[random_stream(seed).permutation(len(x))].astype(np.float64), parts)
                     for x in (a, b))
    found = [squared_mmd(x, y) for x, y in zip(first, second[1:] + second[:1], strict=True)]
    return float(np.mean(found)), float(np.std(found, ddof=1) / np.sqrt(parts))


def squared_mmd(x, y):
    """The unbiased MMD² of two sets: no vector is compared with itself."""
    def among(z):
        k = kernel(z, z)
        return (k.sum() - np.trace(k)) / (len(z) * (len(z) - 1))

    return among(x) + among(y) - 2 * kernel(x, y).mean()


def kernel(x, y):
    return (x @ y.T / x.shape[1] + 1) ** 3
