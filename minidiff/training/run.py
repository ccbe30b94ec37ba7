"""A training run in a folder: tokenizer → autoencoder → contrastive → latents → diffusion → a model to generate with.

    settings.json   metrics.jsonl   start/   data/   tokenizer/   checkpoints/STAGE/   latents.safetensors   model/

`start/` is a copy of the trained model that the run started from, if there is one; `data/` has the person's own images.

Each stage continues from its files: a run that was stopped, in whatever way, resumes from its last checkpoint. Each
file appears when it is whole, settings.json first. One process at a time trains in a folder.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..backend import check_precision
from ..data.folder_source import check_captions
from ..data.reading.found import Found
from ..data.sources import kind_of, open_source
from ..diffusion.scheduler import Scheduler
from ..diffusion.scheduler_config import to_config
from ..errors import UserError
from ..storage.checkpoint import list_checkpoints
from ..storage.lock import held
from ..storage.pipeline_folder import Parts, save_pipeline
from ..tokenizer import Tokenizer
from .alignment import aligns
from .autoencoder import AutoencoderTraining
from .checks import check_settings, check_stages, stages_of
from .class_labels import class_encoder, class_tokenizer
from .contrastive import ContrastiveTraining
from .diffusion import DiffusionTraining, Latents, schedule_of
from .held_out import held_out_losses
from .images import read_images
from .latents import read_latents, write_latents
from .loop import Progress, Trainer
from .memory import shortage_explained
from .presets import Settings, from_dict
from .run_folder import SETTINGS_FILE, check_new, model_of, remove_leftovers, settings_file, write_settings
from .start import StartModel, copy_start, load_start, take_over

LATENTS_FRACTION = 0.02  # of the minutes of a run
MOST_ENCODING = 0.2      # of the minutes that are left: what is encoded by then is trained on


class Run:
    """A folder, its settings, its stages, and the trainers of those that have been used so far."""

    lora_file = None  # all that it learns is in its model

    def __init__(self, folder: Path, settings: Settings, device: str = "cpu", threads: int | None = None,
                 start: str | Path | StartModel | None = None, found: Found | None = None):
        """Start a run, from nothing or from the model `start`: its autoencoder and contrastive model stay as they are.

        A `start` that has been read, and `found`, the listed files of the settings' source, save doing that again.
        Raises UserError where the folder holds a run already, where the settings have unknown names or sizes that do
        not fit together, or where the model has other sizes than the settings.
        """
        check_settings(settings)
        check_precision(settings.precision, device)
        check_new(folder)
        start = None if start is None else load_start(start, settings)
        with held(folder):
            write_settings(folder, settings, start and start.name)
            self._open(folder, settings, device, threads, found, start)

    @classmethod
    def resume(cls, folder: Path, device: str = "cpu", threads: int | None = None) -> Run:
        """Open a run that was started before, with its own settings."""
        run, settings = cls.__new__(cls), read_settings(folder)
        check_precision(settings.precision, device)
        run._open(folder, settings, device, threads)
        return run

    def _open(self, folder, settings, device, threads, found=None, start=None):
        self.folder, self.settings, self.device, self.threads = folder, settings, device, threads
        self.model_folder = folder / "model"
        self.stages = stages_of(settings)
        self.source, self.found = open_source(settings, folder / "data"), found
        self.cache = getattr(self.source, "cache", None)
        self.trainers: dict[str, Trainer] = {}
        if (model := model_of(folder)) is not None:
            self._take_over(start or model)

    def _take_over(self, model):
        """Copy the model that the run starts from, and mark the stages done that go no further; what is done stays."""
        stages = [stage for stage in ("autoencoder", "contrastive") if stage in self.stages and
                  not list_checkpoints(self.folder / "checkpoints" / stage)]
        if not stages:
            return
        with held(self.folder):
            copy_start(model, self.folder / "start", self.settings)
            if not (self.folder / "tokenizer").exists():
                Tokenizer.from_pretrained(self.folder / "start" / "tokenizer").save_pretrained(
                    self.folder / "tokenizer")
            for stage in stages:
                self.trainer(stage).end()

    def train(self, stages: Sequence[str] | None = None, minutes: float | None = None) -> Iterator[Progress]:
        """Train the stages, by default all, one after the other, each to its end; write the model after the last.

        Raises UserError if another process trains in the folder.
        `minutes` is divided among the stages; time that one saves or overruns is added to or taken from those after it.
        """
        stages = self.stages if stages is None else stages
        check_stages(stages, self.settings)
        deadline = None if minutes is None else time.monotonic() + 60 * minutes
        with held(self.folder), shortage_explained():
            remove_leftovers(self.folder)
            yield from read_images(self)
            own = kind_of(self.settings.data.source) == "images"
            if own and "contrastive" in stages and not (self.folder / "start").exists():
                check_captions(len(self.source.rows_of), self.source.name)
            for stage in (stage for stage in self.stages if stage in stages):
                yield from self._train_stage(stage, stages, deadline)
            if "diffusion" in stages:
                self.save()

    def _train_stage(self, stage, stages, deadline):
        if stage == "tokenizer":
            self.tokenizer(train=True)
        elif stage == "latents":
            yield from self._encode(None if deadline is None else MOST_ENCODING * (deadline - time.monotonic()))
        else:
            trainer = self.trainer(stage)
            seconds = None if deadline is None else self._seconds(stage, deadline, stages)
            yield from trainer.train(seconds, self.folder / "metrics.jsonl")

    def _seconds(self, stage, deadline, stages):
        """The seconds of a stage: the time left is divided in proportion to the fractions of the stages to come."""
        fractions = {name: (LATENTS_FRACTION if name == "latents" else
                            getattr(self.settings, f"train_{name}").time_fraction)
                     for name in self.stages[self.stages.index(stage):] if name in stages}
        return max(1.0, (deadline - time.monotonic()) * fractions[stage] / sum(fractions.values()))

    def trainer(self, stage: str) -> Trainer:
        """The trainer of a stage, in the state of its newest checkpoint."""
        check_stages([stage], self.settings)
        if stage not in self.trainers:
            made = self._stage(stage)
            held_out = held_out_losses(made, self.source, lambda: self.finished("autoencoder").model)
            self.trainers[stage] = Trainer(made, getattr(self.settings, f"train_{stage}"),
                                           self.folder / "checkpoints" / stage, self.threads, held_out)
            self.trainers[stage].resume()
        return self.trainers[stage]

    def lengthen(self, stage: str, steps: int) -> None:
        """Have a stage end at `steps`. Raises UserError if it is past them, or if a later stage has used its result."""
        check_stages([stage], self.settings)
        latents, unet = "latents.safetensors", "checkpoints/diffusion"
        made = {"autoencoder": latents, "contrastive": latents if aligns(self.settings) else unet}.get(stage)
        if made and (self.folder / made).exists():
            raise UserError(f"{self.folder / made} was made with the {stage} stage as it is: start another run")
        with held(self.folder):
            self.trainer(stage).lengthen(steps)

    def _stage(self, stage):
        """A stage before its first step: with new parameters, or with those of the model that the run started from."""
        made = self._new_stage(stage)
        if (self.folder / "start").exists():
            take_over(made, self.folder / "start")
        return made

    def _new_stage(self, stage):
        if stage == "autoencoder":
            return AutoencoderTraining(self.settings, self.device, self.source)
        if stage == "contrastive":
            return ContrastiveTraining(self.settings, self.tokenizer(), self.device, self.source)
        return DiffusionTraining(self.settings, self.tokenizer(), self._text_encoder(), self.latents(), self.device)

    def _text_encoder(self):
        """That of the contrastive stage, or a new one for class labels."""
        if self.settings.text.class_labels:
            return class_encoder(self.settings, self.tokenizer())
        # A replica: if it is trained on, its trainer moves it to a buffer of its own, and CLIP's stays as it is.
        text_model = self.finished("contrastive").model.replica().text_model
        return text_model.without_last(self.settings.diffusion.clip_skip)

    def finished(self, stage: str):
        """A stage that is done; its models have the moving average of their parameters."""
        trainer = self.trainer(stage)
        if trainer.total is None or trainer.step < trainer.total:
            raise UserError(f"the {stage} stage of {self.folder} is not done (step {trainer.step} of {trainer.total}): "
                            f"train --resume it first")
        trainer.flat.value[...] = trainer.average
        return trainer.stage

    def tokenizer(self, train: bool = False) -> Tokenizer:
        folder = self.folder / "tokenizer"
        if train and not folder.exists():
            own, captions = self.settings.text, self.source.captions()
            made = (class_tokenizer(captions, own.max_length) if own.class_labels else
                    Tokenizer.train(captions, own.vocab_size, own.max_length))
            made.save_pretrained(folder)
        return Tokenizer.from_pretrained(folder)

    def _encode(self, seconds) -> Iterator[Progress]:
        """Encode the images of the diffusion stage into latents.safetensors, unless it exists."""
        path = self.folder / "latents.safetensors"
        if not path.exists():
            image_encoder = self.finished("contrastive").model.vision_model if aligns(self.settings) else None
            yield from write_latents(path, self.source, self.tokenizer(), self.finished("autoencoder").model,
                                     self.device, self.threads, seconds, image_encoder)

    def latents(self) -> list[Latents]:
        return read_latents(self.folder / "latents.safetensors")

    def parts(self) -> Parts:
        """All that a pipeline needs, with the models as they are in memory: inside `averaged()`, with the averages."""
        diffusion = self.trainer("diffusion").stage
        autoencoder = self.finished("autoencoder").model
        autoencoder.config = replace(autoencoder.config, scaling_factor=diffusion.scaling_factor)
        own = self.settings.diffusion
        scheduler = Scheduler("dpm++", schedule_of(self.settings), prediction_type=own.prediction,
                              timestep_spacing="trailing", flow_shift=own.time_shift)
        defaults = {"num_inference_steps": own.num_inference_steps, "guidance_scale": own.guidance_scale}
        return Parts(diffusion.unet, autoencoder, diffusion.text_encoder, self.tokenizer(),
                     to_config(scheduler) | defaults)

    def save(self):
        """Write the model folder: the averages of all stages."""
        with self.trainer("diffusion").averaged():
            clip = self.finished("contrastive").model if "contrastive" in self.stages else None
            save_pipeline(self.parts(), self.model_folder, clip)


def read_settings(folder: Path) -> Settings:
    """The settings in the folder of a run or a model. Raises UserError if there are none, or if they are bad."""
    settings = from_dict(Settings(), settings_file(folder), str(folder / SETTINGS_FILE))
    check_settings(settings)
    return settings
