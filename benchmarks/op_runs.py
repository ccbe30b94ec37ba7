"""An op made ready to be timed in one runtime: its results to be checked, its forward and its backward pass to run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np

from minidiff.backend import gpu_available, to_device, to_host
from minidiff.ops import no_grad

from .device import waiting


class OpRun(NamedTuple):
    ys: tuple
    gradients: tuple
    forward: Callable
    backward: Callable


def in_tuple(y) -> tuple:
    return y if isinstance(y, tuple) else (y,)


def op_runs(case, arrays, dys) -> Iterator[tuple[str, OpRun]]:
    """(runtime, run) for NumPy, CuPy and PyTorch, wherever they are; PyTorch's images in both its layouts."""
    devices = ["cpu", "cuda"] if gpu_available() else ["cpu"]
    for device, name in zip(devices, ("NumPy", "CuPy"), strict=False):
        yield name, our_run(case, arrays, dys, device)
    if find_spec("torch") is None:
        return
    import torch

    layouts = {"": torch.contiguous_format}
    if any(array.ndim == 4 for array in arrays):
        layouts[" NHWC"] = torch.channels_last
    for device, name in zip(devices, ("PyTorch", "PyTorch GPU"), strict=False):
        if device == "cpu" or torch.cuda.is_available():
            for layout, format in layouts.items():
                yield name + layout, torch_run(case, arrays, dys, format, device)


def our_run(case, arrays, dys, device) -> OpRun:
    arrays, dys = ([to_device(array, device) for array in part] for part in (arrays, dys))
    dy = tuple(dys) if len(dys) > 1 else dys[0]
    y, backward = case(*arrays)

    def forward():
        with no_grad():
            case(*arrays)

    return OpRun(tuple(to_host(part) for part in in_tuple(y)),
                 tuple(None if grad is None else to_host(grad) for grad in in_tuple(backward(dy))),
                 waiting(forward, device), waiting(lambda: backward(dy), device))


def torch_run(case, arrays, dys, layout, device) -> OpRun:
    import torch

    from .op_torch import OPS, to_array, to_tensor

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    dims = [*case.arguments.values()]
    tensors = [to_tensor(array, dim, layout, device) for array, dim in zip(arrays, dims, strict=True)]
    function = OPS[case.op.__name__]
    if "weight" in case.constants:
        tensors[-1].requires_grad_(False)
    leaves = [tensor for tensor in tensors if tensor.requires_grad]
    ys = in_tuple(function(*tensors, **case.options))
    outputs = [*case.outputs.values()]
    dys = [to_tensor(dy, dim, layout, device).detach() for dy, dim in zip(dys, outputs, strict=True)]

    def forward():
        with torch.inference_mode():
            function(*tensors, **case.options)

    def backward():
        return torch.autograd.grad(ys, leaves, dys, retain_graph=True)

    found = iter(backward())
    gradients = tuple(to_array(next(found), dim) if tensor.requires_grad else None
                      for tensor, dim in zip(tensors, dims, strict=True))
    return OpRun(tuple(to_array(y, dim) for y, dim in zip(ys, outputs, strict=True)), gradients,
                 waiting(forward, device), waiting(backward, device))


def exact(case, arrays, dys) -> tuple[tuple, tuple]:
    """(y, gradients) in float64: what the results of all runtimes are compared with."""
    arrays, dys = ([array.astype(np.float64) if array.dtype.kind == "f" else array for array in part]
                   for part in (arrays, dys))
    y, backward = case(*arrays)
    return in_tuple(y), in_tuple(backward(tuple(dys) if len(dys) > 1 else dys[0]))
