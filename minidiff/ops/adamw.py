"""The update of AdamW, with clipping and a moving average. It has no backward pass."""

from ..backend import array_module
from .average import follow
from .dispatch import replaceable


@replaceable
def adamw(w, g, m, v, step, lr, beta1, beta2, eps, weight_decay, *, scale=1.0, average=None, decay=0.0):
    """w ← w − lr (m̂ / (√v̂ + ε) + λ w),  m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)

    m ← β₁ m + (1 − β₁) s g,  v ← β₂ v + (1 − β₂) (s g)²,  a ← a + (1 − d) (w − a)

    w (...), g (...), m (...), v (...), average (...) -> w (...), m (...), v (...), average (...), all in place

    Loshchilov & Hutter 2019, algorithm 2, with λ = `weight_decay` scaled by lr as in PyTorch; t = `step` counts from 1.
    m and v start at zero, which biases them towards zero in the first steps; m̂ and v̂ are unbiased. s = `scale` clips
    the gradient, and d = `decay` is that of the moving average a, if there is one.
    """
    g = scale * g
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + (1 - beta2) * g * g
    m_hat = m / (1 - beta1**step)
    v_hat = v / (1 - beta2**step)
    w -= lr * (m_hat / (array_module(w).sqrt(v_hat) + eps) + weight_decay * w)
    if average is not None:
        follow(average, w, decay)
