"""What the random streams of training and scoring are for, in one table, so that no two of them are the same.

    rng = random_stream(seed, Purpose.SCENES, index)

Here the seed is that of a run. With the seed of an image, purpose 0 is the noise that its drawing starts from, and
i + 1 that of step i (diffusion/samplers.py): if both seeds are equal, these streams are read twice, for other things.
"""

from __future__ import annotations

from enum import IntEnum


class Purpose(IntEnum):
    """No number ever changes: another one is another stream, and every training that draws from it would end elsewhere.

    BUCKET and EMOJI have one number, which does no harm: emoji have one shape, and whatever is drawn for the choice
    among one bucket, it is that one.
    """

    SCENES = 1             # training images; contrastive batches and latents have seeds of their own
    SCORED_SCENES = 2      # prompts for scores, and what is held out
    SCENES_IN_OTHER_WORDS = 13  # other words for these prompts

    IMAGES = 3             # a person's own: which ones a training batch has, how they are cut, mirrored and captioned
    CONTRASTED_IMAGES = 4  # the same for a contrastive batch
    ENCODED_IMAGES = 5     # how the images are cut and captioned whose latents are kept
    BUCKET = 6             # which shape a batch has, of images or of latents

    EMOJI = 6              # a training batch; the captions that the tokenizer learns from
    CONTRASTED_EMOJI = 7   # a contrastive batch
    ENCODED_EMOJI = 8      # the images whose latents are kept
    HELD_OUT_EMOJI = 9     # scenes of words that were never seen together
    SCORED_EMOJI = 10      # prompts for scores; instead of a seed, the number of their kind and split

    AUTOENCODER = 11       # initial parameters
    LATENT_NOISE = 12      # the noise that the autoencoder adds to the latents of a batch
    CLIP = 21              # initial parameters
    CLASS_LABELS = 22      # initial parameters of what reads class labels instead of captions
    UNET = 31              # initial parameters
    DENOISING = 32         # everything for a batch of the UNet: latents, noise, times, which captions are dropped
    LORA = 33              # initial factors
    PROJECTOR = 34         # initial parameters of what compares the UNet with the image encoder
    HELD_OUT_NOISE = 41    # noise and times for held-out losses
