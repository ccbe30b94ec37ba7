"""What ops are compared with: a large product by the BLAS of NumPy or CuPy, and copies, on a CPU by one thread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minidiff.backend import array_module, matmul, to_device

from .timing import interleaved


@dataclass(frozen=True)
class Ceilings:
    """GFLOP/s of a large product in float32, and (bytes read and written, GB/s) of copies from small to large."""

    gemm: float
    copies: tuple[tuple[int, float], ...]

    def copy(self, count: float) -> float:
        """GB/s of the copy that moves about as much: small ones stay in a cache."""
        return min(self.copies, key=lambda copy: abs(np.log(copy[0] / max(count, 1))))[1]

    def seconds(self, flops: float, count: float) -> float:
        """The least time for so many operations and so many bytes (Williams et al. 2009)."""
        return max(flops / self.gemm, count / self.copy(count)) / 1e9

    def to_dict(self) -> dict:
        return {"gemm GFLOP/s": self.gemm, "copy GB/s": dict(self.copies)}


def measure_ceilings(device: str = "cpu", side: int = 2048, largest: int = 1 << 28, rounds: int = 5) -> Ceilings:
    rng = np.random.default_rng(0)
    a, b = (to_device(rng.standard_normal((side, side), np.float32), device) for _ in range(2))
    y = matmul(a, b)
    products = interleaved({"gemm": lambda: matmul(a, b, out=y)}, rounds, 0.0, 0.05)
    copies = []
    size = 1 << 15
    while size <= largest:
        source = to_device(rng.standard_normal(size // 8, np.float32), device)  # read and written: twice four bytes
        target = array_module(source).empty_like(source)

        def copy(source=source, target=target):
            target[...] = source

        times = interleaved({"copy": copy}, rounds, 0.0, 0.01)
        copies.append((size, size / 1e9 / times["copy"].minimum))
        size *= 4
    return Ceilings(2 * side**3 / 1e9 / products["gemm"].minimum, tuple(copies))
