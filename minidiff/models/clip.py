"""CLIP: a text encoder and an image encoder, trained to map an image and its caption to the same direction."""

from __future__ import annotations

import numpy as np

from ..nn.layers import Linear
from ..nn.module import Module, Parameter, apply, chain
from ..ops import contrastive
from .configs import CLIPConfig
from .image_encoder import CLIPVisionModel
from .text_encoder import CLIPTextModel


class CLIPModel(Module):
    """ids (N, T), images (N, H, W, 3) -> loss (); caption n belongs to image n (Radford et al. 2021, figure 3).

    The loss needs the embeddings of the whole batch, but each sample is embedded on its own. So workers embed parts of
    a batch, `contrast` computes the loss of all of them, and each worker gets the gradient of its part.
    """

    def __init__(self, rng, config: CLIPConfig):
        self.config = config
        self.text_model = CLIPTextModel(rng, config.text_config)
        self.vision_model = CLIPVisionModel(rng, config.vision_config)
        self.text_projection = Linear(rng, config.text_config.hidden_size, config.projection_dim, bias=False)
        self.visual_projection = Linear(rng, config.vision_config.hidden_size, config.projection_dim, bias=False)
        self.logit_scale = Parameter(np.array(config.logit_scale_init_value, np.float32))

    def embed_text(self, ids):
        """ids (N, T) -> y (N, C), not normalized."""
        return chain(ids, self.text_model.pooled, self.text_projection)

    def embed_image(self, images):
        """images (N, H, W, 3) in [-1, 1] -> y (N, C), not normalized."""
        return chain(images, self.vision_model, self.visual_projection)

    def contrast(self, text, image):
        """text (N, C), image (N, C) -> loss ()"""
        return apply(contrastive, text, image, self.logit_scale)

    def __call__(self, ids, images):
        text, text_back = self.embed_text(ids)
        image, image_back = self.embed_image(images)
        loss, loss_back = self.contrast(text, image)

        def backward(dloss):
            dtext, dimage = loss_back(dloss)
            return text_back(dtext), image_back(dimage)

        return loss, backward
