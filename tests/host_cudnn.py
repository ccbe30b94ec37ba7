"""What backend/cudnn.py asks of cuDNN's Python frontend, computed by NumPy from addresses, sizes and strides."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from enum import Enum
from types import SimpleNamespace

import numpy as np

from minidiff.backend.cudnn import CuDNN

data_type = Enum("data_type", {"FLOAT": "f", "DOUBLE": "d", "HALF": "e"})
heur_mode = Enum("heur_mode", ["A", "FALLBACK"])
numerical_note = Enum("numerical_note", ["NONDETERMINISTIC", "DOWN_CONVERT_INPUTS", "REDUCED_PRECISION_REDUCTION",
                                         "TENSOR_CORE"])
WORKSPACE = 8


class cudnnGraphNotSupportedError(RuntimeError):
    """As cuDNN's, of which backend/cudnn.py knows the name."""


@dataclass(eq=False)
class Tensor:
    dim: list
    stride: list
    data_type: data_type
    is_output: bool = False

    def set_output(self, is_output):
        self.is_output = is_output
        return self

    def set_data_type(self, data_type):
        self.data_type = data_type
        return self

    def set_dim(self, dim):
        self.dim = dim
        return self

    def set_stride(self, stride):
        self.stride = stride
        return self

    def at(self, address):
        """The array that lies there, (N, C, H, W) as cuDNN names its axes."""
        dtype = np.dtype(self.data_type.value)
        elements = 1 + sum((size - 1) * stride for size, stride in zip(self.dim, self.stride, strict=True))
        memory = np.frombuffer((ctypes.c_char * (elements * dtype.itemsize)).from_address(address), dtype)
        return np.lib.stride_tricks.as_strided(memory, self.dim, [stride * dtype.itemsize for stride in self.stride])


@dataclass(eq=False)
class pygraph:
    handle: object
    io_data_type: data_type
    intermediate_data_type: data_type
    compute_data_type: data_type
    notes: list = field(default_factory=list)

    def tensor(self, name, dim, stride, data_type):
        return Tensor(dim, stride, data_type)

    def conv_fprop(self, image, weight, **how):
        return self.node(forward, image, weight, how)

    def conv_dgrad(self, loss, filter, **how):
        return self.node(of_image, loss, filter, how)

    def conv_wgrad(self, image, loss, **how):
        return self.node(of_weight, image, loss, how)

    def node(self, function, a, b, how):
        assert how["dilation"] == [1, 1] and how["stride"][0] == how["stride"][1]
        self.function, self.inputs, self.how = function, (a, b), how
        self.result = Tensor([], [], self.io_data_type)
        return self.result

    def validate(self):
        assert self.result.is_output and self.result.dim

    def build_operation_graph(self):
        pass

    def create_execution_plans(self, modes):
        assert modes == [heur_mode.A, heur_mode.FALLBACK]

    def deselect_numeric_notes(self, notes):
        self.notes = notes

    def check_support(self):
        pass

    def build_plans(self):
        pass

    def get_workspace_size(self):
        return WORKSPACE

    def execute(self, pointers, workspace, handle):
        ctypes.memset(workspace, 255, WORKSPACE)
        result = self.result.at(pointers[self.result])
        operands = (tensor.at(pointers[tensor]).astype(self.compute_data_type.value) for tensor in self.inputs)
        pads = zip(self.how["pre_padding"], self.how["post_padding"], strict=True)
        result[...] = self.function(*operands, result.shape, self.how["stride"][0], [(0, 0), (0, 0), *pads])


def create_handle():
    return 1


def set_stream(handle, stream):
    assert handle == 1


def forward(image, weight, shape, stride, pads):
    y, padded = np.zeros(shape, image.dtype), np.pad(image, pads)
    for a, b in np.ndindex(*weight.shape[2:]):
        y += np.einsum("nchw,oc->nohw", under(padded, a, b, y, stride), weight[:, :, a, b])
    return y


def of_image(dy, weight, shape, stride, pads):
    padded = np.zeros([size + sum(pad) for size, pad in zip(shape, pads, strict=True)], dy.dtype)
    for a, b in np.ndindex(*weight.shape[2:]):
        under(padded, a, b, dy, stride)[...] += np.einsum("nohw,oc->nchw", dy, weight[:, :, a, b])
    return padded[tuple(slice(before, before + size) for size, (before, _) in zip(shape, pads, strict=True))]


def of_weight(image, dy, shape, stride, pads):
    dweight, padded = np.zeros(shape, dy.dtype), np.pad(image, pads)
    for a, b in np.ndindex(*shape[2:]):
        dweight[:, :, a, b] = np.einsum("nohw,nchw->oc", dy, under(padded, a, b, dy, stride))
    return dweight


def under(padded, a, b, y, stride):
    """The pixels of a padded image under tap (a, b), one for each pixel of y."""
    rows, columns = y.shape[2:]
    return padded[:, :, a : a + stride * (rows - 1) + 1 : stride, b : b + stride * (columns - 1) + 1 : stride]


def host_cudnn() -> CuDNN:
    names = ("data_type", "heur_mode", "numerical_note", "cudnnGraphNotSupportedError", "pygraph", "create_handle",
             "set_stream")
    return CuDNN(SimpleNamespace(**{name: globals()[name] for name in names}))
