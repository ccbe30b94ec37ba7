"""The run that the page is about: a prompt drawn by `Pipeline.stream`, with what the modules reported meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..backend import array_module, random_stream, to_host
from ..data.images import at_once, bytes_of
from ..data.scenes import Scene, images_of, to_float
from ..diffusion.objectives import denoised, output_of
from ..diffusion.scheduler import Scheduler
from ..diffusion.scheduler_config import with_sampler
from ..diffusion.schedules import Time
from ..nn.clip_layers import CLIPAttention
from ..nn.layers import Downsample, Upsample
from ..nn.module import Module
from ..nn.residual import ResBlock
from ..nn.threads import at_most, share_rows
from ..nn.transformer import Attention, SpatialTransformer
from ..pipeline import GUIDANCE, STEPS, Pipeline
from ..training.presets import Settings
from ..training.run import read_settings
from .images import reduced
from .other_word import changed
from .recorder import Call, named_modules, recording
from .scene import scene_of, true_scenes

MOST_SIDE = 16           # attention to larger feature maps is averaged to about this many pixels a side
DECODED = 64             # latents of images of 64 x 64 pixels that are decoded at once
SIBLINGS = 8             # seeds that are drawn together
TRUE = 9                 # true scenes that the prompt fits: three of each background
SMALL = 30_000_000       # parameters of a UNet up to which a run takes seconds, so that the page can have many


@dataclass(frozen=True)
class Step:
    """One sampling step. Arrays are those of the one image: x (h, w, C) before it, the UNet's answers, x0, x after it.

    `uncond` is None without guidance. `weights` are those of the words, (A, Q, K), per cross-attention; `outputs` are
    what each stage of the UNet returned (of a large one in the middle of the run only), `seconds` how long it took.
    """

    time: Time
    x: np.ndarray
    uncond: np.ndarray | None
    cond: np.ndarray
    denoised: np.ndarray
    after: np.ndarray
    weights: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]
    seconds: dict[str, float]


class Siblings(NamedTuple):
    """Latents (N, S + 1, h, w, C) of several seeds from their noise on, and their images, uint8 (N, H, W, 3)."""

    states: np.ndarray
    images: np.ndarray


@dataclass(frozen=True)
class About:
    """What a model does not know of itself: its name, the command that draws, and the folder with its settings.json.

    That is its own folder or that of its training run.
    """

    model: str
    command: str = ""
    folder: Path | None = None

    @cached_property
    def settings(self) -> Settings:
        """How it was trained; where that is not known, how `minidiff train` would."""
        return Settings() if self.folder is None else read_settings(self.folder)


@dataclass(frozen=True)
class Run:
    """A prompt drawn once: its settings, its token ids and their embeddings, the steps, the image, uint8 (H, W, 3).

    `options` are those of `Pipeline.stream` that are the same in all that is drawn for the page.
    """

    pipe: Pipeline
    about: About
    prompt: str
    seed: int
    options: dict
    scheduler: Scheduler
    scale: float
    ids: np.ndarray
    context: np.ndarray
    reading: dict[str, np.ndarray]
    noise: np.ndarray
    steps: list[Step]
    image: np.ndarray
    shown: list[int] = field(default_factory=list)  # the steps that are decoded for the page

    @property
    def is_small(self) -> bool:
        return is_small(self.pipe)

    @cached_property
    def scene(self) -> Scene | None:
        """The built-in scene that is asked for; its images are squares."""
        height, width, _ = self.image.shape
        return scene_of(self.prompt, self.pipe.tokenizer) if height == width else None

    @cached_property
    def siblings(self) -> Siblings:
        """The same prompt from the noise of other seeds, all at once."""
        states, images = [], []
        for moment in self.pipe.stream(self.prompt, seed=self.seed, num_images_per_prompt=SIBLINGS, **self.options):
            if moment.name in ("noise", "sampling"):
                states.append(to_host(moment.value if moment.name == "noise" else moment.value.x))
            elif moment.name == "images":
                images += [*bytes_of(moment.value)]
        whole = [np.concatenate(states[i::len(self.steps) + 1]) for i in range(len(self.steps) + 1)]
        return Siblings(np.stack(whole, axis=1), np.stack(images))

    def prepare(self) -> None:
        """Compute what several views share, so that they can be made at the same time."""
        if self.is_small:
            _ = self.siblings, self.true_latents, self.other

    @cached_property
    def true_latents(self) -> tuple[np.ndarray, bool]:
        """Latents (N, h, w, C) of images that the prompt fits, and whether they are those of true scenes.

        Where no scene is asked for, there are only those which the model has drawn itself.
        """
        if self.scene is None:
            return self.siblings.states[:, -1], False
        images = to_float(images_of(true_scenes(random_stream(self.seed), self.scene, TRUE), len(self.image)))
        return to_host(self.pipe.encode(self.on_device(images))), True

    @cached_property
    def other(self) -> Run | None:
        """The run of the prompt with one word changed, from the same noise."""
        prompt = changed(self)
        return None if prompt is None else observe(self.pipe, self.about, prompt, self.seed, self.options)

    def context_of(self, text: str):
        """What the text encoder makes of any text, on the model's device: (1, T, D)."""
        return share_rows(lambda ids: self.pipe.text_encoder(ids)[0], self.on_device(self.pipe.tokenizer([text])))

    def on_device(self, array: np.ndarray):
        return array_module(self.pipe.unet.conv_in.weight.value).asarray(array)

    def decoded(self, latents) -> np.ndarray:
        """Latents (h, w, C), any number, as images of a size for the page: uint8 (N, H, W, 3)."""
        size = at_once(DECODED, max(self.image.shape[:2]))
        parts = [self.pipe.decode(self.on_device(np.stack(latents[i:i + size]))) for i in range(0, len(latents), size)]
        return reduced(np.concatenate([bytes_of(to_host(part)) for part in parts]))

    @property
    def tokens(self) -> int:
        """How many tokens the prompt has, with start and end of text, without padding."""
        return min(len(self.pipe.tokenizer.encode(self.prompt)), len(self.ids))

    def x0(self, step: Step, answer: np.ndarray) -> np.ndarray:
        """What an answer of the UNet says of x0."""
        return denoised(self.scheduler.prediction_type, answer, step.x, step.time.alpha, step.time.sigma)

    def answer(self, step: Step) -> np.ndarray:
        """The guided answer: the one that says of x0 what the sampler was told."""
        return output_of(self.scheduler.prediction_type, step.denoised, step.x, step.time.alpha, step.time.sigma)


def is_small(pipe: Pipeline) -> bool:
    return sum(parameter.value.size for parameter in pipe.unet.parameters()) <= SMALL


def observe(pipe: Pipeline, about: About, prompt: str, seed: int, options: dict) -> Run:
    """Draw a prompt, and keep what happened.

    Within it, the rows of a batch are not shared among threads, so each call of a module is one of the whole batch.
    """
    own = pipe.scheduler | {name: value for name, value in options.items() if value is not None}
    scheduler = with_sampler(pipe.scheduler, options.get("sampler"))
    steps = scheduler.steps(own.get("num_inference_steps", STEPS))
    found: dict = {"steps": []}
    with at_most(1), recording(watched(pipe)) as calls:
        for moment in pipe.stream(prompt, seed=seed, **options):
            if moment.name == "text":
                ids, context = moment.value
                found |= {"ids": ids[0], "context": to_host(context)[0],
                          "reading": {call.name: call.weights[0] for call in calls if call.weights is not None}}
            elif moment.name == "noise":
                x = found["noise"] = to_host(moment.value)[0]
            elif moment.name == "sampling":
                state = moment.value
                after, x0 = to_host(state.x)[0], to_host(state.denoised)[0]
                start, end = steps[state.i]
                step = step_of(calls, start if state.t == start.t else end, x, x0, after)  # PNDM asks once at the end
                kept = is_small(pipe) or state.i == len(steps) // 2  # in full size, those of all steps are gigabytes
                found["steps"].append(step if kept else replace(step, outputs={}))
                x = after
            else:
                found["image"] = bytes_of(moment.value)[0]
            calls.clear()
    count = len(found["steps"])
    shown = list(range(count)) if is_small(pipe) and count <= 40 else sorted(
        {round(i) for i in np.linspace(0, count - 1, 30 if is_small(pipe) else 6)})
    return Run(pipe, about, prompt, seed, options, scheduler, own.get("guidance_scale", GUIDANCE), shown=shown, **found)


def step_of(calls: list[Call], time: Time, x: np.ndarray, x0: np.ndarray, after: np.ndarray) -> Step:
    """A step from the calls of its first evaluation of the UNet, of which the last row is the one with the prompt."""
    end = next(i for i, call in enumerate(calls) if call.name == "unet")
    first, y = calls[:end], calls[end].y
    stages = [call for call in first if call.weights is None]
    return Step(time, x, y[0] if len(y) > 1 else None, y[-1], x0, after,
                weights={call.name: pooled(call.weights[-1], x) for call in first if call.weights is not None},
                outputs={call.name: call.y[-1].astype(np.float16) for call in stages},
                seconds={call.name: call.seconds for call in stages})


def watched(pipe: Pipeline) -> dict[str, Module]:
    """The UNet and its stages, and every attention to words, by name."""
    unet = dict(named_modules(pipe.unet, "unet"))
    ends = {f"unet.{name}" for name in ("conv_in", "conv_norm_out", "conv_out")}
    stages = (ResBlock, SpatialTransformer, Downsample, Upsample)
    return {name: module for name, module in {**unet, **dict(named_modules(pipe.text_encoder, "text_encoder"))}.items()
            if name in ends or name == "unet" or type(module) in (*stages, Attention, CLIPAttention)}


def pooled(weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Attention of pixels to tokens as maps, averaged over blocks of pixels where there are many.

    weights (A, Q, K), x (h, w, C) -> y (A, P, Q, K), float16
    """
    heads, queries, keys = weights.shape
    halvings = round(np.log2(x.shape[0] * x.shape[1] / queries) / 2)
    height, width = (-(-side // 2**halvings) for side in x.shape[:2])
    block = max(1, height // MOST_SIDE)
    if height % block or width % block:
        block = 1
    maps = weights.reshape(heads, height // block, block, width // block, block, keys)
    return maps.mean(axis=(2, 4)).astype(np.float16)
