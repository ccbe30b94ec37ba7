"""Writes what diffusers and transformers make of small models of random weights; tests/test_golden.py reads it.

    pip install .[peers] && python tests/golden/make.py

The folders sd1 and sd2 hold models like those of Stable Diffusion 1 and 2, and sd1 what has no versions. Weights are
random and float16, inputs and outputs are float64. samplers.safetensors is where each setting of each ends.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import diffusers
import numpy as np
import torch
import transformers
from safetensors.numpy import save_file

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from golden_cases import PROMPTS, SAMPLER_STEPS, gradient_norms, sampler_inputs  # noqa: E402
from peers.compare import channels_first, channels_last, in_double, tensor  # noqa: E402
from peers.test_samplers import theirs as sampled  # noqa: E402
from sampler_cases import settings_of  # noqa: E402

from minidiff.diffusion.sampler_table import SAMPLERS  # noqa: E402
from minidiff.tokenizer import Tokenizer  # noqa: E402

TEXT = {"vocab_size": 530, "bos_token_id": 528, "eos_token_id": 529, "max_position_embeddings": 12}
WIDTHS = {"hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2}
UNET = {"block_out_channels": (4, 8), "layers_per_block": 1, "cross_attention_dim": 8, "norm_num_groups": 2,
        "sample_size": 8, "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D")}
VAE = {"block_out_channels": (4, 8), "layers_per_block": 1, "norm_num_groups": 2, "sample_size": 16,
       "down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
VERSIONS = {
    "sd1": {"hidden_act": "quick_gelu", "pad_token": None, "unet": {"attention_head_dim": 2}},
    "sd2": {"hidden_act": "gelu", "pad_token": "!",
            "unet": {"attention_head_dim": (1, 2), "use_linear_projection": True}},
}


def make(folder, hidden_act, pad_token, unet):
    with tempfile.TemporaryDirectory() as scratch:
        merges = Tokenizer.train(PROMPTS, TEXT["vocab_size"]).merges
        Tokenizer(merges, TEXT["max_position_embeddings"], pad_token).save_pretrained(scratch)
        tokenizer = transformers.CLIPTokenizer.from_pretrained(scratch)
    tokenizer.save_pretrained(folder / "tokenizer")
    ids = torch.tensor(tokenizer(PROMPTS, padding="max_length", truncation=True).input_ids)
    text = TEXT | WIDTHS | {"hidden_act": hidden_act, "pad_token_id": tokenizer.pad_token_id}
    unet = saved(diffusers.UNet2DConditionModel(**UNET, **unet), folder / "unet")
    text_encoder = saved(transformers.CLIPTextModel(transformers.CLIPTextConfig(**text)), folder / "text_encoder")
    arrays = {"ids": ids.numpy(), **of("unet", of_unet, unet), **of("text_encoder", of_text_encoder, text_encoder, ids)}
    if folder.name == "sd1":
        vae = saved(diffusers.AutoencoderKL(**VAE), folder / "vae")
        clip = saved(transformers.CLIPModel(transformers.CLIPConfig(
            text_config=text, vision_config=WIDTHS | {"image_size": 8, "patch_size": 4}, projection_dim=6)),
            folder / "clip")
        arrays |= of("encode", of_encode, vae) | of("decode", of_decode, vae) | of("clip", of_clip, clip, ids)
    save(arrays, folder / "arrays.safetensors")


def saved(model, folder):
    """The model with noise on its weights, rounded to float16 as in the folder it is written to."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape)
    model.half().save_pretrained(folder)
    return model.double().eval()


def of(part, function, model, *inputs):
    """The arrays of one part under its name, with the norms of its parameters' gradients."""
    with in_double():
        arrays = function(model, *inputs)
    gradients = [(name, p.grad.numpy()) for name, p in model.named_parameters() if p.grad is not None]
    model.zero_grad()
    return {f"{part}.{name}": value for name, value in (arrays | {"gradients": gradient_norms(gradients)}).items()}


def of_unet(model):
    x, context, dy = draw(2, 4, 6, 4), draw(2, 3, 8), draw(2, 4, 6, 4)
    t = np.array([3, 981])
    tensors = tensor(channels_first(x)), tensor(context)
    y = model(tensors[0], torch.from_numpy(t), tensors[1]).sample
    y.backward(torch.tensor(channels_first(dy)))
    return {"x": x, "t": t, "context": context, "dy": dy, "y": channels_last(y),
            "dx": channels_last(tensors[0].grad), "dcontext": tensors[1].grad.numpy()}


def of_encode(model):
    x, dmean, dlogvar = draw(2, 4, 6, 3), draw(2, 2, 3, 4), draw(2, 2, 3, 4)
    images = tensor(channels_first(x))
    latents = model.encode(images).latent_dist
    torch.autograd.backward([latents.mean, latents.logvar],
                            [torch.tensor(channels_first(dmean)), torch.tensor(channels_first(dlogvar))])
    return {"x": x, "dmean": dmean, "dlogvar": dlogvar, "mean": channels_last(latents.mean),
            "logvar": channels_last(latents.logvar), "dx": channels_last(images.grad)}


def of_decode(model):
    z, dy = draw(2, 2, 3, 4), draw(2, 4, 6, 3)
    latents = tensor(channels_first(z))
    y = model.decode(latents).sample
    y.backward(torch.tensor(channels_first(dy)))
    return {"z": z, "dy": dy, "y": channels_last(y), "dz": channels_last(latents.grad)}


def of_text_encoder(model, ids):
    dy = draw(*ids.shape, 8)
    y = model(ids).last_hidden_state
    y.backward(torch.from_numpy(dy))
    return {"dy": dy, "y": y.detach().numpy()}


def of_clip(model, ids):
    images = draw(len(ids), 8, 8, 3)
    loss = model(ids, torch.tensor(channels_first(images)), return_loss=True).loss
    loss.backward()
    return {"images": images, "loss": loss.detach().numpy()}


def of_samplers():
    return {sampler: np.stack([sampled(config, SAMPLER_STEPS, *sampler_inputs())[0][-1]
                               for config in settings_of(sampler)]) for sampler in SAMPLERS}


def draw(*shape):
    return torch.randn(shape).half().double().numpy()


def save(arrays, path):
    save_file({name: np.array(value, order="C") for name, value in arrays.items()}, path)


if __name__ == "__main__":
    torch.manual_seed(0)
    for version, choices in VERSIONS.items():
        make(HERE / version, **choices)
    save(of_samplers(), HERE / "samplers.safetensors")
