"""Text to image, image to image and inpainting, with all parts of a model.

    pipe = Pipeline.from_pretrained("scenes")
    [image] = pipe("a red heart above a blue square", seed=3)

`stream` does the same in named steps, for progress bars and for a look inside:

    text      prompts -> token ids -> text embeddings
    noise     the start of sampling: pure noise, or an image's latents with noise added
    sampling  one sampling step
    images    latents -> pixels
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from .. import arguments
from ..arguments import number, whole
from ..backend import array_module, normal, resolve_device, to_host
from ..data.images import ImageLike, to_pillow
from ..diffusion.guidance import guided, inpainted, inpainting
from ..diffusion.samplers import step_noise
from ..diffusion.scheduler_config import with_sampler
from ..errors import UnreadPrompt, UserError
from ..models.autoencoder import AutoencoderKL
from ..models.clip import CLIPModel
from ..models.text_encoder import CLIPTextModel
from ..models.unet import UNet2DConditionModel
from ..models.unet_inputs import check_inputs
from ..nn.blas import blas_threads
from ..ops import no_grad
from ..storage.lora import merge_lora
from ..storage.pipeline_folder import Parts, load_pipeline, save_pipeline
from ..storage.single_file import load_single_file
from ..tokenizer import Tokenizer
from .canvas import canvas_for
from .finite import check_finite, finite_steps, quiet
from .predict import first_of, forward, predictor

STEPS, GUIDANCE = 50, 7.5  # Stable Diffusion's, for models that do not set their own
PART = 4096                # latent pixels sampled at once: 16 images of 16 x 16, or one of Stable Diffusion's


class Moment(NamedTuple):
    """What `Pipeline.stream` yields: a step's name, the indices of its images, sampling steps done and in all, result.

    text: (ids (N, T), context (N, T, D)); noise: x (N, h, w, C); sampling: a samplers.State; images: float32
    (N, H, W, 3) in [-1, 1] on the host.
    """

    name: str
    rows: range
    done: int
    total: int
    value: Any


class Pipeline:
    """A tokenizer, a text encoder, a UNet, an autoencoder, and the content of scheduler_config.json.

    `num_inference_steps` and `guidance_scale` in `scheduler` are the model's own defaults.
    """

    def __init__(self, tokenizer: Tokenizer, text_encoder: CLIPTextModel, unet: UNet2DConditionModel,
                 vae: AutoencoderKL, scheduler: dict):
        for name, part, kind in (("tokenizer", tokenizer, Tokenizer), ("text_encoder", text_encoder, CLIPTextModel),
                                 ("unet", unet, UNet2DConditionModel), ("vae", vae, AutoencoderKL),
                                 ("scheduler", scheduler, dict)):
            arguments.instance(name, part, kind)
        check_inputs(unet.config)
        self.tokenizer, self.text_encoder, self.unet, self.vae = tokenizer, text_encoder, unet, vae
        self.scheduler = scheduler

    @classmethod
    def from_pretrained(cls, model: str | Path, device: str = "auto", dtype: str = "float32",
                        tokenizer: str | Path | None = None, prediction_type: str | None = None) -> Pipeline:
        """Load a shipped model by its name, a folder, or a single file in Stable Diffusion's original layout.

        Weights are converted to `dtype`: float32, float16 or float64. `load_single_file` explains `tokenizer` and
        `prediction_type`. Raises UserError if the model cannot be loaded.
        """
        device = resolve_device(arguments.name("device", device))
        tokenizer = None if tokenizer is None else arguments.path("tokenizer", tokenizer)
        prediction_type = None if prediction_type is None else arguments.name("prediction type", prediction_type)
        if arguments.path("model", model).suffix == ".safetensors":
            return cls(**vars(load_single_file(model, tokenizer, prediction_type, dtype, device)))
        if tokenizer or prediction_type:
            raise UserError(f"{model} is not a single file: leave out the tokenizer and the prediction type, "
                            "which its folder contains")
        return cls(**vars(load_pipeline(model, dtype, device)))

    def load_lora(self, file: str | Path, scale: float = 1.0) -> None:
        """Add the updates of a LoRA, a file or a folder with one in it, times `scale`, to the weights.

        Raises UserError if the file does not fit.
        """
        with np.errstate(all="ignore"):  # what overflows is found when it is drawn with
            merge_lora(arguments.path("LoRA", file), self.unet, self.text_encoder, number("LoRA scale", scale))

    def save_pretrained(self, folder: str | Path, clip: CLIPModel | None = None, dtype: str = "float16") -> None:
        """Write a folder that diffusers opens, with all weights in `dtype`."""
        if clip is not None:
            arguments.instance("clip", clip, CLIPModel)
        parts = Parts(self.unet, self.vae, self.text_encoder, self.tokenizer, self.scheduler)
        save_pipeline(parts, arguments.path("folder", folder), clip, dtype)

    def __call__(self, prompt: str | Sequence[str], **options) -> list[Image.Image]:
        """Images of one prompt or of several, in their order. The options are those of `stream`."""
        return [image for moment in self.stream(prompt, **options) if moment.name == "images"
                for image in to_pillow(moment.value)]

    def stream(self, prompt: str | Sequence[str], *, negative_prompt: str | Sequence[str] | None = None,
               num_inference_steps: int | None = None, guidance_scale: float | None = None, sampler: str | None = None,
               seed: int = 0, num_images_per_prompt: int = 1, latents: np.ndarray | None = None,
               init_image: ImageLike | None = None, strength: float | None = None, mask: ImageLike | None = None,
               height: int | None = None, width: int | None = None, guidance_rescale: float = 0.0,
               guidance_interval: tuple[float, float] = (0.0, math.inf)) -> Iterator[Moment]:
        """Draw the images of `prompt` in named steps, a few at a time so that memory does not grow with their number.

        Image j of a prompt uses seed + j, so it is the same alone or in a batch; `latents` (N, h, w, C) replaces this
        starting noise, with unit variance, and what a sampler adds to row i is then that of seed + i. With
        `init_image`, sampling starts from that image: strength 0 returns its reconstruction, 1 leaves of it only what
        the schedule does at its end (α = 0.07 in Stable Diffusion), and with a `mask` only its white area is repainted.
        Both may be Pillow images, names of files, or arrays as in `as_image` and `as_mask`; what is transparent counts
        as white. They are drawn at the model's scale in their own shape or, where `height` and `width` have another,
        cut to their middle. A guidance_scale of 1 or less means no guidance, and guidance applies where low < sigma /
        alpha <= high of `guidance_interval`. Raises UserError for bad input, and if a part of the model computes values
        that are not finite.
        """
        prompts = arguments.prompts("prompt", prompt)
        if not prompts:
            raise UserError("no prompt: give at least one; an empty string draws unconditionally")
        first, each = whole("seed", seed, 0), whole("num_images_per_prompt", num_images_per_prompt, 1)
        scheduler = with_sampler(self.scheduler, None if sampler is None else arguments.name("sampler", sampler))
        n = whole("num_inference_steps", self._setting("num_inference_steps", num_inference_steps, STEPS), 1)
        scale = number("guidance", self._setting("guidance_scale", guidance_scale, GUIDANCE))
        rescale = number("rescale", guidance_rescale, 0, 1)
        inside = arguments.interval("guidance_interval", guidance_interval)
        if init_image is None and not (strength is None and mask is None):
            raise UserError("strength and mask each need an image to start from: give an init_image")
        if strength is None:  # inpainting starts at the noisiest time
            strength = 0.8 if init_image is not None and mask is None else 1.0
        steps = scheduler.steps(n, number("strength", strength, 0, 1))
        canvas = canvas_for(self.unet.config, self.vae.config, init_image, mask, latents, height, width, self._array,
                            self.encode)
        shape, count = (canvas.h, canvas.w, self.unet.config.out_channels), len(prompts) * each
        if latents is not None:
            latents = arguments.noise(latents, (count, *shape), self._array)
        ids, contexts, cond, uncond = self._read(prompts, negative_prompt, each)
        start = None if canvas.masked is not None and strength == 1 else canvas.latents

        size = max(1, PART // (canvas.h * canvas.w))
        done, total, predict = 0, math.ceil(count / size) * len(steps), predictor(self.unet, len(steps))
        for begin in range(0, count, size):
            rows = range(begin, min(begin + size, count))
            part = slice(rows.start, rows.stop)
            own = [first + (row % each if latents is None else row) for row in rows]
            with_prompt, without = (contexts[array_module(contexts).asarray(chosen[part])] for chosen in (cond, uncond))
            yield Moment("text", rows, done, total, (ids[cond[part]], with_prompt))
            x = self._array(normal(own, shape)) if latents is None else latents[part]
            x = scheduler.start(x, steps, start)
            yield Moment("noise", rows, done, total, x)
            model = predict
            if canvas.masked is not None:
                model = inpainting(model, canvas.latent_mask, canvas.masked)
            denoise = scheduler.denoiser(guided(model, with_prompt, without, scale, rescale, inside,
                                                self._keys_and_values))
            if mask is not None and canvas.masked is None:
                denoise = inpainted(denoise, canvas.latents, canvas.latent_mask)
            for state in finite_steps(scheduler.sample(denoise, x, steps, step_noise(own, x)), scale):
                x, done = state.x, done + 1
                yield Moment("sampling", rows, done, total, state)
            images = self.decode(x)
            if mask is not None:
                images = canvas.mask * images + (1.0 - canvas.mask) * canvas.image
            yield Moment("images", rows, done, total, to_host(images).astype(np.float32, copy=False).clip(-1, 1))

    def _setting(self, name, value, default):
        """The given value, else the model's own, else the default."""
        return self.scheduler.get(name, default) if value is None else value

    def _array(self, array):
        """An array on the device and in the dtype of the UNet's weights."""
        weight = self.unet.conv_in.weight.value
        return array_module(weight).asarray(array, dtype=weight.dtype)

    def _read(self, prompts, negative, each):
        """Token ids and embeddings of every distinct text, and for each image the indices of its two texts."""
        negatives = arguments.prompts("negative prompt", "" if negative is None else negative)
        if isinstance(negative, str | None):
            negatives = negatives * len(prompts)
        if len(negatives) != len(prompts):
            raise UserError(f"{len(negatives)} negative prompts for {len(prompts)} prompts: give one, or one each")
        texts = list(dict.fromkeys([*prompts, *negatives]))
        for text in texts:
            if fault := self.tokenizer.unread(text):
                warnings.warn(fault, UnreadPrompt, stacklevel=4)
        ids, places = self.tokenizer(texts), {text: i for i, text in enumerate(texts)}
        xp = array_module(self.unet.conv_in.weight.value)
        contexts = self._forward(first_of(self.text_encoder), xp.asarray(ids))
        check_finite("the text encoder's output", contexts)
        return ids, contexts, *(np.repeat([places[text] for text in chosen], each) for chosen in (prompts, negatives))

    def _keys_and_values(self, context):
        """They are read with one thread of BLAS, so that they are the same whatever else the process computes."""
        with blas_threads(1), no_grad():
            return quiet(self.unet.read)(context)

    def predict(self, x, t, *read):
        """The UNet's answer at a time t for what `unet.read`, or the text encoder, made of the texts.

        x (N, h, w, C) -> y (N, h, w, C)
        """
        return predictor(self.unet)(x, t, *read)

    def encode(self, images):
        """The mean of the latents, scaled for the UNet.

        images (N, H, W, 3) in [-1, 1] -> y (N, h, w, C)
        """
        latents = self._forward(lambda x: self.vae.encode(x)[0][0], images) * self.vae.config.scaling_factor
        return check_finite("the latents of the initial image, by the autoencoder's encoder,", latents)

    def decode(self, latents):
        """The images of latents that are scaled for the UNet.

        latents (N, h, w, C) -> y (N, H, W, 3)
        """
        factor = self.vae.config.scaling_factor
        images = self._forward(lambda z: self.vae.decode(z / factor)[0], latents)
        return check_finite("the autoencoder's decoder", images)

    def _forward(self, function, *arrays):
        return forward(self.unet, function, *arrays)
