"""Starting a run from a trained model: it gets the model's sizes and, stage by stage, its parameters."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import NamedTuple

from ..diffusion.scheduler_config import from_config
from ..errors import UserError
from ..models.clip import CLIPModel
from ..storage.pipeline_folder import Parts, find_clip, load_clip, load_pipeline, save_pipeline
from .autoencoder import autoencoder_config
from .contrastive import clip_config, text_config
from .diffusion import unet_config
from .presets import Settings


class StartModel(NamedTuple):
    """A trained model that a run starts from: its name or folder, and what is in it."""

    name: str | Path
    parts: Parts
    clip: CLIPModel | None  # of classes there is none


SETTING = {"sample_size": "size", "image_size": "size", "max_position_embeddings": "max_length"}


def settings_of(parts: Parts, clip: CLIPModel | None, settings: Settings) -> Settings:
    """The settings with a trained model's sizes and kind of text, the prediction of its UNet, its sampling defaults.

    A trained UNet needs no alignment: it helps to begin.
    """
    read, unet, scheduler = parts.text_encoder.config, parts.unet.config, from_config(parts.scheduler)
    text = clip.config.text_config if clip else read
    sampling = {name: parts.scheduler[name] for name in ("num_inference_steps", "guidance_scale")
                if name in parts.scheduler}
    diffusion = replace(settings.diffusion, prediction=scheduler.prediction_type, time_shift=scheduler.flow_shift,
                        alignment=0.0, clip_skip=max(0, text.num_hidden_layers - read.num_hidden_layers), **sampling)
    return replace(
        settings, diffusion=diffusion, size=parts.vae.config.sample_size,
        autoencoder=_sized(settings.autoencoder, parts.vae.config),
        text=_sized(settings.text, text, max_length=text.max_position_embeddings,
                    class_labels=bool(parts.tokenizer.classes)),
        image=_sized(settings.image, clip.config.vision_config) if clip else replace(
            settings.image, projection_dim=text.projection_dim),
        unet=_sized(settings.unet, unet, attention_levels=tuple("CrossAttn" in name for name in unet.down_block_types)))


def read_start(model: str | Path) -> StartModel:
    """Read a trained model. Raises UserError if it has no contrastive model, although it is not one of classes."""
    parts, clip = load_pipeline(model), find_clip(model)
    if clip is None and not parts.tokenizer.classes:
        raise UserError(f"{model} has no contrastive model (folder clip), which --from takes over: adapt it by --lora")
    return StartModel(model, parts, clip)


def load_start(model: str | Path | StartModel, settings: Settings) -> StartModel:
    """The model that a run with these settings starts from, read unless it is already.

    Raises UserError where it has other sizes.
    """
    if not isinstance(model, StartModel):
        model = read_start(model)
    check_sizes(settings, model.parts, model.clip)
    return model


def copy_start(model: str | Path | StartModel, folder: Path, settings: Settings) -> None:
    """Write a copy of the model that a run starts from, unless there is one: it outlives the model's own folder."""
    if not folder.exists():
        start = load_start(model, settings)
        save_pipeline(start.parts, folder, start.clip, "float32")


def check_sizes(settings: Settings, parts: Parts, clip: CLIPModel | None) -> None:
    """Raises UserError where the models of these settings have other sizes than those of a trained model.

    A model of classes has no contrastive model, and its tokenizer and no other knows classes.
    """
    if settings.text.class_labels != bool(parts.tokenizer.classes):
        raise UserError("class labels are those of a new model, and a model keeps its tokenizer: use --class-labels "
                        "without --from")
    own_text = text_config(settings, parts.tokenizer)
    own_read = own_text if clip is None else replace(
        own_text, num_hidden_layers=own_text.num_hidden_layers - settings.diffusion.clip_skip)
    of_clip = clip and (("image", clip_config(settings, parts.tokenizer).vision_config, clip.config.vision_config),
                        ("text", own_text, clip.config.text_config))
    for name, own, given in (
            ("autoencoder", autoencoder_config(settings), replace(parts.vae.config, scaling_factor=1.0)),
            *(of_clip or ()),
            ("text", own_read, parts.text_encoder.config),
            ("unet", unet_config(settings, settings.text.hidden_size), parts.unet.config)):
        for size in fields(own):
            wanted, found = getattr(own, size.name), getattr(given, size.name)
            if wanted != found:
                setting = SETTING.get(size.name, size.name)
                raise UserError(f"{name}: a run with {setting} = {wanted} cannot start from a model with {found}: "
                                f"leave sizes out, or start from another model")


def take_over(stage, folder: Path) -> None:
    """Give a new stage the parameters, and the scale of the latents, of the model in `folder`."""
    if stage.name == "contrastive":
        _assign_parameters(load_clip(folder, device=stage.device), stage.model)
        return
    parts = load_pipeline(folder, device=stage.device)
    if stage.name == "autoencoder":
        _assign_parameters(parts.vae, stage.model)
    else:
        _assign_parameters(parts.unet, stage.unet)
        _assign_parameters(parts.text_encoder, stage.text_encoder)
        stage.scaling_factor = parts.vae.config.scaling_factor  # the UNet knows latents of this scale


def _assign_parameters(source, target):
    given = dict(source.named_parameters())
    for name, parameter in target.named_parameters():
        parameter.value = given[name].value


def _sized(settings, config, **others):
    """The settings with those fields of `config` that have the same names, and with `others`."""
    same = {field.name for field in fields(settings)} & {field.name for field in fields(config)}
    return replace(settings, **{name: getattr(config, name) for name in same} | others)
