"""Training steps and denoising forward passes, at the sizes of sizes.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from minidiff.nn.threads import cores

from ..measure import process
from ..measure.threads import limited
from .denoising import measure_denoising
from .sizes import SIZES
from .stages import stages
from .training import measure_step


def measure(sizes: Sequence[str] = ("tiny", "small", "medium"), match: str = "", rounds: int = 7, pause: float = 0.1,
            threads: int | None = None, device: str = "cpu", busy: int = 0,
            compiled: bool = False) -> Iterator[dict]:
    """Rows of single steps and calls, while `busy` other processes each keep a core busy.

    With `compiled`, denoising is also compared with networks that were compiled.
    """
    threads = threads or cores()
    with limited(threads), process.busy(busy):
        for size in sizes:
            for stage in stages(SIZES[size], device):
                if match in f"{stage.name} step":
                    yield measure_step(stage, size, rounds, pause, threads, device)
                if stage.name == "diffusion" and match in "denoising forward":
                    yield from measure_denoising(stage, size, rounds, pause, threads, device, compiled)
