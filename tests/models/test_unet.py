"""The UNet and the autoencoder: sizes and names of Stable Diffusion's, gradients, and what they listen to."""

from __future__ import annotations

import hashlib
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from whole_model import assert_every_parameter_has_a_gradient, assert_gradients_are_central_differences, in_double

from minidiff.errors import UserError
from minidiff.models.autoencoder import AutoencoderKL
from minidiff.models.clip import CLIPModel
from minidiff.models.configs import AutoencoderConfig, CLIPConfig, TextConfig, UNetConfig
from minidiff.models.text_encoder import CLIPTextModel
from minidiff.models.unet import UNet2DConditionModel
from minidiff.nn.layers import GroupNorm, LayerNorm
from minidiff.nn.module import Module
from minidiff.ops import no_grad

# Parameters, tensors and the digest of all names and shapes of the classes of diffusers 0.42.1, transformers 5.23.0.
PUBLISHED = {
    "UNet of SD 1.5": (UNet2DConditionModel, UNetConfig(), 859_520_964, 686, "5159ace1d6e60acb"),
    "UNet of SD 2.1": (
        UNet2DConditionModel,
        UNetConfig(cross_attention_dim=1024, attention_head_dim=(5, 10, 20, 20), use_linear_projection=True),
        865_910_724, 686, "61d626becb5b11d8"),
    "autoencoder": (AutoencoderKL, AutoencoderConfig(), 83_653_863, 248, "600696bc94ffc80f"),
    "text encoder of SD 1.5": (CLIPTextModel, TextConfig(), 123_060_480, 196, "0240ea74fae34c19"),
    "text encoder of SD 2.1": (
        CLIPTextModel,
        TextConfig(hidden_size=1024, intermediate_size=4096, num_hidden_layers=23, num_attention_heads=16,
                   hidden_act="gelu"),
        340_387_840, 372, "b3fb33659b67fd51"),
    "CLIP ViT-B/32": (
        CLIPModel,
        CLIPConfig(text_config=TextConfig(hidden_size=512, intermediate_size=2048, num_attention_heads=8)),
        151_277_313, 398, "8bab39ee5933a281"),
}

UNETS = {
    "two levels, the deeper one attends": dict(
        block_out_channels=(8, 12), layers_per_block=2, cross_attention_dim=5, attention_head_dim=(2, 3),
        norm_num_groups=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D")),
    "one layer, both levels attend, linear projections": dict(
        block_out_channels=(4, 8), layers_per_block=1, cross_attention_dim=6, attention_head_dim=2, norm_num_groups=2,
        down_block_types=("CrossAttnDownBlock2D",) * 2, up_block_types=("CrossAttnUpBlock2D",) * 2,
        use_linear_projection=True, flip_sin_to_cos=False, freq_shift=1),
    "three levels, only the middle reads the text": dict(
        block_out_channels=(4, 8, 8), layers_per_block=1, cross_attention_dim=3, attention_head_dim=4,
        norm_num_groups=2, down_block_types=("DownBlock2D",) * 3, up_block_types=("UpBlock2D",) * 3),
}
AUTOENCODERS = {
    "with attention": dict(block_out_channels=(4, 8), layers_per_block=1, latent_channels=2, norm_num_groups=2),
    "without attention": dict(block_out_channels=(4, 6, 8), layers_per_block=2, latent_channels=3, norm_num_groups=2,
                              mid_block_add_attention=False),
}


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def unet_and_inputs(rng, sizes=UNETS["two levels, the deeper one attends"]):
    config = UNetConfig(**sizes)
    model = in_double(UNet2DConditionModel(rng, config), rng)
    x = rng.standard_normal((2, 4, 8, config.in_channels))
    return model, (x, np.array([3.0, 40.0]), rng.standard_normal((2, 5, config.cross_attention_dim)))


def autoencoder(rng, sizes=AUTOENCODERS["with attention"]):
    return in_double(AutoencoderKL(rng, AutoencoderConfig(**sizes)), rng)


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_those_of_the_published_model(name):
    build, config, count, tensors, digest = PUBLISHED[name]
    shapes = {key: p.value.shape for key, p in build(None, config).named_parameters()}
    shapes |= {key: (o, i, k, k) for key, (k, _, i, o) in ((k, s) for k, s in shapes.items() if len(s) == 4)}
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == count
    assert len(shapes) == tensors
    lines = "\n".join(sorted(f"{key} {shape}" for key, shape in shapes.items()))
    assert hashlib.sha256(lines.encode()).hexdigest()[:16] == digest


@pytest.mark.parametrize("name, shape", [
    ("conv_in.weight", (3, 3, 4, 320)),
    ("time_embedding.linear_1.weight", (1280, 320)),
    ("down_blocks.0.attentions.0.proj_in.weight", (1, 1, 320, 320)),
    ("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight", (320, 768)),
    ("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_out.0.weight", (320, 320)),
    ("down_blocks.1.attentions.1.transformer_blocks.0.ff.net.0.proj.weight", (5120, 640)),
    ("down_blocks.1.resnets.0.conv_shortcut.weight", (1, 1, 320, 640)),
    ("down_blocks.2.downsamplers.0.conv.bias", (1280,)),
    ("mid_block.resnets.1.time_emb_proj.weight", (1280, 1280)),
    ("up_blocks.1.resnets.2.conv1.weight", (3, 3, 1920, 1280)),
    ("up_blocks.3.attentions.2.transformer_blocks.0.ff.net.2.bias", (320,)),
    ("conv_norm_out.weight", (320,)),
])
def test_unet_names_are_the_checkpoints(name, shape):
    assert dict(UNet2DConditionModel(None, UNetConfig()).named_parameters())[name].value.shape == shape


def test_both_generations_of_the_unet_have_the_same_names():
    first, second = (dict(build(None, config).named_parameters()) for build, config, *_ in list(PUBLISHED.values())[:2])
    assert list(first) == list(second)
    assert sum(first[name].value.shape != second[name].value.shape for name in first) == 64


@pytest.mark.parametrize("sizes", UNETS.values(), ids=UNETS)
def test_unet_gradients(sizes, rng):
    model, inputs = unet_and_inputs(rng, sizes)
    assert_gradients_are_central_differences(model, model, inputs, rng)
    assert_every_parameter_has_a_gradient(model)


@pytest.mark.parametrize("sizes", AUTOENCODERS.values(), ids=AUTOENCODERS)
def test_autoencoder_gradients(sizes, rng):
    model = autoencoder(rng, sizes)
    x = rng.standard_normal((2, 8, 12, 3))
    (mean, _), encode_back = model.encode(x)
    assert_gradients_are_central_differences(model, model.encode, (x,), rng)
    assert_gradients_are_central_differences(model, model.decode, (mean,), rng)
    encode_back(np.ones_like(mean), np.ones_like(mean))
    assert_every_parameter_has_a_gradient(model)


def test_autoencoder_has_no_attention_parameters_without_attention(rng):
    names = [name for name, _ in autoencoder(rng, AUTOENCODERS["without attention"]).named_parameters()]
    assert not [name for name in names if "attentions" in name]


def test_log_variance_is_clamped_and_has_no_gradient_outside(rng):
    model = autoencoder(rng)
    model.quant_conv.bias.value[2:] = (50.0, -90.0)
    (_, logvar), back = model.encode(rng.standard_normal((2, 4, 4, 3)))
    assert_array_equal(logvar, np.broadcast_to([20.0, -30.0], logvar.shape))
    dx = back(np.zeros_like(logvar), np.ones_like(logvar))
    assert_array_equal(dx, np.zeros_like(dx))


def test_encoder_halves_with_padding_on_the_right_and_at_the_bottom_only(rng):
    model = autoencoder(rng, AUTOENCODERS["without attention"])
    downsample = model.encoder.down_blocks[0].downsamplers[0]
    x = rng.standard_normal((2, 6, 8, 4))
    y, _ = downsample(x)
    weight, bias = downsample.conv.weight.value, downsample.conv.bias.value
    assert_allclose(y[:, 1, 2], np.einsum("nabi,abio->no", x[:, 2:5, 4:7], weight) + bias, rtol=1e-12, atol=1e-12)
    corner = np.einsum("nabi,abio->no", x[:, 4:6, 6:8], weight[:2, :2]) + bias
    assert_allclose(y[:, 2, 3], corner, rtol=1e-12, atol=1e-12)


def test_every_normalisation_has_the_epsilon_of_the_published_model():
    def epsilons(module, path=""):
        for name, value in vars(module).items():
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, GroupNorm | LayerNorm):
                    yield f"{path}{name}", child.eps
                elif isinstance(child, Module):
                    yield from epsilons(child, f"{path}{name}.")

    assert {eps for _, eps in epsilons(AutoencoderKL(None, AutoencoderConfig()))} == {1e-6}
    unet = set(epsilons(UNet2DConditionModel(None, UNetConfig())))
    assert {name for name, eps in unet if eps == 1e-6} == {
        "down_blocks.attentions.norm", "mid_block.attentions.norm", "up_blocks.attentions.norm"}
    assert {eps for _, eps in unet} == {1e-5, 1e-6}
    assert {eps for _, eps in epsilons(CLIPTextModel(None, TextConfig()))} == {1e-5}


def test_decoder_restores_the_shape_that_the_encoder_shrank(rng):
    model = autoencoder(rng, AUTOENCODERS["without attention"])
    (mean, logvar), _ = model.encode(rng.standard_normal((2, 8, 12, 3)))
    assert mean.shape == logvar.shape == (2, 2, 3, 3)
    assert model.config.downsampling == 4
    assert model.decode(mean)[0].shape == (2, 8, 12, 3)


def test_every_input_and_every_channel_matters_to_the_unet(rng):
    model, (x, t, context) = unet_and_inputs(rng)
    y, _ = model(x, t, context)
    for channel in range(x.shape[-1]):
        moved = x.copy()
        moved[..., channel] += 1
        assert np.abs(model(moved, t, context)[0] - y).max() > 1e-3
    assert np.abs(model(x, t + 1, context)[0] - y).max() > 1e-6
    for token in range(context.shape[1]):
        moved = context.copy()
        moved[:, token] += 1
        assert np.abs(model(x, t, moved)[0] - y).max() > 1e-6


def test_samples_of_a_batch_do_not_see_each_other(rng):
    model, (x, t, context) = unet_and_inputs(rng)
    y, _ = model(x, t, context)
    for i in range(2):
        alone, _ = model(x[i : i + 1], t[i : i + 1], context[i : i + 1])
        assert_allclose(alone[0], y[i], rtol=1e-10, atol=1e-12)


def test_text_may_be_of_any_length(rng):
    model, (x, t, context) = unet_and_inputs(rng)
    twice = np.concatenate((context, context), axis=1)  # the same keys again change no weighted mean
    assert_allclose(model(x, t, twice)[0], model(x, t, context)[0], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("sizes", UNETS.values(), ids=UNETS)
def test_keys_and_values_may_be_read_before(rng, sizes):
    model, (x, t, context) = unet_and_inputs(rng, sizes)
    known = model.read(context)
    assert_array_equal(model(x, t, *known)[0], model(x, t, context)[0])
    levels = [*model.config.down_block_types, *model.config.up_block_types]
    layers = model.config.layers_per_block
    assert len(known) / 2 == 1 + sum(layers + kind.startswith("CrossAttnUp") for kind in levels if "CrossAttn" in kind)


def test_forward_and_backward_only_read_their_arguments(rng):
    model, inputs = unet_and_inputs(rng)
    dy = rng.standard_normal(inputs[0].shape)
    expected = model(*inputs)[0]
    for array in (*inputs, dy, *(p.value for p in model.parameters())):
        array.setflags(write=False)
    y, back = model(*inputs)
    first = [dx.copy() for dx in back(dy)]
    for one, other in zip((y, *first), (expected, *back(dy)), strict=True):
        assert_array_equal(one, other)


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("float16", 3e-2)])
def test_precision_is_the_input_s(rng, dtype, tolerance):
    model, inputs = unet_and_inputs(rng)
    y, back = model(*inputs)
    dy = rng.standard_normal(y.shape)
    dx, _, dcontext = back(dy)
    for parameter in model.parameters():
        parameter.value, parameter.grad = parameter.value.astype(np.float32), None
    x, t, context = inputs
    low, low_back = model(x.astype(dtype), t, context.astype(dtype))
    low_dx, _, low_dcontext = low_back(dy.astype(dtype))
    for one, other in ((low, y), (low_dx, dx), (low_dcontext, dcontext)):
        assert one.dtype == dtype
        assert np.linalg.norm(one - other) < tolerance * np.linalg.norm(other)
    assert {p.grad.dtype.name for p in model.parameters()} == {"float32"}


def test_nearby_times_differ_in_half_precision(rng):
    model, _ = unet_and_inputs(rng)
    time_emb, _ = model.time_embedding(np.array([999.0, 999.2], np.float32), np.dtype("float16"))
    assert time_emb.dtype == np.float16
    assert np.abs(time_emb[0] - time_emb[1]).max() > 1e-3


def test_no_grad_keeps_no_activations(rng):
    model = UNet2DConditionModel(rng, UNetConfig(**UNETS["two levels, the deeper one attends"]))
    inputs = [a.astype(np.float32) for a in (rng.standard_normal((2, 32, 32, 4)), np.array([3.0, 5.0]),
                                             rng.standard_normal((2, 5, 5)))]

    def memory():
        tracemalloc.start()
        y, back = model(*inputs)
        kept, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return y, back, kept, peak

    expected, _, kept, peak = memory()
    with no_grad():
        y, back, kept_without, peak_without = memory()
    assert_array_equal(y, expected)
    assert kept_without < 0.05 * kept
    assert peak_without < 0.5 * peak
    with pytest.raises(RuntimeError, match="no_grad"):
        back(y)


@pytest.mark.parametrize("build, message", [
    (lambda: UNetConfig(norm_num_groups=7), "norm_num_groups = 7"),
    (lambda: UNetConfig(attention_head_dim=7), "7 attention heads"),
    (lambda: UNetConfig(attention_head_dim=(5, 10)), "4 numbers"),
    (lambda: UNetConfig(block_out_channels=(320, 640)), "2 levels"),
    (lambda: UNetConfig(down_block_types=("AttnDownBlock2D",) * 4), "AttnDownBlock2D"),
    (lambda: UNetConfig.from_dict({"addition_embed_type": "text_time"}), "text_time"),
    (lambda: UNetConfig.from_dict({"act_fn": "gelu"}), "act_fn"),
    (lambda: AutoencoderConfig.from_dict({"use_quant_conv": False}), "use_quant_conv"),
    (lambda: AutoencoderConfig(block_out_channels=(48,)), "48 channels"),
    (lambda: TextConfig(hidden_act="relu"), "relu"),
    (lambda: TextConfig(num_attention_heads=5), "5 attention heads"),
])
def test_impossible_sizes_are_named(build, message):
    with pytest.raises(UserError, match=message):
        build()


@pytest.mark.parametrize("config", [UNetConfig(), UNetConfig(attention_head_dim=(5, 10, 20, 20)), AutoencoderConfig(),
                                    TextConfig(), CLIPConfig()])
def test_configurations_survive_their_dictionaries(config):
    assert type(config).from_dict(config.to_dict()) == config
