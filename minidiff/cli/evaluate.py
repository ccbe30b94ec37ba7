"""minidiff evaluate: the scores of a model, of a judge for scenes or of comparisons with any true images."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

from ..errors import UserError
from .drawing import add_lora, with_lora
from .options import add_device, check_image_name, drawing, judging, save_image, say, show, whole_number

COUNT, MOST = 400, 100_000  # prompts


def add_to(commands) -> None:
    parser = commands.add_parser("evaluate", help="score a model", description="Draw images from prompts that "
                                 "were never trained on, and let the judge score them; with --data, compare them with "
                                 "true images.")
    parser.add_argument("model", help="the name of a shipped model, or a folder")
    parser.add_argument("--data", metavar="scenes|PATH|emoji:PATH", help="compare with the held-out images of this "
                        "source: are they alike, do captions find them, are they copies of training images; or, for "
                        "a model of emoji, let its judge score names and scenes (default: what the model was trained "
                        "on; the judge of scenes needs no images). All images of another source are held out")
    add_lora(parser)
    parser.add_argument("--json", action="store_true", help="print all scores as JSON")
    parser.add_argument("--count", type=whole_number(1, MOST), help="prompts, without --data per split "
                        "(default: 400); for emoji names, and prompts of each kind of scene (default: all names and "
                        "200)")
    parser.add_argument("--failures", type=Path, metavar="FILE",
                        help="write a contact sheet of the wrong images, each with what the judge saw")
    add_device(parser)
    parser.set_defaults(run=run)


def run(args) -> None:
    from ..backend import resolve_device
    from ..data.sources import kind_of
    from ..evaluation import evaluate, evaluate_emoji, evaluate_images
    from ..pipeline import Pipeline
    from ..report.failures import failures
    from ..storage.pipeline_folder import find_clip, find_model

    model = find_model(args.model)
    data = args.data
    if data is None and kind_of(own := settings_of(model).data.source) != "scenes":  # whose judge needs no images
        data = own
    kind = None if data is None else kind_of(data)
    if args.failures and kind in ("scenes", "images"):
        raise UserError(f"--failures shows what a judge saw, and {data} has none: leave it out")
    if args.failures:
        check_image_name(args.failures)
    device = resolve_device(args.device)
    pipe = with_lora(Pipeline.from_pretrained(args.model, device), args)
    clip = find_clip(args.model, device=device)
    wrong = []

    def keep_wrong(found, total):
        for one in judging(found, total):
            if not one.right:
                wrong.append(one)
            yield one

    if kind is None:
        scores = evaluate(pipe, clip, args.count or COUNT, keep_wrong)
    else:
        if clip is None and kind != "emoji":
            say("note", f"{args.model} has no image encoder: its images are compared by their pixels alone")
        size = pipe.unet.config.sample_size * pipe.vae.config.downsampling
        with tempfile.TemporaryDirectory() as scratch:
            source = open_data(data, model, size, Path(scratch))
            scores = (evaluate_emoji(pipe, clip, source, args.count, keep_wrong) if kind == "emoji" else
                      evaluate_images(pipe, clip, source, trained_on(source, model, size), args.count or COUNT,
                                      drawing))
    show(*(json.dumps(scores, indent=2).split("\n") if args.json else as_lines(scores)))
    if args.failures and wrong:
        save_image(failures(wrong), args.failures)
    elif args.failures:
        say("note", f"{args.failures} was not written: no image is wrong")


def settings_of(model: Path):
    """The settings that a model was trained with; where they are not known, the defaults."""
    from ..training.presets import Settings
    from ..training.run import read_settings
    from ..training.run_folder import folder_of

    folder = folder_of(model)
    return Settings() if folder is None else read_settings(folder)


def open_data(name: str, model: Path, size: int, scratch: Path):
    """The source of this name in the model's size, with the settings that the model was trained with, if known.

    The settings decide which images are held out, and which ones were trained on; of another source all are held out.
    Where the model's run has not read them all, images are read into the folder `scratch`. They are squares, so that
    they can be compared. Raises UserError if they are missing.
    """
    from ..data.sources import full_name, open_source

    settings, wanted = settings_of(model), full_name(name)
    own = is_own(wanted, settings, model)
    asked = replace(settings, size=size, data=replace(settings.data, source=wanted, buckets=False))
    source = open_source(asked, model.parent / "data")
    read = wanted == settings.data.source and settings.size == size
    if source.kind != "scenes" and not (read and source.cache.whole):
        source = open_source(asked, scratch)
        if name == settings.data.source and not source.cache.source.exists():
            raise UserError(f"{name}, which the model was trained on, is not here: say where its images are by --data")
        for _ in source.cache.fill():
            pass
    return source if own or source.kind != "images" else replace(source, held_out_fraction=1.0)


def is_own(name: str, settings, model: Path) -> bool:
    """Whether a model was trained on the source of this name. Where its images have gone, another takes their place."""
    from ..data.sources import kind_of

    own = settings.data.source
    gone = kind_of(own) == kind_of(name) == "images" and not Path(own).exists()
    return name == own or (gone and not (model.parent / "data" / "captions.json").exists())


def trained_on(source, model: Path, size: int):
    """The source of the model's training images: `source`, or that of its run; None if it is not known, or not here."""
    from ..data.sources import open_source
    from ..training.run_folder import folder_of

    settings = settings_of(model)
    if is_own(source.name, settings, model):
        return source
    if folder_of(model) is None or settings.size != size:
        return None
    own = open_source(settings, model.parent / "data")
    return own if own.kind == "scenes" or own.cache.whole else None


def as_lines(scores: dict, indent: str = "") -> list[str]:
    """Scores as readable text: one per line, groups indented."""
    lines = []
    for name, value in scores.items():
        if isinstance(value, dict):
            lines += [f"{indent}{name}", *as_lines(value, indent + "  ")]
        else:
            lines.append(f"{indent}{name:<{30 - len(indent)}} {'-' if value is None else value}")
    return lines
