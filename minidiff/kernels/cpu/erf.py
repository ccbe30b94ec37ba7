"""The error function in float32 as the tanh of a polynomial, for the kernels of GELU and GEGLU (no op by itself)."""

from __future__ import annotations

import numpy as np

from ...ops.erf import erf as exact_erf

# erf(x) ≈ tanh(x · P(x²)), where x · P(x²) is fitted to atanh(erf(x)) for |x| ≤ 4, with errors weighted by their effect
# on erf. Beyond 4 the polynomial grows even faster, and its tanh rounds to ±1.
P = (1.58953090e-07, -5.98559252e-06, 8.97120961e-05, -6.25718458e-04, -1.84384859e-04, 1.02765482e-01, 1.12837971e+00)


def erf(x):
    """erf(x), with an absolute error of at most 2e-7 in float32; float64 takes the exact one of the ops.

    x (...) -> y (...)
    """
    if x.dtype.itemsize == 8:
        return exact_erf(x)
    clipped = np.clip(x, -5.0, 5.0).astype("float32", copy=False)
    square = clipped * clipped
    y = P[0] * square + P[1]
    for coefficient in P[2:]:
        y *= square
        y += coefficient
    y *= clipped
    return np.tanh(y, out=y).astype(x.dtype, copy=False)
