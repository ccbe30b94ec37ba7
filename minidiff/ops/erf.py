"""The error function, which NumPy lacks, by rational approximations for three ranges of |x|.

Cody 1969, "Rational Chebyshev approximations for the error function". Each pair holds the coefficients of a numerator
and a denominator, highest power first.
"""

import math

from ..backend import array_module, full_precision

SMALL = ((1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2, 3.77485237685302021e2,
          3.20937758913846947e3),
         (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3))
MIDDLE = ((2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1,
           2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
           1.23033935479799725e3),
          (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
           3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3))
LARGE = ((1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
          1.60837851487422766e-2, 6.58749161529837803e-4),
         (1.0, 2.56852019228982242e0, 1.87295284992346725e0, 5.27905102951428412e-1, 6.05183413124413191e-2,
          2.33520497626869185e-3))


def erf(x):
    """erf(x) = 2/√π ∫₀ˣ exp(−s²) ds; absolute error at most 1e-15 in float64, 2e-7 in float32.

    x (...) -> y (...)
    """
    xp, wide = array_module(x), full_precision(x)
    magnitude = abs(wide)
    # All three are evaluated for every x, clipped to about their own range so that nothing overflows.
    s, m, t = wide.clip(-0.5, 0.5), magnitude.clip(0.4, 4.0), magnitude.clip(4.0, 6.0)
    small = s * ratio(SMALL, s * s)
    middle = 1 - xp.exp(-m * m) * ratio(MIDDLE, m)
    large = 1 - xp.exp(-t * t) / t * (1 / math.sqrt(math.pi) - ratio(LARGE, 1 / (t * t)) / (t * t))
    y = xp.where(magnitude <= 0.46875, small, xp.copysign(xp.where(magnitude <= 4.0, middle, large), wide))
    return y.astype(x.dtype, copy=False)


def ratio(polynomials, x):
    """numerator(x) / denominator(x)"""
    numerator, denominator = (horner(coefficients, x) for coefficients in polynomials)
    return numerator / denominator


def horner(coefficients, x):
    """A polynomial of x by Horner's rule."""
    y = coefficients[0]
    for coefficient in coefficients[1:]:
        y = y * x + coefficient
    return y
