"""One denoising forward pass: the UNet alone, as sampling calls it. With guidance, batch 2 is one image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minidiff.backend import to_device, to_host
from minidiff.pipeline.predict import predictor

from ..measure.checks import check
from ..measure.packages import PEERS, installed
from ..measure.rows import RUNTIMES, row
from ..measure.timing import interleaved
from .training import TOLERANCE

BATCHES = (1, 2, 8, 32)
STEPS = 20  # for which a denoising step is recorded on a CPU
T = 500.0


def measure_denoising(stage, size, rounds, pause, threads, device, compiled=False) -> Iterator[dict]:
    """A row for each batch size; the outputs are compared before they are timed. Compiling takes a minute for each."""
    own, their = RUNTIMES[device]
    unet, rng = stage.unet, np.random.default_rng(0)
    side, channels = unet.config.sample_size, unet.config.in_channels
    words = (stage.settings.text.max_length, unet.config.cross_attention_dim)
    theirs = {}
    if installed(*PEERS):
        from .peers import LAYOUTS, denoising, twin

        theirs = {layout: twin(unet).to(device=device, memory_format=format) for layout, format in LAYOUTS.items()}
    for count in BATCHES:
        arrays = [rng.standard_normal((count, side, side, channels), "float32"), np.full(count, T, np.float32),
                  rng.standard_normal((count, *words), "float32")]
        runs = {own: our_forward(unet, [to_device(array, device) for array in arrays], device)}
        y = to_host(runs[own]())
        peers = {their + layout: denoising(model, arrays, LAYOUTS[layout], device) for layout, model in theirs.items()}
        if compiled and theirs and device == "cpu":
            from .peers_compiled import compiled_calls

            peers |= compiled_calls(theirs[" NHWC"], arrays, threads)
        errors = {name: check(f"denoising, {name}", y, run().permute(0, 2, 3, 1).cpu().numpy(), TOLERANCE)
                  for name, run in peers.items()}
        times = interleaved(runs | peers, rounds, pause, least=0.05)
        yield row("denoising forward", f"{size}: batch {count}", times) | {"largest error": errors}


def our_forward(unet, arrays, device):
    predict, (x, _, context) = predictor(unet, STEPS if device == "cpu" else 1), arrays
    return lambda: predict(x, T, context)
