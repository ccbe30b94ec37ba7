"""Processes that train one model together, on one machine or many: `mpiexec -n K minidiff train ...` starts K of them.

MPI gives each its rank, a number from 0 to K - 1, and carries what they send each other. All have the whole model. Each
draws the whole batch, learns its own rows of it, and the gradients of all are added up:

    g = Σ_r (n_r / N) · g_r         n_r of N rows at rank r; g_r is the gradient of their mean loss

Then each changes its own copy of the parameters by the same g. The first one is in charge: it decides, writes and
prints, and the others follow (follow.py). Without mpiexec a process is alone, none of this happens, and mpi4py is not
imported.
"""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np

from ..backend import array_module, resolve_device, to_host, use_gpu
from ..backend.nccl import GPUs, nccl_available, new_name
from ..errors import UserError
from ..nn.threads import cores

COUNTS = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")  # set by MPICH and others, Open MPI, Slurm
LONGEST_SLEEP = 0.05  # seconds between two looks for a message
PASSING_ON = 0.5      # seconds that mpiexec is given for an error message


class Ranks:
    """This process among those that were started with it; `mpi` is mpi4py's module, None for one that is alone."""

    def __init__(self, mpi=None):
        self.mpi, self.comm, self.gpus = mpi, mpi and mpi.COMM_WORLD, None
        self.rank, self.size = (self.comm.rank, self.comm.size) if mpi else (0, 1)
        self.local = self.comm.Split_type(mpi.COMM_TYPE_SHARED) if mpi else None  # those on the same machine
        self.in_step = False

    def device(self, name: str) -> str:
        """'auto', 'cpu' or 'cuda' -> 'cpu' or 'cuda'; from then on each process of a machine uses a GPU of its own."""
        device = resolve_device(name)
        if device == "cuda" and self.local:
            use_gpu(self.local.rank)
        return device

    def threads(self, wanted: int | None = None) -> int | None:
        """The cores of this process, if the ones of its machine are divided; None, for all, if it is alone."""
        return wanted if wanted or not self.local else max(1, cores() // self.local.size)

    def part(self, *arrays) -> list:
        """The rows of this rank."""
        return [array[self.rank * len(array) // self.size : (self.rank + 1) * len(array) // self.size]
                for array in arrays]

    def mean(self, losses: dict, weight: float) -> dict:
        """Losses of the whole batch, from those of each rank's rows and their fraction of the batch."""
        if self.size == 1:
            return losses
        values = [*losses.values()]
        total = array_module(values[0]).stack(values) * np.float32(weight)
        self.allreduce(total)
        return dict(zip(losses, total, strict=True))

    def gather(self, rows):
        """The rows of all ranks, in their order."""
        if self.size == 1:
            return rows
        return array_module(rows).asarray(np.concatenate(self.comm.allgather(to_host(rows))))

    def allreduce(self, array) -> None:
        """Replace an array of float32 by the sum of all ranks' arrays, which has the same bits on all of them."""
        if self.size == 1:
            return
        xp = array_module(array)
        if xp is np:
            self.comm.Allreduce(self.mpi.IN_PLACE, array)
        elif self._have_nccl():
            self.gpus.allreduce(array)
        else:
            host = to_host(array)
            self.comm.Allreduce(self.mpi.IN_PLACE, host)
            array[...] = xp.asarray(host)

    def _have_nccl(self):
        """Whether all ranks have NCCL, so that sums need not go through the memory of the host; found out once."""
        if self.gpus is None:
            all_have = all(self.comm.allgather(nccl_available(self.local.size)))
            self.gpus = all_have and GPUs(self.size, self.comm.bcast(None if self.rank else new_name()), self.rank)
        return self.gpus

    def share(self, array) -> None:
        """Give an array the elements that it has on the first rank."""
        if self.size > 1:
            host = np.array(to_host(array), order="C")
            self.comm.Bcast(host.reshape(-1).view(np.uint8))
            array[...] = array_module(array).asarray(host)

    def tell(self, what) -> None:
        """Send something from the first rank to all others."""
        for other in range(1, self.size):
            self.comm.send(what, other)

    def hear(self):
        """What the first rank tells next. Sleeps until then: MPI's own waiting takes a whole core."""
        since = time.monotonic()
        while not self.comm.iprobe(source=0):
            time.sleep(min(LONGEST_SLEEP, (time.monotonic() - since) / 10))
        return self.comm.recv(source=0)

    @contextmanager
    def step(self, what) -> Iterator[None]:
        """Tell the others about a step, which takes place inside: where it fails, they wait for this rank forever."""
        self.tell(what)
        self.in_step = True
        yield
        self.in_step = False


@contextmanager
def together() -> Iterator[Ranks]:
    """Inside, the processes that mpiexec has started train together, until the first one leaves, or one fails.

    Nobody can tell those who wait for a sum that a rank has failed. So that rank ends all of them when it ends itself,
    after its error has been shown.
    """
    ranks = world()
    try:
        yield ranks
    except BaseException as error:
        if ranks.size > 1 and (ranks.rank or ranks.in_step):
            atexit.register(end_all, ranks, error.code if isinstance(error, SystemExit) else 2)
        if ranks.rank and isinstance(error, UserError):
            where = f"rank {ranks.rank} of {ranks.size} on {ranks.mpi.Get_processor_name()}"
            raise UserError(f"{where}: {error}") from error
        raise
    finally:
        if ranks.rank == 0:
            ranks.tell(None)


def end_all(ranks: Ranks, code: int) -> None:
    """End all processes, once mpiexec has had time to pass on what this one has shown: it drops the rest."""
    time.sleep(PASSING_ON)
    ranks.comm.Abort(code)


@cache
def world() -> Ranks:
    """The processes that mpiexec has started. Raises UserError if mpi4py cannot find the others."""
    started = int(next((os.environ[name] for name in COUNTS if name in os.environ), 1))
    if started == 1:
        return Ranks()
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise UserError(f"mpiexec has started this, but mpi4py cannot be loaded ({str(error)[:200]}): pip install "
                        "minidiff[mpi], or train without mpiexec") from error
    ranks = Ranks(MPI)
    if ranks.size != started:
        raise UserError(f"mpiexec has started {started} processes, but mpi4py finds {ranks.size}: it was built for "
                        "another MPI; use the mpiexec of that one, or pip install --no-binary mpi4py mpi4py")
    return ranks


def check_rows(batch_size: int, setting: str) -> None:
    """Raises UserError where a batch has fewer rows than there are ranks."""
    if batch_size < world().size:
        raise UserError(f"{setting} {batch_size} is the batch of all ranks together, and leaves some of {world().size} "
                        f"without images: start at most {batch_size}")
