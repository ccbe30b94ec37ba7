"""The losses of a training run as event files, which TensorBoard shows: tensorboard --logdir runs

tensorboardX, which writes them, is imported only when they are asked for.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

from ..errors import UserError
from ..training.loop import Progress


def check_events() -> None:
    """Raises UserError if event files cannot be written."""
    try:
        import tensorboardX  # noqa: F401
    except ImportError as error:
        raise UserError("--tensorboard needs tensorboardX: pip install minidiff[tensorboard]") from error


def with_events(progress: Generator[Progress], folder: Path) -> Iterator[Progress]:
    """The same progress, each written into `folder` too: STAGE/NAME is the curve of a loss, a rate or a speed."""
    from tensorboardX import SummaryWriter

    with closing(progress), SummaryWriter(str(folder)) as writer:
        for now in progress:
            scalars = now.losses | {"samples_per_second": now.samples_per_second}
            if now.losses:
                scalars |= {"learning_rate": now.learning_rate, "gradient_norm": now.gradient_norm}
            for name, value in scalars.items():
                writer.add_scalar(f"{now.stage}/{name}", value, now.step)
            yield now
