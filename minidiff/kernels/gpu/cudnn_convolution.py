"""Convolution by cuDNN, if it is installed: `pip install .[cudnn12]`, or `.[cudnn13]`.

The windows that convolution.py writes to memory, cuDNN makes as it multiplies, in the memory of a block: only x, the
weights and y have to be moved. A launch lays the weights out as cuDNN wants them, (O, k, k, I).
"""

from __future__ import annotations

from ... import ops
from ...backend import array_module, cudnn, current_precision
from ...ops.op import grad_enabled
from .. import replaces
from .column_sums import column_sums
from .convolution import geometry
from .launch import address


def planned(x, weight, bias=None, stride=1, padding=None):
    """Whether cuDNN is there and can compute this. A window of one pixel is left to cuBLAS."""
    if x.dtype.char not in cudnn.TYPES or not x.size or len(weight) == 1 or (library := cudnn.available()) is None:
        return False
    of_call = problem(x, weight, stride, padding)
    passes = cudnn.OPERATIONS if grad_enabled() else ["conv_fprop"]
    return all(library.plan(name, *of_call) is not None for name in passes)


@replaces(ops.conv2d, when=planned)
def conv2d(x, weight, bias=None, stride=1, padding=None):
    xp, library = array_module(x), cudnn.available()
    of_call = (of_x, of_kernel, of_y), *_ = problem(x, weight, stride, padding)

    def run(operation, a, b, shape):
        plan, y = library.plan(operation, *of_call), xp.empty(shape, a.dtype)
        workspace = xp.empty(max(1, plan[0].get_workspace_size()), "u1")
        library.run(plan, [address(a), address(b)], address(y), address(workspace), cudnn.current_stream())
        return y

    image = xp.ascontiguousarray(x)
    kernel = xp.ascontiguousarray(weight.transpose(3, 0, 1, 2))
    y = run("conv_fprop", image, kernel, of_y)
    if bias is not None:
        y += bias

    def backward(dy):
        dy = xp.ascontiguousarray(dy)
        dx = run("conv_dgrad", dy, kernel, of_x)
        dweight = run("conv_wgrad", image, dy, of_kernel).transpose(1, 2, 3, 0)
        return (dx, dweight) if bias is None else (dx, dweight, column_sums(dy.reshape(-1, dy.shape[-1])))

    return y, backward


def problem(x, weight, stride, padding):
    """What a plan is for: shapes of x, the kernel and y, stride, padding, type, whether TF32 will do."""
    k, outputs = len(weight), weight.shape[-1]
    padding, size = geometry(x.shape[1:3], k, stride, padding)
    shapes = x.shape, (outputs, k, k, x.shape[-1]), (len(x), *size, outputs)
    return shapes, stride, padding, x.dtype.char, current_precision() != "float32"
