"""Text to image, image to image and inpainting: the parts of a model at work together.

    pipe = Pipeline.from_pretrained("scenes")
    [image] = pipe("a red heart above a blue square", seed=3)

`stream` is the same in named steps, for progress bars and for a look inside:

    text      prompts -> token ids -> the vectors that the UNet reads
    noise     where sampling starts: noise, or the latents of an image with noise
    sampling  one step nearer to the latents of an image
    images  latents -> pixels
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

STEPS, GUIDANCE = 50, 7.5  # where a model does not say: Stable Diffusion's
PART = 4096                # latent pixels sampled at once: 16 images of 16 x 16, or one of Stable Diffusion's
WIDE = 512                 # channels; from here on BLAS's own threads pay

ImageLike = Image.Image | np.ndarray


class Moment(NamedTuple):
    """What `Pipeline.stream` yields: a step's name, which images it is about, how far all is, and what it made.

    text: (ids (N, T), context (N, T, D)); noise: x (N, h, w, C); sampling: a samplers.State; images: float32
    (N, H, W, 3) in [-1, 1] on the host.
    """

    name: str
    rows: range
    done: int
    total: int
    value: Any


class Canvas(NamedTuple):
    """What is painted on: latents of h x w, and for image to image the original and what of it is painted anew."""

    h: int
    w: int
    image: Any = None       # (1, H, W, 3)
    latents: Any = None       # (1, h, w, C)
    mask: Any = None          # (1, H, W, 1)
    latent_mask: Any = None   # (1, h, w, 1)


class Pipeline:
    """A tokenizer, a text encoder, a UNet, an autoencoder, and the content of scheduler_config.json.

    `num_inference_steps` and `guidance_scale` in the latter are the model's own defaults.
    """

    def __init__(self, tokenizer: Tokenizer, text_encoder: CLIPTextModel, unet: UNet2DConditionModel,
                 vae: AutoencoderKL, scheduler: dict):
        self.tokenizer, self.text_encoder, self.unet, self.vae = tokenizer, text_encoder, unet, vae
        self.scheduler = scheduler

    @classmethod
    def from_pretrained(cls, model: str | Path, device: str = "auto", dtype: str = "float32",
                        tokenizer: str | Path | None = None, prediction_type: str | None = None) -> Pipeline:
        """A shipped model, by its name, the folder of one, or one file in Stable Diffusion's original layout.

        Computed in `dtype` whatever its files are in; for `tokenizer` and `prediction_type` see `load_single_file`.
        """
        device = resolve_device(device)
        if Path(model).suffix == ".safetensors":
            return cls(**vars(load_single_file(model, tokenizer, prediction_type, dtype, device)))
        if tokenizer or prediction_type:
            raise UserError(f"{model} is not a single file: its folder says the tokenizer and the prediction type")
        return cls(**vars(load_pipeline(model, dtype, device)))

    def load_lora(self, file: str | Path, scale: float = 1.0) -> None:
        """Add what a LoRA file learned, times `scale`, to the weights. UserError, and no change, if it does not fit."""
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
        """The images of `prompt` in named steps; in parts, so that memory does not grow with their number.

        Image j of a prompt uses seed + j, so it is the same alone or among others. `latents` (N, h, w, C) is the
        starting noise at unit variance instead. `init_image` is where to start (strength 0 returns it as the
        autoencoder sees it, 1 forgets it); of it, only what is white in `mask` is painted. Images are Pillow's, or
        arrays as `as_image` and `as_mask` take them. Guidance is given where low < sigma / alpha <= high of
        `guidance_interval`. Raises UserError for bad input.
        """
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        if not prompts:
            raise UserError("no prompt: give one; an empty text draws unconditionally")
        first, each = whole("seed", seed, 0), whole("num_images_per_prompt", num_images_per_prompt, 1)
        count, seeds = len(prompts) * each, [first + j for j in range(each)] * len(prompts)
        scheduler = with_sampler(self.scheduler, sampler)
        n = self._own("num_inference_steps", num_inference_steps, STEPS)
        scale = self._own("guidance_scale", guidance_scale, GUIDANCE)
        if not math.isfinite(scale) or not 0 <= guidance_rescale <= 1:
            raise UserError(f"guidance {scale}, rescale {guidance_rescale}: use a finite number, and one from 0 to 1")
        if init_image is None and not (strength is None and mask is None):
            raise UserError("a strength or a mask needs an image to start from: give an init_image")
        if strength is None:  # inpainting paints anew
            strength = 0.8 if init_image is not None and mask is None else 1.0
        steps = scheduler.steps(whole("num_inference_steps", n, 1), strength)
        canvas = self._canvas(init_image, mask, latents, height, width)
        shape = (canvas.h, canvas.w, self.unet.config.in_channels)
        if latents is not None and latents.shape != (count, *shape):
            raise UserError(f"latents of shape {latents.shape}: these images need {(count, *shape)}")
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

    def _own(self, name, value, otherwise):
        """A setting: as given, else the model's own, else what is usual."""
        return self.scheduler.get(name, otherwise) if value is None else value

    def _array(self, array):
        """An array beside the UNet's weights, in their precision."""
        weight = self.unet.conv_in.weight.value
        return array_module(weight).asarray(array, dtype=weight.dtype)

    def _canvas(self, init_image, mask, latents, height, width):
        factor, levels = self.vae.config.downsampling, len(self.unet.config.block_out_channels)
        multiple = factor * 2 ** (levels - 1)
        image = None if init_image is None else as_image(init_image)
        if image is not None:
            usual = image.shape[:2]
        elif latents is not None and latents.ndim == 4:
            usual = latents.shape[1] * factor, latents.shape[2] * factor
        else:
            usual = (self.unet.config.sample_size * factor,) * 2
        size = usual[0] if height is None else height, usual[1] if width is None else width
        if any(whole("an image's height and width", side, 1) % multiple for side in size):
            fitting = [max(multiple, round(side / multiple) * multiple) for side in size]
            raise UserError(f"no images of height {size[0]} and width {size[1]}: this model needs multiples of "
                            f"{multiple}, such as height {fitting[0]} and width {fitting[1]}")
        canvas = Canvas(size[0] // factor, size[1] // factor)
        if image is None:
            return canvas
        image = self._array(as_image(init_image, size)[None])
        canvas = canvas._replace(image=image, latents=self._encode(image))
        if mask is None:
            return canvas
        if as_mask(mask).shape[:2] != usual:
            raise UserError(f"a mask of height and width {as_mask(mask).shape[:2]} for an image of {usual}: "
                            "make them the same")
        pixels = as_mask(mask, size)
        coarse = latent_mask(pixels, factor)
        return canvas._replace(mask=self._array(pixels[None]), latent_mask=self._array(coarse[None]))

    def _read(self, prompts, negative, each):
        """Each image's token ids, its prompt's vectors and its negative prompt's; every text is read once."""
        negatives = [negative or ""] * len(prompts) if isinstance(negative, str | None) else list(negative)
        if len(negatives) != len(prompts):
            raise UserError(f"{len(negatives)} negative prompts for {len(prompts)} prompts: give one, or one for each")
        texts = list(dict.fromkeys([*prompts, *negatives]))
        for text in texts:
            if cut := self.tokenizer.tokens_cut(text):
                warnings.warn(f"the last {cut} tokens of {text[:40]!r}... are cut off: this model reads "
                              f"{self.tokenizer.max_length}", stacklevel=4)
        ids, xp = self.tokenizer(texts), array_module(self.unet.conv_in.weight.value)
        contexts = self._forward(lambda ids: self.text_encoder(ids)[0], xp.asarray(ids))
        cond, uncond = (np.repeat([texts.index(text) for text in chosen], each) for chosen in (prompts, negatives))
        return ids[cond], contexts[xp.asarray(cond)], contexts[xp.asarray(uncond)]

    def _predict(self, x, t, *read):
        return self._forward(lambda *arrays: self.unet(*arrays)[0], x, array_module(x).full(len(x), t), *read)

    def _encode(self, images):
        """The mean of the latents, at the scale of diffusion."""
        return self._forward(lambda x: self.vae.encode(x)[0][0], images) * self.vae.config.scaling_factor

    def _decode(self, latents):
        return self._forward(lambda z: self.vae.decode(z)[0], latents / self.vae.config.scaling_factor)

    def _forward(self, function, *arrays):
        wide = max(self.unet.config.block_out_channels) >= WIDE
        return share_rows(function, *arrays, wide=wide)


def whole(name: str, value: int, least: int) -> int:
    """A whole number, as Python's own. Raises UserError for others."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if not least <= number < 2**63:
        raise UserError(f"{name} {value}: use a whole number from {least} on")
    return number
