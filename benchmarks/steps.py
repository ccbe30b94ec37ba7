"""A training step of each stage, and one denoising forward pass, beside the same networks in PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec

import numpy as np

from minidiff.backend import to_device, to_host
from minidiff.nn.threads import cores, share_rows

from . import process
from .checks import Different, check
from .device import waiting
from .rows import row
from .stages import OurStep, images_drawn_once, stages
from .step_sizes import SIZES
from .threads import limited
from .timing import interleaved

TOLERANCE = 1e-3  # of gradients in float32 through a whole network, in norm, relative
PEERS = ("torch", "diffusers", "transformers")
BATCHES = (1, 2, 8)


def measure(sizes: Sequence[str] = ("tiny", "small", "medium"), match: str = "", rounds: int = 7, pause: float = 0.1,
            threads: int | None = None, device: str = "cpu", busy: int = 0) -> Iterator[dict]:
    """Rows of single steps and calls, while `busy` other processes want a core each."""
    threads = threads or cores()
    with limited(threads), images_drawn_once(), process.busy(busy):
        for size in sizes:
            for stage in stages(SIZES[size], device):
                if match in f"{stage.name} step":
                    yield measure_step(stage, size, rounds, pause, threads, device)
                if stage.name == "diffusion" and match in "denoising":
                    yield from measure_denoising(stage, size, rounds, pause, device)


def peers_installed() -> bool:
    return all(find_spec(name) is not None for name in PEERS)


def names(device) -> tuple[str, str]:
    return ("NumPy", "PyTorch") if device == "cpu" else ("CuPy", "PyTorch GPU")


def measure_step(stage, size, rounds, pause, threads, device) -> dict:
    """Gradients are compared at the first weights, then whole updates are timed."""
    own, their = names(device)
    ours = OurStep(stage, threads)
    runs, errors = {own: ours}, {}
    if peers_installed():
        from .stages_torch import LAYOUTS, TheirStep

        expected = ours.gradients()
        for layout, format in LAYOUTS.items():
            theirs = TheirStep(stage, format, device)
            errors[their + layout] = worst(f"{stage.name}, {their}{layout}", expected, theirs.gradients())
            runs[their + layout] = theirs
    count = sum(p.value.size for model in stage.models for p in model.parameters())
    times = interleaved({name: waiting(run, device) for name, run in runs.items()}, rounds, pause)
    ours.close()
    memory = {} if device == "cuda" else {
        "MB": {name: process.run("step_process", name, stage.name, size, threads)["peak MB"] for name in runs}}
    return row(f"{stage.name} step", f"{size}: batch {ours.settings.batch_size}, {count / 1e6:.1f} M", times,
               parameters=count, workers=ours.trainer.threads) | memory | {"largest error": errors}


def worst(what, ours, theirs) -> float:
    """The largest difference of a parameter's gradient; tiny gradients are compared with 1e-3 of the largest."""
    floor = 1e-3 * max(np.linalg.norm(grad) for grad in theirs.values())
    missing = theirs.keys() ^ ours.keys()
    if any(np.linalg.norm(ours.get(name, 0.0)) > floor for name in missing):
        raise Different(f"{what}: only one side has gradients of {', '.join(sorted(missing))}")
    return max(check(f"{what}: gradient of {name}", ours[name], grad, TOLERANCE, floor)
               for name, grad in theirs.items() if name in ours)


def measure_denoising(stage, size, rounds, pause, device) -> Iterator[dict]:
    """The UNet alone, as sampling calls it; at batch 2 that is one image with guidance."""
    own, their = names(device)
    unet, rng = stage.unet, np.random.default_rng(0)
    side, channels = unet.config.sample_size, unet.config.in_channels
    words = (stage.settings.text.max_length, unet.config.cross_attention_dim)
    theirs = {}
    if peers_installed():
        from .stages_torch import LAYOUTS, twin

        theirs = {layout: twin(unet).to(device=device, memory_format=format) for layout, format in LAYOUTS.items()}
    for count in BATCHES:
        arrays = [rng.standard_normal((count, side, side, channels), "float32"), np.full(count, 500.0, np.float32),
                  rng.standard_normal((count, *words), "float32")]
        runs, errors = {own: our_forward(unet, [to_device(array, device) for array in arrays])}, {}
        y = to_host(runs[own]())
        for layout, model in theirs.items():
            runs[their + layout] = run = their_forward(model, arrays, LAYOUTS[layout], device)
            answer = run().permute(0, 2, 3, 1).cpu().numpy()
            errors[their + layout] = check(f"denoising, {their}{layout}", y, answer, TOLERANCE)
        times = interleaved({name: waiting(run, device) for name, run in runs.items()}, rounds, pause, least=0.05)
        yield row("denoising forward", f"{size}: batch {count}", times) | {"largest error": errors}


def our_forward(unet, arrays):
    return lambda: share_rows(lambda x, t, context: unet(x, t, context)[0], *arrays)


def their_forward(model, arrays, layout, device):
    import torch

    from .stages_torch import to_torch

    tensors = [to_torch(array, layout, device) for array in arrays]

    def call():
        with torch.inference_mode():
            return model(*tensors).sample

    return call
