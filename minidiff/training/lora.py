"""A run that adapts a trained model by low-rank factors (nn/lora.py): latents → factors → a LoRA file.

    settings.json   metrics.jsonl   latents.safetensors   checkpoints/lora/   lora.safetensors

The model stays as it is and where it is; settings.json says which one. Its autoencoder encodes the images, its text
encoder reads the captions, and only the factors of its UNet learn.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..backend import check_precision, random_stream
from ..data.purposes import Purpose
from ..data.reading.found import Found
from ..data.sources import open_source
from ..diffusion.scheduler_config import from_config
from ..errors import UserError
from ..nn.lora import add_lora
from ..nn.threads import is_wide
from ..storage.lock import held
from ..storage.lora_writing import save_lora
from ..storage.pipeline_folder import Parts, find_model, load_pipeline
from ..storage.weight_files import weight_files
from .checks import check_settings, check_stages
from .diffusion import DiffusionTraining, Latents
from .held_out import held_out_losses
from .images import read_images
from .latents import read_latents, write_latents
from .loop import Progress, Trainer
from .memory import shortage_explained
from .presets import Settings
from .run import MOST_ENCODING, Run, read_settings
from .run_folder import DIGEST, check_new, model_of, remove_leftovers, settings_file, write_settings


def enough_latents(settings: Settings) -> Settings:
    """The settings with no more scenes to encode than all batches together have images."""
    own, stage = settings.diffusion, settings.train_lora
    drawn = stage.steps * stage.batch_size * stage.accumulation
    return replace(settings, diffusion=replace(own, latents=min(own.latents, max(1, drawn))))


def lora_training(settings: Settings, parts: Parts, latents: Sequence[Latents],
                  device: str = "cpu") -> DiffusionTraining:
    """The diffusion stage of a trained model, with its own noise schedule and scaling factor; only factors learn."""
    own = replace(settings, train_diffusion=settings.train_lora,
                  diffusion=replace(settings.diffusion, train_text_encoder=False))
    stage = DiffusionTraining(own, parts.tokenizer, parts.text_encoder, latents, device, parts.unet)
    stage.name = "lora"
    stage.recordable = not is_wide(parts.unet)  # its weights are constants, and would be kept as kernels want them
    stage.schedule = from_config(parts.scheduler).schedule
    stage.scaling_factor = parts.vae.config.scaling_factor
    rank, rng = settings.lora.rank, random_stream(settings.seed, Purpose.LORA)
    stage.models = [add_lora(parts.unet, rank, settings.lora.alpha or rank, rng)]
    return stage


class LoRARun:
    """A folder, its settings, the model that it adapts, and the trainer of the factors once it has been used.

    `model_folder` is the name of the model, if it is a shipped one.
    """

    stages = ("latents", "lora")

    def __init__(self, folder: Path, settings: Settings, device: str = "cpu", threads: int | None = None,
                 start: str | Path = "scenes", found: Found | None = None):
        """Start a run from the model `start`. Raises UserError where it cannot be loaded, or for bad settings."""
        check_settings(settings)
        check_new(folder)
        self._open(folder, settings, start, device, threads, found)
        with held(folder):
            write_settings(folder, settings, start, digest_of(start))
        self.model_folder = model_of(folder)

    @classmethod
    def resume(cls, folder: Path, device: str = "cpu", threads: int | None = None) -> LoRARun:
        """Open a run that was started before, with its own settings and model."""
        run, model = cls.__new__(cls), model_of(folder)
        check_unchanged(folder, model)
        run._open(folder, read_settings(folder), model, device, threads)
        return run

    def _open(self, folder, settings, model, device, threads, found=None):
        check_precision(settings.precision, device)
        if settings.lora.rank < 1:
            raise UserError(f"lora.rank {settings.lora.rank}: use a whole number of at least 1, such as 4")
        self.folder, self.settings, self.device, self.threads = folder, settings, device, threads
        self.model_folder, self.lora_file = model, folder / "lora.safetensors"
        self.source, self.found = open_source(settings, folder / "data"), found
        self.cache = getattr(self.source, "cache", None)
        self.model_parts = load_pipeline(model, device=device)
        self.trainers: dict[str, Trainer] = {}

    def train(self, stages: Sequence[str] = stages, minutes: float | None = None) -> Iterator[Progress]:
        """Encode the images, unless that was done; train the factors to their end; write their moving average."""
        check_stages(stages, self.settings)
        deadline = None if minutes is None else time.monotonic() + 60 * minutes
        with held(self.folder), shortage_explained():
            remove_leftovers(self.folder)
            yield from read_images(self)
            path, parts = self.folder / "latents.safetensors", self.model_parts
            if "latents" in stages and not path.exists():
                yield from write_latents(path, self.source, parts.tokenizer, parts.vae, self.device, self.threads,
                                         None if minutes is None else MOST_ENCODING * 60 * minutes)
            if "lora" in stages:
                seconds = None if deadline is None else max(1.0, deadline - time.monotonic())
                yield from self.trainer("lora").train(seconds, self.folder / "metrics.jsonl")
                with self.trainer("lora").averaged():
                    save_lora(parts.unet, self.lora_file)

    def trainer(self, stage: str) -> Trainer:
        """The trainer of the factors, in the state of its newest checkpoint."""
        if stage != "lora":
            raise UserError(f"{self.folder} trains a LoRA, it has no {stage} stage: give settings of train_lora")
        if stage not in self.trainers:
            latents = read_latents(self.folder / "latents.safetensors")
            made = lora_training(self.settings, self.model_parts, latents, self.device)
            held_out = held_out_losses(made, self.source, lambda: self.model_parts.vae)
            self.trainers[stage] = Trainer(made, self.settings.train_lora, self.folder / "checkpoints" / stage,
                                           self.threads, held_out)
            self.trainers[stage].resume()
        return self.trainers[stage]

    def lengthen(self, stage: str, steps: int) -> None:
        """Have the factors learn until `steps`. Raises UserError if they are past them."""
        with held(self.folder):
            self.trainer(stage).lengthen(steps)

    def parts(self) -> Parts:
        """All that a pipeline needs, with the factors in the UNet: inside `averaged()`, with their averages."""
        self.trainer("lora")
        return self.model_parts


def digest_of(model: str | Path) -> str:
    """SHA-256 of the files of a model's UNet."""
    digest = hashlib.sha256()
    for path in weight_files(find_model(model) / "unet"):
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def check_unchanged(folder: Path, model: str) -> None:
    """Raises UserError if the model that the run in a folder adapts is gone, or has another UNet than at its start."""
    try:
        digest = digest_of(model)
    except (OSError, UserError) as error:
        raise UserError(f"{folder} adapts a model that cannot be opened: {error}; put it back, or write its new place "
                        "into settings.json") from error
    if settings_file(folder).get(DIGEST, digest) != digest:  # runs of older versions have none
        raise UserError(f"{model} has another UNet than when {folder} began to adapt it: put that one back, or start "
                        "another run")


def resume(folder: Path, device: str = "cpu", threads: int | None = None) -> Run | LoRARun:
    """The run in a folder, of either kind."""
    return (LoRARun if read_settings(folder).lora.rank else Run).resume(folder, device, threads)
