"""The last stage: a UNet learns to remove noise from latents, conditioned on their captions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from .. import ops
from ..backend import captured, random_stream, to_device, to_host
from ..data.buckets import bucket_of
from ..data.images import at_once
from ..data.purposes import Purpose
from ..data.source import Source
from ..diffusion.objectives import add_noise, draw_times, loss_weight, mixture, target
from ..diffusion.schedules import Schedule
from ..errors import UserError
from ..models.autoencoder import AutoencoderKL
from ..models.configs import UNetConfig
from ..models.image_encoder import CLIPVisionModel
from ..models.text_encoder import CLIPTextModel
from ..models.unet import UNet2DConditionModel
from ..nn.blas import set_blas_threads
from ..nn.module import frozen
from ..nn.threads import is_wide
from ..tokenizer import Tokenizer
from .ahead import Ahead, drawers
from .alignment import aligned_level, aligned_loss, aligns, projector_of
from .presets import Settings
from .workers import Workers, worker_count

ENCODE_BATCH = 32  # images of 64 x 64 pixels encoded at once
ROWS = 1024        # latents whose moments are summed at once: in float64 all would take four times their memory


@dataclass(frozen=True)
class Latents:
    """Encoded images of one shape: the means of q(z|x), (M, P, Q, C) in float16, and the token ids of their captions,
    (M, T); in a run that aligns, also what the image encoder makes of their patches, (M, K, D) in float16.

    The means and not samples: what a sample adds is noise, which no network could predict.
    """

    mean: np.ndarray
    ids: np.ndarray
    states: np.ndarray | None = None


def scaling_factor(latents: Sequence[Latents]) -> float:
    """1 / the standard deviation of all latents (Rombach et al. 2022, appendix G)."""
    count = total = squares = 0.0
    for rows in (part for one in latents for part in np.array_split(one.mean, range(ROWS, len(one.mean), ROWS))):
        x = rows.astype(np.float64)
        count, total, squares = count + x.size, total + x.sum(), squares + np.vdot(x, x)
    return float(1 / math.sqrt(squares / count - (total / count) ** 2))


def encode_images(source: Source, tokenizer: Tokenizer, autoencoder: AutoencoderKL, device: str,
                  threads: int | None = None, image_encoder: CLIPVisionModel | None = None):
    """Encode the images of this stage, once: training reads latents only. Yields Latents, batch by batch, with the
    states of an image encoder if there is one.
    """
    workers, size = worker_count(ENCODE_BATCH, device, threads), at_once(ENCODE_BATCH, source.size)

    def draw(index):
        batch = source.latent_batch(index, size)
        return batch.images, tokenizer(batch.captions).astype(np.int32)

    mean = captured(lambda images: autoencoder.encode(images)[0][0], device, pure=not is_wide(autoencoder))
    states = image_encoder and captured(image_encoder.patches, device, pure=True)

    def half(array):
        return to_host(array).astype(np.float16)

    def encode(index):
        images, ids = drawn(index)
        with ops.no_grad(), ops.fast():
            return Latents(half(mean(images)), np.array(ids), states and half(states(images)))

    restore = set_blas_threads(1 if workers > 1 else threads)
    try:
        with closing(Ahead(draw, drawers(device, threads))) as drawn, ThreadPoolExecutor(workers) as pool:
            yield from pool.map(encode, range(math.ceil(source.latent_count / size)))
    finally:
        restore()


def denoising_loss(unet, text_encoder, x, timesteps, ids, answer, weight=None):
    """loss = mean weight · (unet(x, t, text_encoder(ids)) − answer)²

    x (N, H, W, C), timesteps (N), ids (N, T), answer (N, H, W, C), weight (N) -> losses, backward

    Ho et al. 2020, eq. 14; conditioned as Rombach et al. 2022, eq. 3.
    """
    context, text_back = text_encoder(ids)
    y, unet_back = unet(x, timesteps, context)
    loss, loss_back = ops.mse(y, answer, weight)

    def backward(fraction):
        _, _, dcontext = unet_back(loss_back(fraction)[0])
        text_back(dcontext)

    return {"loss": loss}, backward


class DiffusionTraining:
    """Step i depends on the parameters, the latents and i alone; its images have one shape.

    A sampler settles the layout of an image, which object goes where, in its first steps, while the latents are still
    mostly noise. So most training times are drawn near that end, and `layout_fraction` of each batch is pure noise,
    where the caption alone tells the layout.

    The text encoder stays as contrastive training left it, unless `train_text_encoder` is set. Trained along with the
    UNet, it gives words that matter late in sampling, such as those for shapes of equal area, the same states before
    the UNet has learned to tell their images apart.

    With `alignment`, the UNet also learns from the image encoder (alignment.py).
    """

    name = "diffusion"
    recordable = True

    def __init__(self, settings: Settings, tokenizer: Tokenizer, text_encoder: CLIPTextModel,
                 latents: Sequence[Latents], device: str = "cpu", unet: UNet2DConditionModel | None = None):
        self.settings, self.latents, self.device = settings, latents, device
        self.schedule = schedule_of(settings)
        self.scaling_factor = scaling_factor(latents)
        self.tokenizer, self.empty = tokenizer, tokenizer([""])[0]
        if any(part.ids.shape[1:] != self.empty.shape for part in latents):
            raise UserError(f"the latents have captions of another length than the tokenizer's {len(self.empty)} "
                            "tokens: bring back the tokenizer that encoded them, or remove latents.safetensors")
        self.unet = unet or UNet2DConditionModel(random_stream(settings.seed, Purpose.UNET),
                                                 unet_config(settings, text_encoder.config.hidden_size))
        self.text_encoder = text_encoder
        learns = settings.diffusion.train_text_encoder
        self.models = [self.unet, text_encoder] if learns else [self.unet]
        self.read_text = text_encoder if learns else frozen(text_encoder)
        self.projector = projector_of(settings) if aligns(settings) else None
        if self.projector is not None:
            if any(part.states is None for part in latents):  # with states there is one shape
                raise UserError("the latents have no states of the image encoder: set diffusion.alignment back to 0, "
                                "or remove latents.safetensors")
            self.level = aligned_level(settings)
            self.mean_state = latents[0].states.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
            self.aligned_batches = settings.diffusion.alignment_steps * settings.train_diffusion.accumulation
            self.models.append(self.projector)
        for parameter in text_encoder.parameters():
            parameter.value = to_device(parameter.value, device)

    def draw(self, index: int) -> tuple:
        """The arguments of `denoising_loss` for batch `index`; as long as the UNet is aligned, also what with."""
        rng = random_stream(self.settings.seed, Purpose.DENOISING, index)
        latents = self.latents[bucket_of(self.settings.seed, index, [len(one.ids) for one in self.latents])]
        rows = rng.integers(len(latents.ids), size=self.settings.train_diffusion.batch_size)
        mean, ids = latents.mean[rows], latents.ids[rows]
        noise = rng.standard_normal(mean.shape, dtype=np.float32)
        t = self.draw_times(rng, len(rows))
        question = self.question(mean, noise, t, self.drop_captions(rng, ids))
        if self.projector is None or index >= self.aligned_batches:
            return question
        return *question, latents.states[rows] - self.mean_state

    def step(self, workers: Workers, fraction: float, *batch) -> dict:
        """The losses of a batch; adds its gradient times `fraction`."""
        return workers.learn(fraction, *batch)

    def draw_times(self, rng, count: int) -> np.ndarray:
        """Random training times, some of them those of pure noise."""
        own = self.settings.diffusion
        t = draw_times(self.schedule, rng, count, own.time_shift, own.middle_fraction)
        t[rng.random(count) < own.layout_fraction] = len(self.schedule.sigma) - 1
        return t

    def drop_captions(self, rng, ids) -> np.ndarray:
        """Some captions, chosen at random, become the empty one, so that the UNet also learns to do without."""
        return np.where(rng.random(len(ids))[:, None] < self.settings.diffusion.caption_dropout, self.empty, ids)

    def question(self, mean, noise, t, ids) -> tuple:
        """The arguments of `denoising_loss`: noisy latents, times, token ids, the answer and its weight.

        mean (N, H, W, C), noise (N, H, W, C), t (N), ids (N, T) -> five arrays
        """
        own = self.settings.diffusion
        x0, (alpha, sigma) = mean * np.float32(self.scaling_factor), self.schedule.at(t)
        # Samplers of a flow round their times down (flow_steps), so training does; those of a table are whole already.
        return (add_noise(x0, noise, alpha, sigma), np.floor(t).astype(np.float32), ids,
                target(own.prediction, x0, noise, alpha, sigma),
                loss_weight(own.weighting, own.prediction, alpha, sigma))

    def learn(self, fraction: float, *part) -> dict:
        """The losses of one worker's part of a batch; adds its gradient times `fraction`."""
        question, states = part[:5], part[5:]
        if states:
            losses, backward = aligned_loss(self.unet, self.level, self.projector, self.settings.diffusion.alignment,
                                            self.read_text, question, *states)
        else:
            losses, backward = denoising_loss(self.unet, self.read_text, *question)
        backward(fraction)
        return losses


def check_objective(settings: Settings) -> None:
    """Raises UserError for an unknown prediction or weighting."""
    own, half = settings.diffusion, np.array([0.5])
    mixture(own.prediction, half, half)
    loss_weight(own.weighting, own.prediction, half, half)


def schedule_of(settings: Settings) -> Schedule:
    """Rectified flow for flow prediction, else Stable Diffusion's schedule, with zero terminal SNR but for epsilon."""
    prediction = settings.diffusion.prediction
    if prediction == "flow_prediction":
        return Schedule("flow")
    return Schedule("scaled_linear", rescale_betas_zero_snr=prediction != "epsilon")


def unet_config(settings: Settings, context_width: int) -> UNetConfig:
    own, channels = settings.unet, settings.autoencoder.latent_channels
    down = tuple("CrossAttnDownBlock2D" if attends else "DownBlock2D" for attends in own.attention_levels)
    return UNetConfig(
        in_channels=channels, out_channels=channels, block_out_channels=own.block_out_channels, down_block_types=down,
        up_block_types=tuple(name.replace("Down", "Up") for name in reversed(down)),
        sample_size=settings.size // 2 ** (len(settings.autoencoder.block_out_channels) - 1),
        layers_per_block=own.layers_per_block, cross_attention_dim=context_width,
        attention_head_dim=own.attention_head_dim, norm_num_groups=own.norm_num_groups)
