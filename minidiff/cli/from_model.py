"""What a person is told about a run from a trained model: which settings are the model's, and what it cannot read."""

from __future__ import annotations

from collections.abc import Collection

from .options import say

NAMED = 5      # names that a note lists
SHOWN = 40     # letters of a caption that a note shows
NO_EFFECT = ("train_autoencoder.", "train_contrastive.", "autoencoder.mse_weight", "autoencoder.l1_weight",
             "autoencoder.kl_weight", "text.vocab_size", "text.class_labels")
NO_EFFECT_ON_LORA = (*NO_EFFECT, "train_diffusion.", "autoencoder.", "text.", "image.", "unet.",
                     "diffusion.train_text_encoder", "diffusion.alignment", "diffusion.clip_skip")


class Start:
    """A trained model, given by its name or folder, and the settings that a run from it has: `own`.

    `model` is what that run is given: a LoRA's loads the parts on its device, any other copies these.
    """

    def __init__(self, name: str, preset, lora: bool):
        from ..storage.pipeline_folder import load_pipeline
        from ..training.start import StartModel, read_start, settings_of

        start = StartModel(name, load_pipeline(name), None) if lora else read_start(name)
        self.name, self.preset, self.lora, self.parts, self.clip = name, preset, lora, start.parts, start.clip
        self.own = settings_of(self.parts, self.clip, preset)
        self.model = name if lora else start

    def check(self, settings, chosen: Collection[str], preset_name: str | None, found) -> None:
        """Say what a run with these settings, of which some were `chosen`, on the files `found` cannot keep or read.

        Raises UserError where it cannot start from the model.
        """
        from ..training.start import check_sizes

        if not self.lora:
            check_sizes(settings, self.parts, self.clip)
        note_settings(self, settings, chosen, preset_name)
        if found:
            note_data(self, found)


def note_settings(start: Start, settings, chosen: Collection[str], preset_name: str | None) -> None:
    """Which settings are the model's, and not those of the preset or those that were `chosen`."""
    from ..training.presets import setting_names

    of_preset, of_model = setting_names(start.preset), setting_names(start.own)
    replaced = [name for name in of_preset if of_preset[name] != of_model[name] and name not in chosen]
    if preset_name and replaced:
        say("note", f"{start.name} has settings of its own, not those of preset {preset_name}: {listed(replaced)}")
    idle = [name for name in chosen if name.startswith(NO_EFFECT_ON_LORA if start.lora else NO_EFFECT)]
    if idle:
        say("note", f"no effect: {listed(idle)}; the parts of {start.name} that they are for stay as they are")
    prediction, learned = settings.diffusion.prediction, start.own.diffusion.prediction
    if prediction != learned:
        say("note", f"the UNet of {start.name} has learned {learned}, and must learn {prediction} anew")


def note_data(start: Start, found) -> None:
    """What the model cuts off, reads in pieces, or sees in another size. Raises UserError for what it cannot read."""
    from ..data.survey import median_side
    from ..tokenizer import split_words
    from ..training.class_labels import check_known

    tokenizer, captions = start.parts.tokenizer, [item.caption for item in found.items]
    check_known({*captions}, tokenizer, start.name)
    cut = [caption for caption in captions if tokenizer.tokens_cut(caption)]
    if cut:
        say("note", f"{len(cut)} of {len(captions)} captions are longer than the {tokenizer.max_length} tokens that "
            f"{start.name} reads, and are cut off there, such as {cut[0][:SHOWN]!r}...")
    words = sorted({word for caption in captions for word in split_words(caption)})
    new = [word for word in words if len(tokenizer.encode(word)) > 3]  # with start and end
    if new and not tokenizer.classes:
        say("note", f"{len(new)} of {len(words)} words are no tokens of {start.name}, which reads them in pieces: "
            f"{listed(new)}")
    side, size = median_side(found.items), start.own.size
    if side and side != size:
        way = "down" if side > size else "up, and so are not sharp,"
        say("note", f"the images, {side} pixels on the shorter side (median), are scaled {way} to the {size} of "
            f"{start.name}")


def listed(names: Collection[str]) -> str:
    """The first five, and how many more there are."""
    names = list(names)
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
