"""The UNet in running order: what each stage returns, how large that is, how long it takes at
least, and what it looks like."""

from __future__ import annotations

import numpy as np

from ..models.unet import UNet2DConditionModel
from ..nn.layers import Conv2d, Downsample, GroupNorm, Upsample
from ..nn.residual import ResBlock
from ..nn.transformer import SpatialTransformer, TransformerBlock
from .images import diverging, rounded, side_by_side
from .recorder import named_modules
from .run import Run
from .sources import source_of

SOURCES = (UNet2DConditionModel, TransformerBlock)
MAPS, SIDE = 8, 16  # feature maps of a stage, and the most pixels of a side that are shown


def view(run: Run) -> dict:
    middle = run.steps[len(run.steps) // 2]
    modules = dict(named_modules(run.pipe.unet, "unet"))
    stages = []
    for name, y in middle.outputs.items():
        if name != "unet":
            module = modules[name]
            stages.append({
                "name": name.removeprefix("unet."), "kind": type(module).__name__, "shape": list(y.shape),
                "parameters": sum(parameter.value.size for parameter in module.parameters()),
                "milliseconds": 1e3 * min(step.seconds[name] for step in run.steps),
                "size": float(np.sqrt(np.mean(y.astype(np.float64) ** 2))),
                "maps": side_by_side(feature_maps(y)),
            })
    kinds = {Conv2d, GroupNorm, ResBlock, SpatialTransformer, Downsample, Upsample}
    return {"stages": rounded(stages), "skips": skips([stage["name"] for stage in stages]),
            "step": len(run.steps) // 2 + 1, "t": middle.time.t,
            "kinds": {kind.__name__: source_of(kind) for kind in kinds}}


def skips(names: list[str]) -> list[tuple[int, int]]:
    """The skip connections among stages in running order, as in unet.py: from the end of each layer on the way down,
    and from conv_in, to the residual block on the way up that reads it; what was kept last is read first."""
    kept, found = [], []
    for i, name in enumerate(names):
        if name == "conv_in" or (name.startswith("down_blocks") and ".attentions." not in name):
            kept.append(i)
        elif name.startswith("down_blocks"):  # of the layer whose residual block came before
            kept[-1] = i
        elif name.startswith("up_blocks") and ".resnets." in name:
            found.append((kept.pop(), i))
    return found


def feature_maps(y: np.ndarray) -> np.ndarray:
    """The channels that vary most over the image: (H, W, C) -> (8, P, Q, 3), uint8."""
    y = np.asarray(y, np.float32)[::-(-y.shape[0] // SIDE), ::-(-y.shape[1] // SIDE)]
    chosen = np.sort(np.argsort(y.std(axis=(0, 1)))[::-1][:MAPS])
    return np.stack([diverging(y[..., c] - y[..., c].mean()) for c in chosen])
