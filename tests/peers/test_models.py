"""The models, forward and backward, at random weights in configurations like those of Stable Diffusion 1 and 2."""

from __future__ import annotations

from contextlib import nullcontext

import diffusers
import numpy as np
import pytest
import torch
import transformers

from minidiff.models.autoencoder import AutoencoderKL
from minidiff.models.clip import CLIPModel
from minidiff.models.configs import AutoencoderConfig, CLIPConfig, TextConfig, UNetConfig
from minidiff.models.text_encoder import CLIPTextModel
from minidiff.models.unet import UNet2DConditionModel

from .compare import GRADIENTS, VALUES, channels_first, channels_last, in_double, tensor, twin, worst_gradient

UNETS = {
    "SD 1": {"block_out_channels": (8, 16, 16, 24), "attention_head_dim": 4, "norm_num_groups": 4,
             "cross_attention_dim": 10, "sample_size": 16},
    "SD 2": {"block_out_channels": (8, 16, 24), "attention_head_dim": (2, 4, 6), "norm_num_groups": 4,
             "cross_attention_dim": 12, "sample_size": 16, "use_linear_projection": True, "layers_per_block": 1,
             "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
             "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D")},
    "others": {"block_out_channels": (8, 12), "attention_head_dim": 2, "norm_num_groups": 2, "layers_per_block": 1,
               "cross_attention_dim": 6, "sample_size": 16, "flip_sin_to_cos": False, "freq_shift": 1,
               "norm_eps": 1e-4, "in_channels": 9, "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
               "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D")},
}
AUTOENCODERS = {
    "SD": {"block_out_channels": (8, 16, 16, 24), "layers_per_block": 2, "norm_num_groups": 4},
    "small": {"block_out_channels": (8, 12), "layers_per_block": 1, "norm_num_groups": 2, "latent_channels": 3,
              "mid_block_add_attention": False},
}
TOKENS = {"vocab_size": 50, "max_position_embeddings": 11, "bos_token_id": 48, "eos_token_id": 49}
TEXTS = {
    "SD 1": {**TOKENS, "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 3, "num_attention_heads": 3,
             "hidden_act": "quick_gelu", "pad_token_id": 49},
    "SD 2": {**TOKENS, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
             "hidden_act": "gelu", "pad_token_id": 0},
    "old": {**TOKENS, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
            "hidden_act": "quick_gelu", "eos_token_id": 2},
}
IMAGES = {"hidden_size": 30, "intermediate_size": 44, "num_hidden_layers": 2, "num_attention_heads": 5,
          "image_size": 16, "patch_size": 4}
IDS = np.array([[48, 7, 49, 49, 49, 49, 49], [48, 3, 9, 4, 12, 30, 49], [48, 20, 21, 20, 49, 0, 0]])

pytestmark = pytest.mark.parametrize("dtype", VALUES)


@pytest.fixture
def draw(dtype):
    """Normal samples in the precision of the test."""
    rng = np.random.default_rng(0)
    return lambda *shape: rng.standard_normal(shape).astype(dtype)


@pytest.fixture(autouse=True)
def precision(dtype):
    with in_double(numpy_too=False) if dtype == "float64" else nullcontext():
        yield


def random_weights(theirs, dtype):
    """Their model with noise on every weight, so that scales of 1 and shifts of 0 are compared too."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return theirs.to(getattr(torch, dtype)).eval()


@pytest.mark.parametrize("name", UNETS)
def test_unet(name, dtype, draw, agree):
    theirs = random_weights(diffusers.UNet2DConditionModel(**UNETS[name]), dtype)
    ours = twin(UNet2DConditionModel, UNetConfig, theirs)
    x, context = draw(2, 8, 16, ours.config.in_channels), draw(2, 5, ours.config.cross_attention_dim)
    t, dy = np.array([3, 981]), draw(2, 8, 16, 4)
    y, backward = ours(x, t, context)
    dx, _, dcontext = backward(dy)
    tensors = tensor(channels_first(x)), tensor(context)
    expected = theirs(tensors[0], torch.from_numpy(t), tensors[1]).sample
    expected.backward(torch.tensor(channels_first(dy)))
    agree(f"UNet, forward, {dtype}", y, channels_last(expected), VALUES[dtype])
    agree(f"UNet, gradients, {dtype}", dx, channels_last(tensors[0].grad), GRADIENTS[dtype])
    agree(f"UNet, gradients, {dtype}", dcontext, tensors[1].grad, GRADIENTS[dtype])
    agree(f"UNet, gradients, {dtype}", worst_gradient(ours, theirs), 0.0, GRADIENTS[dtype], floor=1.0)


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_autoencoder(name, dtype, draw, agree):
    levels = len(AUTOENCODERS[name]["block_out_channels"])
    theirs = random_weights(diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels, up_block_types=("UpDecoderBlock2D",) * levels,
        **{"latent_channels": 4} | AUTOENCODERS[name]), dtype)
    ours = twin(AutoencoderKL, AutoencoderConfig, theirs)
    images = draw(2, 16, 24, 3)
    (mean, logvar), encode_back = ours.encode(images)
    z, dmean, dlogvar, dy = draw(*mean.shape), draw(*mean.shape), draw(*mean.shape), draw(*images.shape)
    y, decode_back = ours.decode(z)
    dimages, dz = encode_back(dmean, dlogvar), decode_back(dy)
    tensors = tensor(channels_first(images)), tensor(channels_first(z))
    latents, decoded = theirs.encode(tensors[0]).latent_dist, theirs.decode(tensors[1]).sample
    torch.autograd.backward([latents.mean, latents.logvar, decoded],
                            [torch.tensor(channels_first(part)) for part in (dmean, dlogvar, dy)])
    for one, other in ((mean, latents.mean), (logvar, latents.logvar), (y, decoded)):
        agree(f"autoencoder, forward, {dtype}", one, channels_last(other), VALUES[dtype])
    for one, other in zip((dimages, dz), tensors, strict=True):
        agree(f"autoencoder, gradients, {dtype}", one, channels_last(other.grad), GRADIENTS[dtype])
    agree(f"autoencoder, gradients, {dtype}", worst_gradient(ours, theirs), 0.0, GRADIENTS[dtype], floor=1.0)


@pytest.mark.parametrize("name", TEXTS)
def test_text_encoder(name, dtype, draw, agree):
    config = transformers.CLIPTextConfig(**TEXTS[name])
    theirs = random_weights(transformers.CLIPTextModel(config), dtype)
    ours = twin(CLIPTextModel, TextConfig, theirs)
    (hidden, backward), (pooled, pooled_back) = ours(IDS), ours.pooled(IDS)
    dhidden, dpooled = draw(*hidden.shape), draw(*pooled.shape)
    backward(dhidden)
    pooled_back(dpooled)
    expected = theirs(torch.from_numpy(IDS))
    torch.autograd.backward([expected.last_hidden_state, expected.pooler_output],
                            [torch.from_numpy(dhidden), torch.from_numpy(dpooled)])
    agree(f"text encoder, forward, {dtype}", hidden, expected.last_hidden_state.detach(), VALUES[dtype])
    agree(f"text encoder, forward, {dtype}", pooled, expected.pooler_output.detach(), VALUES[dtype])
    agree(f"text encoder, gradients, {dtype}", worst_gradient(ours, theirs), 0.0, GRADIENTS[dtype], floor=1.0)


def test_text_encoder_without_its_last_layer(dtype, draw, agree):
    """Diffusers' clip_skip = 1."""
    theirs = random_weights(transformers.CLIPTextModel(transformers.CLIPTextConfig(**TEXTS["SD 1"])), dtype)
    ours = twin(CLIPTextModel, TextConfig, theirs).without_last(1)
    states = theirs(torch.from_numpy(IDS), output_hidden_states=True).hidden_states
    inner = getattr(theirs, "text_model", theirs)
    agree(f"text encoder, forward, {dtype}", ours(IDS)[0], inner.final_layer_norm(states[-2]).detach(), VALUES[dtype])


@pytest.mark.parametrize("hidden_act", ["quick_gelu", "gelu"])
def test_clip_and_its_loss(hidden_act, dtype, draw, agree):
    activation = {"hidden_act": hidden_act}
    theirs = random_weights(transformers.CLIPModel(transformers.CLIPConfig(
        text_config=TEXTS["SD 1"] | activation, vision_config=IMAGES | activation, projection_dim=20)), dtype)
    ours = twin(CLIPModel, CLIPConfig, theirs)
    images = draw(3, 16, 16, 3)
    loss, backward = ours(IDS, images)
    _, dimages = backward(1.0)
    x = tensor(channels_first(images))
    expected = theirs(input_ids=torch.from_numpy(IDS), pixel_values=x, return_loss=True)
    expected.loss.backward()
    agree(f"CLIP, loss, {dtype}", loss, expected.loss.detach(), VALUES[dtype])
    for one, other in ((ours.embed_text(IDS)[0], expected.text_embeds),
                       (ours.embed_image(images)[0], expected.image_embeds)):
        unit = one / np.linalg.norm(one, axis=-1, keepdims=True)  # theirs come normalised
        agree(f"CLIP, embeddings, {dtype}", unit, other.detach(), VALUES[dtype])
    agree(f"CLIP, gradients, {dtype}", dimages, channels_last(x.grad), GRADIENTS[dtype])
    agree(f"CLIP, gradients, {dtype}", worst_gradient(ours, theirs), 0.0, GRADIENTS[dtype], floor=1.0)
