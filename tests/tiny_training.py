"""A training run of a few thousand parameters: 16 x 16 images, six steps a stage."""

from __future__ import annotations

from numpy.testing import assert_array_equal

from minidiff.training import presets
from minidiff.training.autoencoder import AutoencoderTraining
from minidiff.training.contrastive import ContrastiveTraining
from minidiff.training.diffusion import DiffusionTraining
from minidiff.training.presets import StageSettings

STAGE = StageSettings(steps=6, batch_size=8, learning_rate=1e-3, share=0.3, warmup=2)
SETTINGS = presets.Settings(
    size=16,
    autoencoder=presets.AutoencoderSettings(block_out_channels=(4, 8), norm_num_groups=2),
    text=presets.TextSettings(vocab_size=600, max_length=16, hidden_size=8, num_hidden_layers=1, num_attention_heads=2),
    image=presets.ImageSettings(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, projection_dim=4),
    unet=presets.UNetSettings(block_out_channels=(8, 16), attention_levels=(False, True), attention_head_dim=2,
                              norm_num_groups=4),
    diffusion=presets.DiffusionSettings(prediction="v_prediction", latents=40),
    train_autoencoder=STAGE, train_contrastive=STAGE, train_diffusion=STAGE)


def stages(run):
    """One fresh stage of each kind."""
    tokenizer = run.tokenizer()
    clip = ContrastiveTraining(SETTINGS, tokenizer)
    return [AutoencoderTraining(SETTINGS), clip,
            DiffusionTraining(SETTINGS, tokenizer, ContrastiveTraining(SETTINGS, tokenizer).model.text_model,
                              run.latents())]


def same_parameters(one, other):
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert_array_equal(a.value, b.value)
