"""Functions of arrays that return `(y, backward)`, forward and backward side by side (what only an update needs,
accumulate, clipping, adamw and follow, has neither).

Letters in shape lines: N batch · H W pixels (P Q after a convolution) · C channels · I O channels in and out · T tokens
(Q queries, K keys) · D context width · A attention heads · E head width · G groups · k kernel size · V vocabulary size
(or classes) · F features of a time or a patch.
"""

from .accumulate import accumulate
from .activations import geglu, gelu, quick_gelu, silu
from .adamw import adamw
from .attention import attention
from .average import follow
from .clipping import clipping
from .contrastive import contrastive, cross_entropy
from .convolution import conv2d
from .cosine import cosine_distance
from .dispatch import fast, plain
from .embedding import embedding, sinusoidal_embedding
from .linear import linear
from .losses import huber, kl_standard_normal, l1, mse
from .normalization import group_norm, layer_norm
from .op import no_grad, op
from .patches import patchify
from .shaping import concat, split
from .softmax import softmax
from .upsampling import upsample_conv2d, upsample_nearest
