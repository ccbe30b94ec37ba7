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
import operator
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from .backend import array_module, normal, resolve_device, to_host
from .data.images import as_image, as_mask, latent_mask, to_pillow
from .diffusion.guidance import guided, inpainted
from .diffusion.samplers import step_noise
from .diffusion.scheduler_config import with_sampler
from .errors import UserError
from .models.autoencoder import AutoencoderKL
from .models.clip import CLIPModel
from .models.text_encoder import CLIPTextModel
from .models.unet import UNet2DConditionModel
from .nn.threads import share_rows
from .ops import no_grad
from .storage.lora import merge_lora
from .storage.pipeline_folder import Parts, load_pipeline, save_pipeline
from .storage.single_file import load_single_file
from .tokenizer import Tokenizer

STEPS, GUIDANCE = 50, 7.5  # Stable Diffusion's, for models that do not set their own
PART = 4096                # latent pixels sampled at once: 16 images of 16 x 16, or one of Stable Diffusion's
WIDE = 512                 # channels from which on a UNet is wide in the sense of `share_rows`

ImageLike = Image.Image | np.ndarray


class Moment(NamedTuple):
    """What `Pipeline.stream` yields: a step's name, the indices of its images, the sampling steps done, its result.

    text: (ids (N, T), context (N, T, D)); noise: x (N, h, w, C); sampling: a samplers.State; images: float32
    (N, H, W, 3) in [-1, 1] on the host.
    """

    name: str
    rows: range
    done: int
    total: int
    value: Any


class Canvas(NamedTuple):
    """The size of the latents and, for image to image and inpainting, the initial image and the mask."""

    h: int
    w: int
    image: Any = None        # (1, H, W, 3)
    latents: Any = None      # (1, h, w, C)
    mask: Any = None         # (1, H, W, 1)
    latent_mask: Any = None  # (1, h, w, 1)


class Pipeline:
    """A tokenizer, a text encoder, a UNet, an autoencoder, and the content of scheduler_config.json.

    `num_inference_steps` and `guidance_scale` in `scheduler` are the model's own defaults.
    """

    def __init__(self, tokenizer: Tokenizer, text_encoder: CLIPTextModel, unet: UNet2DConditionModel,
                 vae: AutoencoderKL, scheduler: dict):
        self.tokenizer, self.text_encoder, self.unet, self.vae = tokenizer, text_encoder, unet, vae
        self.scheduler = scheduler

    @classmethod
    def from_pretrained(cls, model: str | Path, device: str = "auto", dtype: str = "float32",
                        tokenizer: str | Path | None = None, prediction_type: str | None = None) -> Pipeline:
        """Load a shipped model by its name, a folder, or a single file in Stable Diffusion's original layout.

        Weights are converted to `dtype`. `load_single_file` explains `tokenizer` and `prediction_type`. Raises
        UserError if the model cannot be loaded.
        """
        device = resolve_device(device)
        if Path(model).suffix == ".safetensors":
            return cls(**vars(load_single_file(model, tokenizer, prediction_type, dtype, device)))
        if tokenizer or prediction_type:
            raise UserError(f"{model} is not a single file: leave out the tokenizer and the prediction type, "
                            "which its folder contains")
        return cls(**vars(load_pipeline(model, dtype, device)))

    def load_lora(self, file: str | Path, scale: float = 1.0) -> None:
        """Add the updates of a LoRA file, times `scale`, to the weights. Raises UserError if the file does not fit."""
        merge_lora(file, self.unet, self.text_encoder, scale)

    def save_pretrained(self, folder: str | Path, clip: CLIPModel | None = None, dtype: str = "float16") -> None:
        """Write a folder that diffusers opens; UNet and autoencoder in `dtype`, the text encoder in float32."""
        parts = Parts(self.unet, self.vae, self.text_encoder, self.tokenizer, self.scheduler)
        save_pipeline(parts, folder, clip, dtype)

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
        starting noise, with unit variance. With `init_image`, sampling starts from that image: strength 0 returns its
        reconstruction, 1 ignores it, and with a `mask` only its white area is repainted. Both may be Pillow images or
        arrays as in `as_image` and `as_mask`. Guidance applies where low < sigma / alpha <= high of
        `guidance_interval`. Raises UserError for bad input.
        """
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        if not prompts:
            raise UserError("no prompt: give at least one; an empty string draws unconditionally")
        first, each = whole("seed", seed, 0), whole("num_images_per_prompt", num_images_per_prompt, 1)
        count, seeds = len(prompts) * each, [first + j for j in range(each)] * len(prompts)
        scheduler = with_sampler(self.scheduler, sampler)
        n = self._setting("num_inference_steps", num_inference_steps, STEPS)
        scale = self._setting("guidance_scale", guidance_scale, GUIDANCE)
        if not math.isfinite(scale) or not 0 <= guidance_rescale <= 1:
            raise UserError(f"guidance {scale} with rescale {guidance_rescale}: use a finite guidance scale, "
                            "and a rescale from 0 to 1")
        if init_image is None and not (strength is None and mask is None):
            raise UserError("strength and mask each need an image to start from: give an init_image")
        if strength is None:  # inpainting starts from pure noise
            strength = 0.8 if init_image is not None and mask is None else 1.0
        steps = scheduler.steps(whole("num_inference_steps", n, 1), strength)
        canvas = self._canvas(init_image, mask, latents, height, width)
        shape = (canvas.h, canvas.w, self.unet.config.in_channels)
        if latents is not None and latents.shape != (count, *shape):
            raise UserError(f"latents of shape {latents.shape}: {count} images of this size need {(count, *shape)}")
        ids, cond, uncond = self._read(prompts, negative_prompt, each)

        size = max(1, PART // (canvas.h * canvas.w))
        parts = [range(start, min(start + size, count)) for start in range(0, count, size)]
        done, total = 0, len(parts) * len(steps)
        for rows in parts:
            part, own = slice(rows.start, rows.stop), seeds[rows.start:rows.stop]
            yield Moment("text", rows, done, total, (ids[part], cond[part]))
            x = self._array(normal(own, shape) if latents is None else latents[part])
            x = scheduler.start(x, steps, canvas.latents) if steps else canvas.latents.repeat(len(rows), axis=0)
            yield Moment("noise", rows, done, total, x)
            predict = guided(self._predict, cond[part], uncond[part], scale, guidance_rescale, guidance_interval,
                             no_grad()(self.unet.read))
            denoise = scheduler.denoiser(predict)
            if mask is not None:
                denoise = inpainted(denoise, canvas.latents, canvas.latent_mask)
            for state in scheduler.sample(denoise, x, steps, step_noise(own, shape, x)):
                x, done = state.x, done + 1
                yield Moment("sampling", rows, done, total, state)
            images = self._decode(x)
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

    def _canvas(self, init_image, mask, latents, height, width):
        factor, levels = self.vae.config.downsampling, len(self.unet.config.block_out_channels)
        multiple = factor * 2 ** (levels - 1)
        image = None if init_image is None else as_image(init_image)
        if image is not None:
            default = image.shape[:2]
        elif latents is not None and latents.ndim == 4:
            default = latents.shape[1] * factor, latents.shape[2] * factor
        else:
            default = (self.unet.config.sample_size * factor,) * 2
        size = default[0] if height is None else height, default[1] if width is None else width
        if any(whole("an image's height and width", side, 1) % multiple for side in size):
            fitting = [max(multiple, round(side / multiple) * multiple) for side in size]
            raise UserError(f"cannot draw images of height {size[0]} and width {size[1]}: use multiples of "
                            f"{multiple}, such as height {fitting[0]} and width {fitting[1]}")
        canvas = Canvas(size[0] // factor, size[1] // factor)
        if image is None:
            return canvas
        image = self._array(as_image(init_image, size)[None])
        canvas = canvas._replace(image=image, latents=self._encode(image))
        if mask is None:
            return canvas
        if as_mask(mask).shape[:2] != default:
            raise UserError(f"the mask has height and width {as_mask(mask).shape[:2]}, the image {default}: "
                            "use the same size for both")
        pixels = as_mask(mask, size)
        coarse = latent_mask(pixels, factor)
        return canvas._replace(mask=self._array(pixels[None]), latent_mask=self._array(coarse[None]))

    def _read(self, prompts, negative, each):
        """Token ids, embeddings and negative embeddings for each image; every distinct text is encoded once."""
        negatives = [negative or ""] * len(prompts) if isinstance(negative, str | None) else list(negative)
        if len(negatives) != len(prompts):
            raise UserError(f"{len(negatives)} negative prompts for {len(prompts)} prompts: give one, or one each")
        texts = list(dict.fromkeys([*prompts, *negatives]))
        for text in texts:
            if fault := self.tokenizer.unread(text):
                warnings.warn(fault, stacklevel=4)
        ids, xp = self.tokenizer(texts), array_module(self.unet.conv_in.weight.value)
        contexts = self._forward(lambda ids: self.text_encoder(ids)[0], xp.asarray(ids))
        cond, uncond = (np.repeat([texts.index(text) for text in chosen], each) for chosen in (prompts, negatives))
        return ids[cond], contexts[xp.asarray(cond)], contexts[xp.asarray(uncond)]

    def _predict(self, x, t, *read):
        return self._forward(lambda *arrays: self.unet(*arrays)[0], x, array_module(x).full(len(x), t), *read)

    def _encode(self, images):
        """The mean of the latents, scaled for the UNet."""
        return self._forward(lambda x: self.vae.encode(x)[0][0], images) * self.vae.config.scaling_factor

    def _decode(self, latents):
        return self._forward(lambda z: self.vae.decode(z)[0], latents / self.vae.config.scaling_factor)

    def _forward(self, function, *arrays):
        wide = max(self.unet.config.block_out_channels) >= WIDE
        return share_rows(function, *arrays, wide=wide)


def whole(name: str, value: int, minimum: int) -> int:
    """The value as a Python int. Raises UserError unless it is a whole number from `minimum` to 2⁶³ − 1."""
    try:
        number = operator.index(value)
    except TypeError:
        number = minimum - 1
    if not minimum <= number < 2**63:
        raise UserError(f"{name} {value}: use a whole number from {minimum} to 2**63 - 1")
    return number
