"""Calls of one part in a process of its own: RUNTIME PART SIZE FOLDER CALLS PAUSE THREADS -> a line of JSON.

One call comes before them and is not timed, unless it is the only one.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from minidiff.models.autoencoder import AutoencoderKL
from minidiff.models.configs import AutoencoderConfig, TextConfig, UNetConfig
from minidiff.models.text_encoder import CLIPTextModel
from minidiff.models.unet import UNet2DConditionModel
from minidiff.nn.threads import WIDE, at_most, share_rows
from minidiff.storage.folders import load_model, save_model

from ..measure.process import peak_memory
from ..measure.threads import limited
from . import image

CLASSES = {"text": (CLIPTextModel, TextConfig), "unet": (UNet2DConditionModel, UNetConfig),
           "vae": (AutoencoderKL, AutoencoderConfig)}
CONFIGS = {  # the configurations' defaults are Stable Diffusion 1.5's
    "full": {"text": TextConfig(), "unet": UNetConfig(), "vae": AutoencoderConfig()},
    "tiny": {"text": TextConfig(hidden_size=16, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2),
             "unet": UNetConfig(sample_size=8, block_out_channels=(32, 32, 64, 64), cross_attention_dim=16),
             "vae": AutoencoderConfig(sample_size=64, block_out_channels=(32, 32, 64, 64))},
}


def main(runtime, part, size, folder, calls="1", pause="0", threads="1") -> dict:
    folder = Path(folder)
    if runtime == "write":
        return {"parameters": write(part, CONFIGS[size], folder)}
    unet = CONFIGS[size]["unet"]
    arrays, wide = arguments(part, unet), max(unet.block_out_channels) >= WIDE
    if runtime == "convert":
        from .peers import convert

        convert(CLASSES[part][0].__name__, part, folder, arrays)
        return {}
    # Only PyTorch may import PyTorch: that alone takes 200 MB.
    with (limited if runtime.startswith("PyTorch") else at_most)(int(threads)):
        opening = imported(runtime, part, folder, arrays, wide, int(threads))
        start = time.perf_counter()
        run = opening()
        opened = time.perf_counter()
        seconds = []
        for _ in range(1 + int(calls)):
            time.sleep(float(pause))
            begin = time.perf_counter()
            answer = run()
            seconds.append(time.perf_counter() - begin)
        np.save(folder / f"{runtime}.npy", answer)
    return {"seconds": seconds[1:] or seconds, "opening": opened - start, "peak MB": peak_memory()}


def write(part, configs, folder) -> int:
    """Write a part with random weights; returns how many there are."""
    if part == "image":
        return image.write(folder / part, configs)
    model = CLASSES[part][0](np.random.default_rng(0), configs[part])
    save_model(model, folder / part)
    return sum(parameter.value.size for parameter in model.parameters())


def imported(runtime, part, folder, arrays, wide, threads):
    """What opens a part and returns a call of it, once all that it needs is imported."""
    if runtime == "NumPy":
        return lambda: image.ours(folder / part, *arrays) if part == "image" else ours(part, folder, arrays, wide)
    if runtime == "OpenVINO":
        from .peers_openvino import opened

        return lambda: opened(part, folder, arrays, threads)
    if part == "image":
        from .peers_image import image_of

        return lambda: image_of(folder / part, *arrays, runtime)
    from .peers import class_of, theirs

    cls = class_of(CLASSES[part][0].__name__, part)
    return lambda: theirs(cls, part, folder, arrays, runtime)


def arguments(part, unet) -> list[np.ndarray]:
    """Text: tokens of a prompt and a negative one. UNet: latents, time and texts of both. VAE: latents to decode.
    A whole image: the noise that it starts from."""
    rng = np.random.default_rng(0)
    if part == "text":
        return [rng.integers(TextConfig().vocab_size, size=(2, 77))]
    shape = (unet.sample_size, unet.sample_size, unet.in_channels)
    if part in ("vae", "image"):
        return [rng.standard_normal((1, *shape), "float32")]
    return [rng.standard_normal((2, *shape), "float32"), np.full(2, 500.0, np.float32),
            rng.standard_normal((2, 77, unet.cross_attention_dim), "float32")]


def ours(part, folder, arrays, wide):
    model = load_model(*CLASSES[part], folder / part)
    call = model.decode if part == "vae" else model
    return lambda: share_rows(lambda *rows: call(*rows)[0], *arrays, wide=wide)


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
