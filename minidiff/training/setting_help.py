"""A sentence on every setting of a run, for `minidiff train --help`. Groups whose fields mean the same share theirs."""

from __future__ import annotations

STAGE = {
    "steps": "updates of the parameters",
    "batch_size": "images per update, of all processes together",
    "learning_rate": "peak learning rate",
    "time_fraction": "fraction of the time that --minutes gives to this stage",
    "optimizer": "the rule of the update",
    "muon_rate": "Muon's step for a matrix, relative to AdamW's step for the other parameters",
    "warmup": "steps until the learning rate is at its peak",
    "weight_decay": "how strongly weights are drawn to zero",
    "beta1": "decay of the gradient's moving average",
    "beta2": "decay of the squared gradient's moving average",
    "clip": "longer gradients are shortened to this norm",
    "accumulation": "batches whose gradients are averaged for one update",
    "average_decay": "decay of the parameters' moving average, which is what the model is made of",
}

TRANSFORMER = {
    "hidden_size": "width of the transformer",
    "num_hidden_layers": "layers of the transformer",
    "num_attention_heads": "attention heads per layer",
}

SETTINGS = {
    "size": "height and width of the images in pixels; by default fitted to your images, at most 64",
    "seed": "everything random follows from it",
    "winograd": "Winograd's algorithm for convolutions: faster, with rounding errors of 1e-5",
    "precision": "to which a GPU rounds the factors of products: float32, tf32 or bf16; all else stays in float32",
    "data": {
        "source": "captioned images: a folder, a file, or scenes, the built-in ones; --data is short for it",
        "caption_column": "column of a table that holds the captions",
        "caption_template": "caption of an image that has only the name of its folder, which replaces {}",
        "crop": "part of an image that is trained on: center, or random, another one each time",
        "flip": "mirror half of the images; not for images with writing or captions with left and right",
        "buckets": "keep the shape of images, roughly, from 1:2 to 2:1, instead of squares; --buckets sets it",
        "shuffle_tags": "put the comma-separated tags of a caption in another order each time",
        "free_wording": "of scenes: fraction of the captions in other words than the plain ones; of emoji: fraction of "
                        "the images that are scenes made of them; the others show one",
        "held_out_fraction": "fraction of the images that are not trained on, but shown and scored",
    },
    "autoencoder": {
        "block_out_channels": "channels at each resolution, from full resolution to that of the latents",
        "layers_per_block": "residual blocks per resolution",
        "latent_channels": "channels of the latents",
        "norm_num_groups": "groups of a group norm",
        "mid_block_add_attention": "attention among all places of the lowest resolution",
        "mse_weight": "weight of the mean squared error",
        "l1_weight": "weight of the mean absolute error",
        "kl_weight": "weight of the latents' divergence from a standard normal distribution",
    },
    "text": TRANSFORMER | {
        "vocab_size": "tokens, at most; by default as many as your captions need",
        "max_length": "tokens per text; longer ones are cut off; by default fitted to your captions",
        "hidden_act": "activation function: quick_gelu or gelu",
        "class_labels": "each caption is one token, which learns with the UNet; --class-labels is short for it",
    },
    "image": TRANSFORMER | {
        "patch_size": "height and width in pixels of the patches that an image is cut into",
        "projection_dim": "width of the embeddings that are compared",
    },
    "unet": {
        "block_out_channels": "channels at each resolution, from that of the latents downwards",
        "attention_levels": "at which resolutions the image attends to itself and to the text",
        "layers_per_block": "residual blocks per resolution",
        "attention_head_dim": "number of attention heads, under the name that it has in Stable Diffusion 1",
        "norm_num_groups": "groups of a group norm",
    },
    "diffusion": {
        "prediction": "what the UNet predicts",
        "time_shift": "how far training times, and a flow's sampling times, are moved towards noise; 1: not at all",
        "middle_fraction": "fraction of a batch around noise = time_shift * signal, where shapes are decided",
        "layout_fraction": "fraction of a batch that is pure noise, where only the text says what goes where",
        "weighting": "weights of the squared errors",
        "latents": "scenes that are encoded for this stage, with --lora as many as it draws; of your own, all are",
        "caption_dropout": "fraction of a batch without text, which guidance needs",
        "alignment": "weight of the loss that aligns the UNet with the image encoder; 0, the default of --from, leaves "
                     "it out, as do images in buckets, class labels, --lora, and patches as wide as no place of the "
                     "UNet",
        "alignment_steps": "steps until this loss is left out",
        "clip_skip": "last layers of the contrastive model's text encoder that the UNet's is without; Stable Diffusion "
                     "2 leaves out one. With --from as in that model, with class labels none",
        "train_text_encoder": "train the text encoder along with the UNet",
        "num_inference_steps": "sampling steps that the model recommends",
        "guidance_scale": "guidance that the model recommends",
    },
    "lora": {
        "rank": "rank of the factors that are trained instead of the whole UNet; --lora is short for it; 0: none",
        "alpha": "the factors' product is scaled by alpha / rank; 0 stands for alpha = rank",
    },
    "train_autoencoder": STAGE,
    "train_contrastive": STAGE,
    "train_diffusion": STAGE,
    "train_lora": STAGE,
}


def sentence(name: str) -> str:
    """What the setting with this dotted name does."""
    found = SETTINGS
    for part in name.split("."):
        found = found[part]
    return found
