"""One process of benchmarks/sd15.py: RUNTIME PART SIZE FOLDER CALLS PAUSE THREADS -> a line of JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from minidiff.models.autoencoder import AutoencoderKL
from minidiff.models.configs import AutoencoderConfig, TextConfig, UNetConfig
from minidiff.models.text_encoder import CLIPTextModel
from minidiff.models.unet import UNet2DConditionModel
from minidiff.nn.threads import share_rows
from minidiff.pipeline import WIDE
from minidiff.storage.folders import load_model, save_model

from .process import peak_memory
from .threads import limited

CLASSES = {"text": (CLIPTextModel, TextConfig), "unet": (UNet2DConditionModel, UNetConfig),
           "vae": (AutoencoderKL, AutoencoderConfig)}
CONFIGS = {  # the configurations' defaults are Stable Diffusion 1.5's
    "full": {"text": TextConfig(), "unet": UNetConfig(), "vae": AutoencoderConfig()},
    "tiny": {"text": TextConfig(hidden_size=16, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2),
             "unet": UNetConfig(sample_size=8, block_out_channels=(32, 32, 64, 64), cross_attention_dim=16),
             "vae": AutoencoderConfig(sample_size=64, block_out_channels=(32, 32, 64, 64))},
}


def main(runtime, part, size, folder, calls="1", pause="0", threads="1") -> dict:
    folder, config = Path(folder), CONFIGS[size][part]
    if runtime == "write":
        save_model(CLASSES[part][0](np.random.default_rng(0), config), folder / part)
        return {}
    unet = CONFIGS[size]["unet"]
    arrays, wide = arguments(part, unet), max(unet.block_out_channels) >= WIDE
    # Ours must not even import PyTorch: that alone takes 200 MB.
    with threadpool_limits(int(threads), "blas") if runtime == "NumPy" else limited(int(threads)):
        start = time.perf_counter()
        run, count = ours(part, folder, arrays, wide) if runtime == "NumPy" else theirs(part, folder, arrays, runtime)
        opened = time.perf_counter()
        np.save(folder / f"{runtime}.npy", run())
        seconds = []
        for _ in range(int(calls)):
            time.sleep(float(pause))
            begin = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - begin)
    return {"seconds": seconds, "opening": opened - start, "peak MB": peak_memory(), "parameters": count}


def arguments(part, unet) -> list[np.ndarray]:
    """Tokens of a prompt and a negative one; latents of both, time and texts for the UNet; of an image to decode."""
    rng = np.random.default_rng(0)
    if part == "text":
        return [rng.integers(TextConfig().vocab_size, size=(2, 77))]
    shape = (unet.sample_size, unet.sample_size, unet.in_channels)
    if part == "vae":
        return [rng.standard_normal((1, *shape), "float32")]
    return [rng.standard_normal((2, *shape), "float32"), np.full(2, 500.0, np.float32),
            rng.standard_normal((2, 77, unet.cross_attention_dim), "float32")]


def ours(part, folder, arrays, wide):
    model = load_model(*CLASSES[part], folder / part)
    call = model.decode if part == "vae" else model
    count = sum(parameter.value.size for parameter in model.parameters())
    return lambda: share_rows(lambda *rows: call(*rows)[0], *arrays, wide=wide), count


def theirs(part, folder, arrays, runtime):
    import torch

    layout = torch.channels_last if "NHWC" in runtime else torch.contiguous_format
    name = CLASSES[part][0].__name__
    if part == "text":
        import transformers

        model = getattr(transformers, name).from_pretrained(folder / part)
    else:
        import diffusers

        model = getattr(diffusers, name).from_pretrained(folder / part, low_cpu_mem_usage=False)
    model.to(memory_format=layout)
    tensors = [torch.from_numpy(array) for array in arrays]
    if part != "text":
        tensors[0] = tensors[0].permute(0, 3, 1, 2).contiguous(memory_format=layout)

    def run():
        with torch.inference_mode():
            if part == "text":
                return model(*tensors).last_hidden_state.numpy()
            return (model.decode if part == "vae" else model)(*tensors).sample.permute(0, 2, 3, 1).numpy()

    return run, sum(parameter.numel() for parameter in model.parameters())


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
