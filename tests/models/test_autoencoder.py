"""The autoencoder: its gradients, its padding, its clamped variance."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from whole_model import assert_every_parameter_has_a_gradient, assert_gradients_are_central_differences, in_double

from minidiff.errors import UserError
from minidiff.models.autoencoder import AutoencoderKL
from minidiff.models.configs import AutoencoderConfig

AUTOENCODERS = {
    "with attention": dict(block_out_channels=(4, 8), layers_per_block=1, latent_channels=2, norm_num_groups=2),
    "without attention": dict(block_out_channels=(4, 6, 8), layers_per_block=2, latent_channels=3, norm_num_groups=2,
                              mid_block_add_attention=False),
}


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def autoencoder(rng, sizes=AUTOENCODERS["with attention"]):
    return in_double(AutoencoderKL(rng, AutoencoderConfig(**sizes)), rng)


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


def test_autoencoder_takes_an_empty_batch(rng):
    model = autoencoder(rng)
    (mean, logvar), _ = model.encode(np.zeros((0, 8, 12, 3)))
    assert mean.shape == logvar.shape == (0, 4, 6, 2)
    assert model.decode(mean)[0].shape == (0, 8, 12, 3)


def test_an_image_without_latents_is_refused_and_the_smallest_one_with_some_is_not(rng):
    model = autoencoder(rng)
    with pytest.raises(UserError, match="1 x 8 pixels is too small to encode: use one of at least 2 x 2"):
        model.encode(np.zeros((1, 1, 8, 3)))
    assert model.encode(np.zeros((1, 2, 3, 3)))[0][0].shape == (1, 1, 1, 2)


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


def test_decoder_restores_the_shape_that_the_encoder_shrank(rng):
    model = autoencoder(rng, AUTOENCODERS["without attention"])
    (mean, logvar), _ = model.encode(rng.standard_normal((2, 8, 12, 3)))
    assert mean.shape == logvar.shape == (2, 2, 3, 3)
    assert model.config.downsampling == 4
    assert model.decode(mean)[0].shape == (2, 8, 12, 3)
