"""The second stage, CLIP: the embeddings of an image and of its caption learn to point in the same direction."""

from __future__ import annotations

from ..backend import random_stream, to_device
from ..data.purposes import Purpose
from ..data.source import Source
from ..data.sources import open_source
from ..errors import UserError
from ..models.clip import CLIPModel
from ..models.configs import CLIPConfig, TextConfig, VisionConfig
from ..tokenizer import Tokenizer
from .presets import Settings
from .workers import Workers

LARGEST_SCALE = 4.605170185988092  # ln 100: Radford et al. 2021, section 2.5


class ContrastiveTraining:
    """Each worker embeds its part of a batch, the loss compares all embeddings, and its gradient goes back in parts.

    So do ranks (ranks.py): each computes the loss of all embeddings, and goes on with the gradient of its own.

    Half of a batch of scenes are twins of the other half: their plain captions differ only in a word or in the order of
    words, so that the order of words matters from the first step on.

    CLIP's image encoder takes one size. So of images in buckets, too, it sees the square in the middle.
    """

    name = "contrastive"
    recordable = True

    def __init__(self, settings: Settings, tokenizer: Tokenizer, device: str = "cpu", source: Source | None = None):
        self.settings, self.tokenizer, self.device = settings, tokenizer, device
        self.source = source or open_source(settings)
        self.model = CLIPModel(random_stream(settings.seed, Purpose.CLIP), clip_config(settings, tokenizer))
        self.models = [self.model]

    def draw(self, index: int) -> tuple:
        """The token ids and the images of batch `index`."""
        batch = self.source.contrastive_batch(index, self.settings.train_contrastive.batch_size)
        return self.tokenizer(batch.captions), batch.images

    def step(self, workers: Workers, fraction: float, ids, images) -> dict:
        """The losses of a batch; adds its gradient times `fraction`."""
        scale, ranks = self.model.logit_scale.value, workers.ranks
        if len(ids) < ranks.size:
            raise UserError(f"a batch of different captions has {len(ids)}: start at most as many processes")
        scale.clip(None, LARGEST_SCALE, out=scale)
        parts = workers.split(*ranks.part(ids, images))
        if ranks.size == len(parts[0]) == 1:  # on a GPU it is recorded as a whole
            return workers.learn(fraction, ids, images)
        self.model.logit_scale.frozen = ranks.rank > 0  # each rank computes all of its gradient: it counts once
        text, image = zip(*workers.run("embed", *parts), strict=True)
        loss, loss_back = self.model.contrast(workers.join(text), workers.join(image))
        workers.run("learn_part", *workers.split(*ranks.part(*loss_back(fraction))))
        return {"loss": loss}

    def learn(self, fraction: float, ids, images) -> dict:
        """The losses of a batch that one worker learns alone; adds its gradient times `fraction`."""
        loss, backward = self.model(ids, images)
        backward(fraction)
        return {"loss": loss}

    def embed(self, ids, images):
        """The embeddings of one worker's part of a batch; their backward passes are kept for `learn_part`.

        ids (N, T), images (N, H, W, 3) -> text (N, P), image (N, P)
        """
        text, text_back = self.model.embed_text(to_device(ids, self.device))
        image, image_back = self.model.embed_image(to_device(images, self.device))
        self.backs = text_back, image_back
        return text, image

    def learn_part(self, dtext, dimage) -> None:
        """Adds the gradient of the part of the batch that `embed` was given last."""
        (text_back, image_back), self.backs = self.backs, None  # frees the activations
        text_back(dtext)
        image_back(dimage)


def text_config(settings: Settings, tokenizer: Tokenizer) -> TextConfig:
    text = settings.text
    return TextConfig(
        vocab_size=len(tokenizer), hidden_size=text.hidden_size, intermediate_size=4 * text.hidden_size,
        num_hidden_layers=text.num_hidden_layers, num_attention_heads=text.num_attention_heads,
        max_position_embeddings=text.max_length, hidden_act=text.hidden_act,
        projection_dim=settings.image.projection_dim, bos_token_id=tokenizer.start_id, eos_token_id=tokenizer.end_id,
        pad_token_id=tokenizer.pad_id)


def clip_config(settings: Settings, tokenizer: Tokenizer) -> CLIPConfig:
    image = settings.image
    return CLIPConfig(
        text_config=text_config(settings, tokenizer),
        vision_config=VisionConfig(
            hidden_size=image.hidden_size, intermediate_size=4 * image.hidden_size,
            num_hidden_layers=image.num_hidden_layers, num_attention_heads=image.num_attention_heads,
            image_size=settings.size, patch_size=image.patch_size, projection_dim=image.projection_dim),
        projection_dim=image.projection_dim)
