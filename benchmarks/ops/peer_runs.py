"""An op made ready to be timed in PyTorch, on tensors in its layouts and with its own autograd."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ..measure.rows import RUNTIMES
from .peers import function_of
from .runs import OpRun, in_tuple


def torch_runs(case, arrays, dys, devices, without=()) -> Iterator[tuple[str, OpRun]]:
    """(runtime, run) on each device, with images in both memory layouts if there are any."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    layouts = {"": torch.contiguous_format}
    if any(array.ndim == 4 for array in arrays):
        layouts[" NHWC"] = torch.channels_last
    for device in devices:
        if device == "cpu" or torch.cuda.is_available():
            for layout, format in layouts.items():
                if (name := RUNTIMES[device][1] + layout) not in without:
                    yield name, torch_run(case, arrays, dys, format, device)


def torch_run(case, arrays, dys, layout, device) -> OpRun:
    function, dims, outputs = function_of(case.op.__name__), [*case.arguments.values()], [*case.outputs.values()]
    tensors = [to_tensor(array, dim, layout, device) for array, dim in zip(arrays, dims, strict=True)]
    for name, tensor in zip(case.arguments, tensors, strict=True):
        if name in case.constants:
            tensor.requires_grad_(False)
    leaves = [tensor for tensor in tensors if tensor.requires_grad]
    ys = in_tuple(function(*tensors, **case.options))
    dys = [to_tensor(dy, dim, layout, device).detach() for dy, dim in zip(dys, outputs, strict=True)]

    def forward():
        with torch.inference_mode():
            function(*tensors, **case.options)

    def backward():
        return torch.autograd.grad(ys, leaves, dys, retain_graph=True)

    found = iter(backward())
    gradients = tuple(to_array(next(found), dim) if tensor.requires_grad else None
                      for tensor, dim in zip(tensors, dims, strict=True))
    return OpRun(device, tuple(to_array(y, dim) for y, dim in zip(ys, outputs, strict=True)), gradients,
                 forward, backward)


def to_tensor(array, dims, layout, device):
    """A leaf in PyTorch's order of axes; `layout` is one of torch's memory formats."""
    if array.ndim == 4:
        array = array.transpose(0, 3, 1, 2) if dims[0] == "N" else array.transpose(3, 2, 0, 1)
    tensor = torch.tensor(array, device=device)
    if tensor.ndim == 4:
        tensor = tensor.contiguous(memory_format=layout)
    return tensor.requires_grad_(array.dtype.kind == "f")


def to_array(tensor, dims):
    """Back in our order of axes."""
    array = tensor.detach().cpu().numpy()
    if array.ndim == 4:
        array = array.transpose(0, 2, 3, 1) if dims[0] == "N" else array.transpose(2, 3, 1, 0)
    return array
