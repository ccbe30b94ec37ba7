"""What an image is drawn on: its size and, for image to image and inpainting, an image to start from and a mask.

A UNet that was trained to inpaint (nine input channels: noisy latents, mask, the image without its masked part) reads
the mask as StableDiffusionInpaintPipeline prepares it; for any other, guidance.inpainted keeps what is black in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from ..arguments import whole
from ..data.images import ImageLike, as_image, decoded, decoded_mask, fitted_mask, height_and_width, latent_mask
from ..errors import UserError
from ..models.configs import AutoencoderConfig, UNetConfig
from ..models.unet_inputs import is_for_inpainting

LONGEST_SIDE = 16384  # pixels of an image to draw: no machine has the memory for more


class Canvas(NamedTuple):
    """The size of the latents, and what there is of an initial image. All arrays are on the UNet's device."""

    h: int
    w: int
    image: Any = None        # (1, H, W, 3)
    latents: Any = None      # (1, h, w, C)
    mask: Any = None         # (1, H, W, 1)
    latent_mask: Any = None  # (1, h, w, 1)
    masked: Any = None       # (1, h, w, C), only for a UNet that was trained to inpaint


def canvas_for(unet: UNetConfig, vae: AutoencoderConfig, init_image: ImageLike | None, mask: ImageLike | None,
               latents: np.ndarray | None, height: int | None, width: int | None, place: Callable,
               encode: Callable) -> Canvas:
    """`place` puts an array on the UNet's device, and `encode` gives the latents of images there."""
    if is_for_inpainting(unet) and (init_image is None or mask is None):
        raise UserError("this model was trained to inpaint, and draws with an init_image and a mask only: use them, as "
                        "minidiff generate --init-image FILE --mask FILE does")
    image = None if init_image is None else decoded(init_image, "the initial image")
    size = size_of(unet, vae, image, latents, height, width)
    canvas = Canvas(size[0] // vae.downsampling, size[1] // vae.downsampling)
    if image is None:
        return canvas
    pixels = place(as_image(image, size)[None])
    canvas = canvas._replace(image=pixels, latents=encode(pixels))
    if mask is None:
        return canvas
    gray = decoded_mask(mask)
    if height_and_width(gray) != height_and_width(image):
        raise UserError(f"the mask has height and width {height_and_width(gray)}, the image {height_and_width(image)}: "
                        "use the same size for both")
    mask = fitted_mask(gray, size)
    if not is_for_inpainting(unet):
        coarse = latent_mask(mask, vae.downsampling)
        return canvas._replace(mask=place(mask[None]), latent_mask=place(coarse[None]))
    hard = (mask >= 0.5).astype(np.float32)
    coarse = hard[::vae.downsampling, ::vae.downsampling]  # the nearest pixel, as there
    return canvas._replace(mask=place(hard[None]), latent_mask=place(coarse[None]),
                           masked=encode(pixels * place(1 - hard[None])))


def size_of(unet: UNetConfig, vae: AutoencoderConfig, image: Image.Image | np.ndarray | None,
            latents: np.ndarray | None, height: int | None, width: int | None) -> tuple[int, int]:
    """Height and width to draw: those given, else those of the latents, else the model's own, a square.

    Of that, an image takes about as many pixels in its own shape; if one side is given, the other follows from it.
    """
    factor = vae.downsampling
    multiple, own = factor * 2 ** (len(unet.block_out_channels) - 1), factor * unet.sample_size
    height, width = (side if side is None else whole("an image's height and width", side, 1)
                     for side in (height, width))
    default = own, own
    if getattr(latents, "ndim", 0) == 4:
        default = latents.shape[1] * factor, latents.shape[2] * factor
    elif image is not None:
        h, w = height_and_width(image)
        scale = height / h if height else width / w if width else own / math.sqrt(h * w)
        default = nearest_multiples((scale * h, scale * w), multiple)
    size = height or default[0], width or default[1]
    if any(side < 1 or side % multiple for side in size):
        fitting = nearest_multiples(size, multiple)
        raise UserError(f"cannot draw images of height {size[0]} and width {size[1]}: use multiples of "
                        f"{multiple}, such as height {fitting[0]} and width {fitting[1]}")
    if max(size) > LONGEST_SIDE:
        raise UserError(f"cannot draw images of height {size[0]} and width {size[1]}: use at most {LONGEST_SIDE}")
    return size


def nearest_multiples(sides: tuple[float, float], multiple: int) -> tuple[int, ...]:
    """Each side as the nearest multiple, at least one."""
    return tuple(max(1, round(side / multiple)) * multiple for side in sides)
