"""Their networks compiled for one shape and one precision: by torch.compile, and by OpenVINO, from Intel."""

from __future__ import annotations

import warnings

import numpy as np
import torch

from ..measure.packages import installed
from .peers import LAYOUTS, denoising


def compiled_calls(unet, arrays, threads: int) -> dict:
    """The calls of a UNet by the name of what compiled it; each returns images (N, C, H, W)."""
    runs = {"PyTorch compiled": torch_compiled(unet, arrays)}
    if installed("openvino"):
        runs["OpenVINO"] = by_openvino(unet, arrays, threads)
    return runs


def torch_compiled(unet, arrays):
    return denoising(torch.compile(unet, dynamic=False), arrays, LAYOUTS[" NHWC"], "cpu")


def by_openvino(model, arrays, threads: int, method: str = "forward"):
    """A model's method in float32, as fast as a single call can be. `arrays` are its arguments, images channels last.
    """
    import openvino

    inputs = [np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x for x in arrays]
    examples = tuple(map(torch.from_numpy, inputs))
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of branches on shapes: each shape is traced for itself
        converted = openvino.convert_model(FirstResult(model, method), example_input=examples,
                                           input=[tuple(x.shape) for x in inputs])
    options = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    request = openvino.compile_model(converted, "CPU", options).create_infer_request()
    return lambda: torch.from_numpy(request.infer(inputs, share_inputs=True, share_outputs=True)[0])


class FirstResult(torch.nn.Module):
    """A method of a model that returns an array in place of an object, for a compiler that knows arrays only."""

    def __init__(self, model, method):
        super().__init__()
        self.model, self.method = model, method

    def forward(self, *arguments):
        return getattr(self.model, self.method)(*arguments, return_dict=False)[0]
