"""Pure functions of arrays that return `(y, backward)`. Each file is one idea, forward and backward side by side.

Letters of the shape lines: N batch · H W pixels (P Q after a convolution) · C channels · I O channels in and out ·
T tokens (Q queries, K keys) · A attention heads · E head width · k kernel · V vocabulary · F time features.
"""

from .activations import geglu, gelu, quick_gelu, silu
from .attention import attention
from .convolution import conv2d
from .embedding import embedding, sinusoidal_embedding
from .linear import linear
from .losses import contrastive, cross_entropy, huber, kl_standard_normal, l1, mse
from .normalization import group_norm, layer_norm
from .op import no_grad, op
from .patches import patchify
from .shaping import concat, split
from .softmax import softmax
from .upsampling import upsample_conv2d, upsample_nearest
from .winograd import winograd_conv2d

__all__ = [
    "attention", "concat", "contrastive", "conv2d", "cross_entropy", "embedding", "geglu", "gelu", "group_norm",
    "huber", "kl_standard_normal", "l1", "layer_norm", "linear", "mse", "no_grad", "op", "patchify", "quick_gelu",
    "silu", "sinusoidal_embedding", "softmax", "split", "upsample_conv2d", "upsample_nearest", "winograd_conv2d",
]
