"""Their networks compiled for one shape and one precision: by torch.compile, and by OpenVINO, from Intel."""

from __future__ import annotations

import warnings

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


def by_openvino(model, arrays, threads: int):
    """A model's call in float32, for as many samples as `arrays`, its arguments, with images channels last."""
    from .peers_openvino import call_of

    call = call_of(converted(model, arrays), arrays, threads)
    return lambda: torch.from_numpy(call())


def converted(model, arrays, method: str = "forward"):
    """A model's method as OpenVINO has it, for arguments of these shapes."""
    import openvino

    from .peers_openvino import channels_first

    inputs = channels_first(arrays)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of branches on shapes: each shape is traced for itself
        return openvino.convert_model(FirstResult(model, method), example_input=tuple(map(torch.from_numpy, inputs)),
                                      input=[tuple(x.shape) for x in inputs])


class FirstResult(torch.nn.Module):
    """A method of a model that returns an array in place of an object, for a compiler that knows arrays only."""

    def __init__(self, model, method):
        super().__init__()
        self.model, self.method = model, method

    def forward(self, *arguments):
        return getattr(self.model, self.method)(*arguments, return_dict=False)[0]
