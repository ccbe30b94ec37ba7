"""CLIP's image encoder, a vision transformer: its tokens are patches and a class token for the whole image."""

from __future__ import annotations

from ..backend import array_module
from ..errors import UserError
from ..nn.clip_layers import CLIPEncoder
from ..nn.layers import Embedding, LayerNorm, normal_parameter, uniform_parameter
from ..nn.module import Module, apply, chain
from ..ops import linear, op, patchify
from .configs import VisionConfig


class CLIPVisionModel(Module):
    """images (N, H, W, 3) -> y (N, C), the final state of the class token; H = W = config.image_size.

    Dosovitskiy et al. 2021, with a layer norm before the encoder as in Radford et al. 2021, section 2.4.
    """

    def __init__(self, rng, config: VisionConfig):
        self.config = config
        self.embeddings = PatchEmbeddings(rng, config)
        self.pre_layrnorm = LayerNorm(config.hidden_size, config.layer_norm_eps)  # spelled as in the checkpoints
        self.encoder = CLIPEncoder(rng, config, causal=False)
        self.post_layernorm = LayerNorm(config.hidden_size, config.layer_norm_eps)

    def __call__(self, images):
        return chain(images, self.embeddings, self.pre_layrnorm, self.encoder, first_token, self.post_layernorm)

    def patches(self, images):
        """images (N, H, W, 3) -> y (N, T, C), the states of the patches after the encoder; without a backward pass."""
        y, _ = chain(images, self.embeddings, self.pre_layrnorm, self.encoder)
        return y[:, 1:]


class PatchEmbeddings(Module):
    """The class token, then the linearly embedded patches, each plus a position embedding.

    images (N, H, W, I) -> y (N, T, C), T = 1 + (H / size) (W / size)

    Positions are initialized about as large as embedded patches are: where colours drown them, left and right look
    alike, and a thousand steps of training don't teach the order of words.
    """

    def __init__(self, rng, config):
        channels, size = config.hidden_size, config.patch_size
        self.class_embedding = normal_parameter(rng, (channels,), channels ** -0.5)
        self.patch_embedding = PatchEmbedding(rng, config.num_channels, channels, size)
        self.position_embedding = Embedding(rng, 1 + (config.image_size // size) ** 2, channels, std=0.3)
        self.size = (config.image_size, config.image_size)

    def __call__(self, images):
        if images.shape[1:3] != self.size:
            raise UserError(f"the image encoder takes images of {self.size[0]} x {self.size[1]} pixels, "
                            f"not of {images.shape[1]} x {images.shape[2]}: resize them")
        patches, patch_back = self.patch_embedding(images)
        tokens, join_back = apply(prepend, self.class_embedding, patches)
        positions, position_back = self.position_embedding(array_module(images).arange(tokens.shape[1])[None])

        def backward(dy):
            position_back(dy.sum(axis=0, keepdims=True))
            return patch_back(join_back(dy))

        return tokens + positions.astype(tokens.dtype, copy=False), backward


class PatchEmbedding(Module):
    """x (N, H, W, I) -> y (N, T, O); the weight is (k, k, I, O) here and (O, I, k, k) in files, as a convolution's."""

    def __init__(self, rng, inputs, outputs, size):
        self.weight = uniform_parameter(rng, (size, size, inputs, outputs), size * size * inputs)

    def __call__(self, x):
        return apply(embed_patches, x, self.weight)


@op
def embed_patches(x, weight):
    """A convolution whose stride is its kernel size: patches that don't overlap, all multiplied by the same matrix.

    x (N, H, W, I), weight (k, k, I, O) -> y (N, T, O)
    """
    size, _, _, outputs = shape = weight.shape
    patches, cut_back = patchify(x, size)
    y, linear_back = linear(patches, weight.reshape(-1, outputs).T)

    def backward(dy):
        dpatches, dweight = linear_back(dy)
        return cut_back(dpatches), dweight.T.reshape(shape)

    return y, backward


@op
def prepend(token, x):
    """The same token before the tokens of every sample.

    token (C), x (N, K, C) -> y (N, T, C)
    """
    xp = array_module(x)
    n, _, channels = x.shape
    first = xp.broadcast_to(token, (n, 1, channels))
    return xp.concatenate((first, x), axis=1), lambda dy: (dy[:, 0].sum(axis=0), dy[:, 1:])


@op
def first_token(x):
    """x (N, T, C) -> y (N, C)"""
    shape = x.shape

    def backward(dy):
        dx = array_module(dy).zeros_like(dy, shape=shape)
        dx[:, 0] = dy
        return dx

    return x[:, 0], backward
