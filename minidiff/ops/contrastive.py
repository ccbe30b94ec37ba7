"""Cross-entropy over classes, and the contrastive loss of CLIP, which is made of it."""

from ..backend import array_module, full_precision, matmul, product_precision
from .cosine import unit_length
from .op import op


@op
def cross_entropy(logits, labels):
    """loss = −mean over rows of log softmax(logits)[label]

    logits (N, V), labels (N) -> loss ()

    dlogits = (softmax(logits) − one_hot(labels)) / N
    """
    xp = array_module(logits)
    rows = xp.arange(len(logits))
    shifted = full_precision(logits) - logits.max(axis=-1, keepdims=True)
    log_probs = shifted - xp.log(xp.exp(shifted).sum(axis=-1, keepdims=True))

    def backward(dloss):
        dlogits = xp.exp(log_probs)
        dlogits[rows, labels] -= 1
        return (dlogits * (dloss / len(logits))).astype(logits.dtype, copy=False), None

    return -log_probs[rows, labels].mean(), backward


@op
def contrastive(text, image, logit_scale):
    """loss = ½ (cross_entropy(scale · t iᵀ, labels) + cross_entropy(scale · i tᵀ, labels)), labels = 0 … N − 1

    text (N, C), image (N, C), logit_scale () -> loss ()

    t and i are text and image with rows scaled to unit length, scale = exp(logit_scale). Row n of one belongs to row n
    of the other (Radford et al. 2021, figure 3; symmetric InfoNCE).
    """
    xp = array_module(text)
    text_unit, text_back = unit_length(full_precision(text))
    image_unit, image_back = unit_length(full_precision(image))
    scale = xp.exp(full_precision(logit_scale))
    similarity = unrounded(text_unit, image_unit.T)                                      # (N, N) cosine similarities
    labels = xp.arange(len(text))
    text_loss, text_loss_back = cross_entropy(scale * similarity, labels)
    image_loss, image_loss_back = cross_entropy(scale * similarity.T, labels)

    def backward(dloss):
        dlogits = text_loss_back(0.5 * dloss)[0] + image_loss_back(0.5 * dloss)[0].T
        dtext = text_back(scale * unrounded(dlogits, image_unit))
        dimage = image_back(scale * unrounded(dlogits.T, text_unit))
        dlogit_scale = scale * (dlogits * similarity).sum()
        return dtext.astype(text.dtype, copy=False), dimage.astype(image.dtype, copy=False), dlogit_scale

    return 0.5 * (text_loss + image_loss), backward


def unrounded(a, b):
    """a b, also where other products round their factors: scale makes an error of a cosine a hundred times as large."""
    with product_precision("float32"):
        return matmul(a, b)
