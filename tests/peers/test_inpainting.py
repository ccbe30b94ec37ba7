"""A UNet that was trained to inpaint draws what StableDiffusionInpaintPipeline draws, from folders and single files."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionInpaintPipeline
from PIL import Image
from tiny_pipeline import SIDE, STABLE_DIFFUSION, tiny_pipeline

from minidiff.data.images import as_image, as_mask
from minidiff.diffusion.scheduler import Scheduler
from minidiff.diffusion.scheduler_config import to_config
from minidiff.pipeline import Pipeline

from .compare import VALUES, channels_first

PROMPTS = ["a red heart above a blue square", "a green star"]


@pytest.fixture(scope="module")
def image():
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def mask():
    """Every gray, in one smooth field: what becomes of it at a half, and of its corners, is seen."""
    return Image.linear_gradient("L").rotate(30).resize((SIDE, SIDE))


@pytest.mark.parametrize(("scheduler", "options"), [
    (STABLE_DIFFUSION, {}), (STABLE_DIFFUSION, {"strength": 0.8}), (STABLE_DIFFUSION, {"guidance_scale": 1.0}),
    (to_config(Scheduler("ddim")), {"strength": 0.4}), (to_config(Scheduler("euler")), {}),
    (to_config(Scheduler("dpm++")), {})], ids=["pndm", "pndm, 0.8", "no guidance", "ddim, 0.4", "euler", "dpm++"])
def test_the_same_latents_give_the_same_image(scheduler, options, image, mask, tmp_path, agree):
    tiny_pipeline(scheduler, channels=9).save_pretrained(tmp_path / "model", dtype="float32")
    pipe = Pipeline.from_pretrained(tmp_path / "model", "cpu")
    noise = np.random.default_rng(0).standard_normal((2, SIDE // 2, SIDE // 2, 4)).astype(np.float32)
    options = {"num_inference_steps": 5, "guidance_scale": 3.0, "strength": 1.0} | options
    moments = list(pipe.stream(PROMPTS, latents=noise, init_image=image, mask=mask, **options))
    ours = next(moment.value.x for moment in reversed(moments) if moment.name == "sampling")
    start = noise if options["strength"] == 1 else next(moment.value for moment in moments if moment.name == "noise")

    theirs = StableDiffusionInpaintPipeline.from_pretrained(tmp_path / "model")
    theirs.set_progress_bar_config(disable=True)
    kept = as_image(image)[None] * (as_mask(mask)[None] < 0.5)
    masked = channels_first(pipe.encode(kept.astype(np.float32)))  # they would draw it from its distribution

    def draw(output_type):
        return theirs(PROMPTS, image=image, mask_image=mask, latents=torch.tensor(channels_first(start)), height=SIDE,
                      width=SIDE, masked_image_latents=torch.tensor(masked), output_type=output_type, **options).images

    agree("latents of an inpainting UNet", ours, draw("latent").numpy().transpose(0, 2, 3, 1), VALUES["float32"])
    painted = np.broadcast_to(as_mask(mask)[None] >= 0.5, moments[-1].value.shape)
    expected = 2 * draw("np") - 1
    assert expected[painted].std() > 0.01
    agree("what an inpainting UNet paints", moments[-1].value[painted], expected[painted], VALUES["float32"])
    original = np.broadcast_to(as_image(image), painted.shape)
    np.testing.assert_array_equal(moments[-1].value[~painted], original[~painted])
