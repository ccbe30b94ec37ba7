"""Networks that OpenVINO, from Intel, has compiled. What only calls them needs no PyTorch."""

from __future__ import annotations

import numpy as np
import openvino


def channels_first(arrays) -> list[np.ndarray]:
    return [np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x for x in arrays]


def call_of(model, arrays, threads: int):
    """A call in float32 of a converted model, or of the file of one, as fast as a single one can be."""
    options = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    request, inputs = openvino.compile_model(model, "CPU", options).create_infer_request(), channels_first(arrays)
    return lambda: request.infer(inputs, share_inputs=True, share_outputs=True)[0]
