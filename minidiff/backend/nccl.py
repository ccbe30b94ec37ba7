"""Sums over the GPUs of several processes by NCCL, which sends from GPU to GPU and does not wait for the host."""

from __future__ import annotations

import warnings


class GPUs:
    """The GPUs of `size` processes, one each. All make this at once, with the same `name`, which one got of `new_name`.

    It serves the GPU that is in use when it is made.
    """

    def __init__(self, size: int, name, rank: int):
        from cupy.cuda import nccl

        self.communicator = nccl.NcclCommunicator(size, name, rank)

    def allreduce(self, array) -> None:
        """Replace a contiguous array of float32 by the sum of all processes' arrays, in the order of the stream."""
        from cupy.cuda import get_current_stream, nccl

        place = array.data.ptr
        self.communicator.allReduce(place, place, array.size, nccl.NCCL_FLOAT32, nccl.NCCL_SUM,
                                    get_current_stream().ptr)


def new_name():
    """A name for GPUs, by which NCCL finds them."""
    from cupy.cuda import nccl

    return nccl.get_unique_id()


def nccl_available(count: int) -> bool:
    """Whether CuPy finds NCCL, and each of `count` processes of this machine has a GPU of its own, as NCCL requires."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of CuPy, where it does not find NCCL
        try:
            from cupy.cuda import nccl, runtime
        except ImportError:
            return False
    return getattr(nccl, "available", False) and count <= runtime.getDeviceCount()
