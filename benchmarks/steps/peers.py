"""Their side: the same networks from diffusers and transformers, autograd, torch.optim.AdamW."""

from __future__ import annotations

import tempfile
from pathlib import Path

import diffusers
import numpy as np
import torch
import torch.nn.functional as F
import transformers
from torch.nn.utils import clip_grad_norm_

from minidiff.storage.folders import from_file, save_model

from .stages import batch_of, settings_of

LIBRARIES = {"AutoencoderKL": diffusers, "UNet2DConditionModel": diffusers, "CLIPModel": transformers,
             "CLIPTextModel": transformers}
CLASSES = {name: getattr(library, name) for name, library in LIBRARIES.items()}  # imported when they are asked for
LAYOUTS = {"": torch.contiguous_format, " NHWC": torch.channels_last}

for library in (diffusers, transformers):
    library.utils.logging.set_verbosity_error()
    library.utils.logging.disable_progress_bar()


def twin(model):
    """The same network with the same weights, of their class of the same name."""
    name = type(model).__name__
    with tempfile.TemporaryDirectory() as folder:
        save_model(model, Path(folder) / name)
        options = {"low_cpu_mem_usage": False} if LIBRARIES[name] is diffusers else {}
        return CLASSES[name].from_pretrained(Path(folder) / name, **options).train()


def to_torch(array: np.ndarray, layout, device: str = "cpu"):
    """Images (N, H, W, C) as (N, C, H, W) in a memory layout; other arrays as they are."""
    if array.ndim == 4:
        return torch.tensor(array.transpose(0, 3, 1, 2), device=device).contiguous(memory_format=layout)
    return torch.tensor(array, device=device)


def autoencoder_loss(settings, models, images, noise):
    own, latents = settings.autoencoder, models[0].encode(images).latent_dist
    y = models[0].decode(latents.mean + latents.std * noise).sample
    kl = 0.5 * (latents.mean.square() + latents.var - 1 - latents.logvar).mean()
    return own.l1_weight * F.l1_loss(y, images) + own.mse_weight * F.mse_loss(y, images) + own.kl_weight * kl


def contrastive_loss(settings, models, ids, images):
    return models[0](input_ids=ids, pixel_values=images, return_loss=True).loss


def diffusion_loss(settings, models, x, t, ids, answer, weight):
    unet, text_encoder = models
    y = unet(x, t, text_encoder(ids).last_hidden_state).sample
    return ((y - answer).square() * weight.to(y.dtype)[:, None, None, None]).mean()


LOSSES = {"autoencoder": autoencoder_loss, "contrastive": contrastive_loss, "diffusion": diffusion_loss}


def denoising(unet, arrays, layout, device):
    set_precision("float32")
    tensors = [to_torch(array, layout, device) for array in arrays]

    def call():
        with torch.inference_mode():
            return unet(*tensors).sample

    return call


def set_precision(precision: str) -> None:
    """For products and convolutions alike: PyTorch's own choice is TF32 for the latter only."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision != "float32"
    torch.backends.cudnn.benchmark = True


class TheirStep:
    """The same update as OurStep's, on the same batch, starting from the same weights."""

    processes = ()

    def __init__(self, stage, layout, device: str = "cpu", precision: str = "float32", compiled: bool = False):
        set_precision(precision)
        self.stage, self.settings = stage, settings_of(stage)
        self.models = [twin(model).to(device=device, memory_format=layout) for model in stage.models]
        torch.compiler.reset()  # and with it the graphs of an earlier step, and what it learned of batch sizes
        self.called = [torch.compile(model, mode="reduce-overhead", dynamic=False) if compiled else model
                       for model in self.models]
        self.half = torch.autocast(device, torch.bfloat16, enabled=precision == "bf16")
        frozen = [stage.text_encoder] if stage.name == "diffusion" and stage.text_encoder not in stage.models else []
        self.frozen = [twin(model).to(device).requires_grad_(False) for model in frozen]
        self.copied = sum(p.nbytes for model in (*self.models, *self.frozen) for p in model.parameters())
        self.batch = [to_torch(array, layout, device) for array in batch_of(stage)]
        self.parameters = [p for model in self.models for p in model.parameters()]
        own = self.settings
        self.optimizer = torch.optim.AdamW(self.parameters, own.learning_rate / own.warmup, (own.beta1, own.beta2),
                                           weight_decay=own.weight_decay, fused=True)
        self.average = [p.detach().clone() for p in self.parameters]

    def backward(self) -> None:
        self.optimizer.zero_grad()
        with self.half:
            loss = LOSSES[self.stage.name](self.stage.settings, [*self.called, *self.frozen], *self.batch)
        loss.backward()

    def gradients(self) -> dict[str, np.ndarray]:
        self.backward()
        return {f"{index}.{name}": from_file(p.grad.cpu().numpy()) for index, model in enumerate(self.models)
                for name, p in model.named_parameters() if p.grad is not None}

    def __call__(self) -> None:
        self.backward()
        clip_grad_norm_(self.parameters, self.settings.clip)
        self.optimizer.step()
        torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 0.1)
