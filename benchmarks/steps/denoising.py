"""One denoising forward pass: the UNet alone, as sampling calls it. With guidance, batch 2 is one image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minidiff.backend import to_device, to_host
from minidiff.nn.threads import share_rows

from ..measure.checks import check
from ..measure.packages import PEERS, installed
from ..measure.rows import RUNTIMES, row
from ..measure.timing import interleaved
from .training import TOLERANCE

BATCHES = (1, 2, 8)


def measure_denoising(stage, size, rounds, pause, device) -> Iterator[dict]:
    """A row for each batch size; the outputs are compared before they are timed."""
    own, their = RUNTIMES[device]
    unet, rng = stage.unet, np.random.default_rng(0)
    side, channels = unet.config.sample_size, unet.config.in_channels
    words = (stage.settings.text.max_length, unet.config.cross_attention_dim)
    theirs = {}
    if installed(*PEERS):
        from .peers import LAYOUTS, denoising, twin

        theirs = {layout: twin(unet).to(device=device, memory_format=format) for layout, format in LAYOUTS.items()}
    for count in BATCHES:
        arrays = [rng.standard_normal((count, side, side, channels), "float32"), np.full(count, 500.0, np.float32),
                  rng.standard_normal((count, *words), "float32")]
        runs, errors = {own: our_forward(unet, [to_device(array, device) for array in arrays])}, {}
        y = to_host(runs[own]())
        for layout, model in theirs.items():
            runs[their + layout] = run = denoising(model, arrays, LAYOUTS[layout], device)
            answer = run().permute(0, 2, 3, 1).cpu().numpy()
            errors[their + layout] = check(f"denoising, {their}{layout}", y, answer, TOLERANCE)
        times = interleaved(runs, rounds, pause, least=0.05)
        yield row("denoising forward", f"{size}: batch {count}", times) | {"largest error": errors}


def our_forward(unet, arrays):
    return lambda: share_rows(lambda x, t, context: unet(x, t, context)[0], *arrays)
