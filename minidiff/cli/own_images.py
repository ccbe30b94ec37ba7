"""What a person is told about their own images: before training, what was found; during it, what was left out."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from .options import say


def fitted(settings, chosen: Collection[str], start: str | None, stages: Collection[str] | None):
    """The settings with sizes that fit the images, but for those that were `chosen`, and the files that were found.

    A run that starts from a model has the sizes of the model, and its contrastive model is trained already. One with
    class labels has none.
    """
    from ..data.buckets import bucket_shapes
    from ..data.folder_source import LEAST_TO_HOLD_OUT, check_captions
    from ..data.image_cache import check_usable
    from ..data.reading.find import find
    from ..data.sources import side_multiple
    from ..data.survey import distinct_captions
    from ..training.class_labels import check_count
    from ..training.fitting import check_data, count_cut, fit

    own = settings.data
    check_data(own)
    found = find(Path(own.source), own.caption_column, own.caption_template)
    check_usable(found.problems, len(found.items))
    if start:
        sizes = f"sizes of {start}"
    else:
        different = len(distinct_captions(found.items))
        if settings.text.class_labels:
            check_count(different)
        elif stages is None or "contrastive" in stages:
            check_captions(different, own.source)
        settings = fit(settings, found, chosen)
        cut = count_cut(found, settings.text.max_length)
        longer = f" (at most {cut} of {different} captions are cut off)" if cut else ""
        sizes = f"size {settings.size}, " + (
            f"{different} classes" if settings.text.class_labels else
            f"text.max_length {settings.text.max_length}{longer}, text.vocab_size {settings.text.vocab_size}, "
            f"train_contrastive.batch_size {settings.train_contrastive.batch_size}")
    if own.buckets:
        shapes = bucket_shapes(settings.size, side_multiple(settings))
        sizes += f"; buckets {', '.join(f'{width} x {height}' for width, height in shapes)}"
    few = f"; none is held out, which takes {LEAST_TO_HOLD_OUT} or more" if len(found.items) < LEAST_TO_HOLD_OUT else ""
    say("note", f"{len(found.items)} captioned images in {own.source} ({found.form}); {sizes}{few}")
    return settings, found


def found_emoji(settings):
    """The files of a set of emoji. Raises UserError if it is not one that `minidiff data emoji` made."""
    from ..data.image_cache import check_usable
    from ..data.sources import open_source

    cache = open_source(settings, Path()).cache
    found = cache.find()
    check_usable(found.problems, len(found.items))
    say("note", f"{len(found.items)} emoji in {cache.source}")
    return found


def note_changed(cache) -> None:
    from ..data.reading.found import shortened

    if changed := cache.changed_files():
        say("note", f"{cache.source} has changed since this run read it ({', '.join(shortened(changed))}): the run "
            "goes on with its own copy of what it read")


def note_left_out(cache) -> None:
    from ..data.image_cache import named

    if cache.left_out:
        say("note", f"{named(cache.left_out, len(cache.entries))}; training goes on without them")
