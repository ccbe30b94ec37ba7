"""CLIP's encoders and its loss: gradients, causality, pooling, and a loss that may be split over workers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from whole_model import assert_every_parameter_has_a_gradient, assert_gradients_are_central_differences, in_double

from minidiff.data.batches import as_batch, evaluation_scenes
from minidiff.errors import UserError
from minidiff.models.clip import CLIPModel
from minidiff.models.configs import CLIPConfig, TextConfig, VisionConfig
from minidiff.models.image_encoder import CLIPVisionModel, PatchEmbeddings
from minidiff.models.text_encoder import CLIPTextModel
from minidiff.nn.module import chain
from minidiff.ops import conv2d

START, END = 18, 19
TEXT = TextConfig(vocab_size=20, hidden_size=12, intermediate_size=20, num_hidden_layers=2, num_attention_heads=3,
                  max_position_embeddings=7, eos_token_id=END)
VISION = VisionConfig(hidden_size=10, intermediate_size=14, num_hidden_layers=2, num_attention_heads=5, image_size=12,
                      patch_size=4)
IDS = np.array([[START, 3, 5, END, END, END], [START, 7, 7, 2, 11, END], [START, END, 0, 0, 0, 0]])


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def text_model(rng):
    return in_double(CLIPTextModel(rng, TEXT), rng)


@pytest.fixture
def model(rng):
    return in_double(CLIPModel(rng, CLIPConfig(TEXT, VISION, projection_dim=8)), rng)


@pytest.fixture
def images(rng):
    return rng.uniform(-1, 1, (3, 12, 12, 3))


def replaced(config, **values):
    return type(config).from_dict(config.to_dict() | values)


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_text_encoder_gradients(activation, rng):
    model = in_double(CLIPTextModel(rng, replaced(TEXT, hidden_act=activation)), rng)
    for call in (model, model.pooled):
        assert_gradients_are_central_differences(model, call, (IDS,), rng)
        assert_every_parameter_has_a_gradient(model)


def test_text_encoder_without_its_last_layers(text_model, rng):
    names = [name for name, _ in text_model.named_parameters() if "layers.1." not in name]
    short = text_model.without_last(1)
    assert [name for name, _ in short.named_parameters()] == names and short.config.num_hidden_layers == 1
    whole = dict(text_model.named_parameters())
    assert all(parameter is whole[name] for name, parameter in short.named_parameters())
    hidden, _ = chain(IDS, text_model.embeddings, text_model.encoder.layers[0], text_model.final_layer_norm)
    assert_array_equal(short(IDS)[0], hidden)
    assert_gradients_are_central_differences(short, short, (IDS,), rng)
    assert text_model.config == TEXT and len(text_model.encoder.layers) == 2


def test_only_the_end_of_a_text_teaches_the_last_layer_what_to_make_of_tokens(model, images, rng):
    """What the last layer makes of the other tokens has no gradient."""
    layer, seen = model.text_model.encoder.layers[-1].mlp, []

    class Watched:
        def __call__(self, x):
            y, back = layer(x)
            return y, lambda dy: seen.append(dy) or back(dy)

    model.text_model.encoder.layers[-1].mlp = Watched()
    _, backward = model(IDS, images)
    backward(1.0)
    [dy] = seen
    ends = (IDS == END).argmax(axis=1)
    others = np.arange(IDS.shape[1]) != ends[:, None]
    assert not dy[others].any() and np.abs(dy[~others]).min() > 0


def test_image_encoder_gradients(images, rng):
    model = in_double(CLIPVisionModel(rng, VISION), rng)
    assert_gradients_are_central_differences(model, model, (images,), rng)
    assert_every_parameter_has_a_gradient(model)


def test_positions_are_as_large_as_embedded_patches(rng):
    """To a factor of two: a class token that hears colours only learns late what is left and what is right."""
    embeddings = PatchEmbeddings(rng, VisionConfig(hidden_size=96, image_size=64, patch_size=8))
    patches, _ = embeddings.patch_embedding(as_batch(evaluation_scenes(50, "seen"), 64).images)
    assert 0.5 < patches.std() / embeddings.position_embedding.weight.value.std() < 2


def test_contrastive_gradients(model, images, rng):
    assert_gradients_are_central_differences(model, model, (IDS, images), rng)
    assert_every_parameter_has_a_gradient(model)


def test_names_are_those_of_the_checkpoint(model):
    names = [name for name, _ in model.named_parameters()]
    tower = [f"encoder.layers.{i}.{part}.{kind}" for i in range(2) for kind in ("weight", "bias") for part in (
        "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj",
        "layer_norm1", "mlp.fc1", "mlp.fc2", "layer_norm2")]
    text = ["embeddings.token_embedding.weight", "embeddings.position_embedding.weight", *tower,
            "final_layer_norm.weight", "final_layer_norm.bias"]
    vision = ["embeddings.class_embedding", "embeddings.patch_embedding.weight", "embeddings.position_embedding.weight",
              "pre_layrnorm.weight", "pre_layrnorm.bias", *tower, "post_layernorm.weight", "post_layernorm.bias"]
    assert sorted(names) == sorted([
        *(f"text_model.{name}" for name in text), *(f"vision_model.{name}" for name in vision),
        "text_projection.weight", "visual_projection.weight", "logit_scale"])


def test_a_token_attends_to_none_that_come_later(text_model):
    hidden, _ = text_model(IDS)
    for t in range(1, IDS.shape[1]):
        changed = IDS.copy()
        changed[:, t] = (IDS[:, t] + 1) % 18
        other, _ = text_model(changed)
        assert_array_equal(other[:, :t], hidden[:, :t])
        assert np.abs(other[:, t:] - hidden[:, t:]).max(axis=(0, 2)).min() > 1e-6


def test_padding_is_attended_to_like_any_token(text_model):
    padded, _ = text_model(IDS[:1])
    changed, _ = text_model(np.where(np.arange(6) == 4, 0, IDS[:1]))
    assert np.abs(padded[:, 5] - changed[:, 5]).max() > 1e-6


def test_order_of_the_tokens_matters(text_model):
    one, other = (text_model(np.array([[START, *words, END]]))[0][0, -1] for words in ((3, 8), (8, 3)))
    assert np.abs(one - other).max() > 1e-6


def test_pooled_text_is_the_state_at_the_first_end(text_model):
    hidden, _ = text_model(IDS)
    assert_array_equal(text_model.pooled(IDS)[0], hidden[np.arange(3), [3, 5, 1]])


def test_old_configurations_pool_at_the_largest_id(rng):
    model = CLIPTextModel(rng, replaced(TEXT, eos_token_id=2))
    assert_array_equal(model.pooled(IDS)[0], model(IDS)[0][np.arange(3), [3, 5, 1]])


def test_texts_and_images_of_the_wrong_size_are_refused(model, images):
    with pytest.raises(UserError, match=r"8 tokens .* 7"):
        model.embed_text(np.full((2, 8), END))
    with pytest.raises(UserError, match="12 x 12 pixels, not of 8 x 12"):
        model.embed_image(images[:, :8])
    with pytest.raises(UserError, match="patches of 5"):
        replaced(VISION, patch_size=5)


def test_patch_embedding_is_a_convolution_with_the_patch_as_its_stride(model, images):
    embedding = model.vision_model.embeddings.patch_embedding
    y, _ = embedding(images)
    expected, _ = conv2d(images, embedding.weight.value, stride=4, padding=((0, 0), (0, 0)))
    assert_allclose(y, expected.reshape(y.shape), rtol=1e-12, atol=1e-12)


def test_every_patch_and_its_place_matter_to_the_image_encoder(model, images):
    y, _ = model.embed_image(images)
    for row in range(0, 12, 4):
        for column in range(0, 12, 4):
            changed = images.copy()
            changed[:, row : row + 4, column : column + 4] *= -1
            assert np.abs(model.embed_image(changed)[0] - y).max() > 1e-6
    assert np.abs(model.embed_image(np.roll(images, 4, axis=1))[0] - y).max() > 1e-6


def test_a_new_model_has_the_temperature_of_clip_and_float32_gradients(rng, images):
    model = CLIPModel(rng, CLIPConfig(TEXT, VISION, projection_dim=8))
    assert model.logit_scale.value.shape == () and model.logit_scale.value.dtype == np.float32
    assert_allclose(model.logit_scale.value, math.log(1 / 0.07), rtol=1e-4, atol=0)
    loss, back = model(IDS, images.astype(np.float32))
    assert loss.dtype == np.float32
    back(1.0)
    assert {p.grad.dtype.name for p in model.parameters()} == {"float32"}


def test_loss_is_symmetric_cross_entropy_of_cosines(model, images):
    text, image = model.embed_text(IDS)[0], model.embed_image(images)[0]
    cosines = (text / np.linalg.norm(text, axis=1)[:, None]) @ (image / np.linalg.norm(image, axis=1)[:, None]).T
    odds = np.exp(np.exp(model.logit_scale.value) * cosines)
    expected = -np.mean([np.log(np.diag(odds) / odds.sum(axis=axis)) for axis in (0, 1)])
    assert_allclose(model(IDS, images)[0], expected, rtol=1e-12, atol=0)


def test_workers_that_embed_parts_have_the_gradients_of_the_whole(model, images):
    loss, back = model(IDS, images)
    _, dimages = back(1.0)
    replicas, parts = [model.replica() for _ in range(2)], [slice(0, 2), slice(2, 3)]
    texts = [replica.embed_text(IDS[part]) for replica, part in zip(replicas, parts, strict=True)]
    seen = [replica.embed_image(images[part]) for replica, part in zip(replicas, parts, strict=True)]
    split_loss, loss_back = replicas[0].contrast(*(np.concatenate([y for y, _ in made]) for made in (texts, seen)))
    dtext, dimage = loss_back(1.0)
    for (_, text_back), part in zip(texts, parts, strict=True):
        text_back(dtext[part])
    dparts = [image_back(dimage[part]) for (_, image_back), part in zip(seen, parts, strict=True)]
    assert_allclose(split_loss, loss, rtol=1e-12, atol=0)
    assert_allclose(np.concatenate(dparts), dimages, rtol=1e-10, atol=1e-13)
    for whole, *own in zip(model.parameters(), *(replica.parameters() for replica in replicas), strict=True):
        total = sum(parameter.grad for parameter in own if parameter.grad is not None)
        assert_allclose(total, whole.grad, rtol=1e-9, atol=1e-12)
