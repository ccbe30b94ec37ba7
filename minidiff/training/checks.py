"""Whether a run with these settings is possible, asked before any work."""

from __future__ import annotations

from collections.abc import Iterable

from ..data.sources import kind_of
from ..errors import UserError
from ..tokenizer import MIN_VOCAB_SIZE, Tokenizer
from .autoencoder import autoencoder_config
from .class_labels import check_class_labels
from .contrastive import clip_config, text_config
from .diffusion import check_objective, unet_config
from .fitting import check_data
from .optimizers import optimizer_class
from .presets import Settings
from .ranks import check_rows


def check_settings(settings: Settings) -> None:
    """Raises UserError for settings that a later stage could not start with."""
    for stage in (settings.train_autoencoder, settings.train_contrastive, settings.train_diffusion,
                  settings.train_lora):
        optimizer_class(stage.optimizer)
    for stage in stages_of(settings):
        if (own := getattr(settings, f"train_{stage}", None)) is not None:
            check_rows(own.batch_size, f"train_{stage}.batch_size")
    check_data(settings.data)
    check_class_labels(settings, kind_of(settings.data.source) != "images")
    check_objective(settings)
    check_fit(settings)


def stages_of(settings: Settings) -> tuple[str, ...]:
    """The stages of a run, in their order."""
    if settings.lora.rank:
        return "latents", "lora"
    contrastive = () if settings.text.class_labels else ("contrastive",)
    return "tokenizer", "autoencoder", *contrastive, "latents", "diffusion"


def check_stages(stages: Iterable[str], settings: Settings) -> None:
    """Raises UserError for a stage that a run with these settings does not have."""
    known = stages_of(settings)
    for stage in stages:
        if stage not in known:
            raise UserError(f"unknown stage {stage!r}: {'with --lora, ' if settings.lora.rank else ''}use some of "
                            f"{', '.join(known)}")


def check_fit(settings: Settings) -> None:
    """Raises UserError where the sizes of the models fit neither each other nor the images."""
    levels, tokenizer = len(settings.autoencoder.block_out_channels), Tokenizer([], settings.text.max_length)
    autoencoder_config(settings)
    if settings.text.class_labels:
        text_config(settings, tokenizer)
    else:
        clip_config(settings, tokenizer)
        if settings.diffusion.clip_skip > settings.text.num_hidden_layers:
            raise UserError(f"diffusion.clip_skip {settings.diffusion.clip_skip} leaves out more layers than the text "
                            f"encoder has: use at most text.num_hidden_layers, {settings.text.num_hidden_layers}")
    unet_config(settings, settings.text.hidden_size)
    multiple = 2 ** (levels + len(settings.unet.block_out_channels) - 2)
    if settings.size % multiple:
        raise UserError(f"size {settings.size} cannot be halved by {levels} levels of the autoencoder and "
                        f"{len(settings.unet.block_out_channels)} of the UNet: use a multiple of {multiple}")
    if settings.text.vocab_size < MIN_VOCAB_SIZE:
        raise UserError(f"text.vocab_size {settings.text.vocab_size} leaves no room for all bytes: use "
                        f"{MIN_VOCAB_SIZE} or more")
