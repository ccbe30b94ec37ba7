"""minidiff data: look at training images, the built-in ones or your own, and check whether they can be trained on."""

from __future__ import annotations

import shlex
from pathlib import Path

from ..errors import UserError
from .options import as_words, check_image_name, reading, save_image, say, show, whole_number

MOST_IMAGES = 1000  # in one grid
SIZE = 64           # of scenes and of emoji
SHOWN = 200         # letters of a caption
COLUMN, TEMPLATE = "text", "a {}"  # where captions come from, unless it is said


def add_to(commands) -> None:
    data = commands.add_parser("data", help="look at the training images")
    parsers = data.add_subparsers(title="commands", required=True, metavar="COMMAND")
    parser = parsers.add_parser("preview", help="write a grid of training images with their captions")
    parser.add_argument("path", nargs="?", default="scenes", metavar="PATH", help="your own captioned images, or "
                        "emoji:PATH for a folder of minidiff data emoji (default: the built-in scenes)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", default=Path("preview.png"),
                        help="image file to write (default: preview.png)")
    parser.add_argument("--count", type=whole_number(1, MOST_IMAGES), default=16, help="number of images (default: 16)")
    parser.add_argument("--seed", type=whole_number(0, 2**63 - 1), default=0,
                        help="seed of the training run, or of the choice among your images (default: 0)")
    parser.add_argument("--size", type=whole_number(8, 2048), help="height and width in pixels (default: 64; of your "
                        "own images that which training chooses)")
    add_captions(parser)
    parser.set_defaults(run=run_preview)

    parser = parsers.add_parser("check", help="check your own captioned images", description="Say what was found, "
                                "what cannot be used and why. Exit code 2 if the images cannot be trained on.")
    parser.add_argument("path", metavar="PATH", help="a folder or a file of captioned images")
    parser.add_argument("--buckets", action="store_true",
                        help="also count the images that each bucket of train --buckets would have")
    add_captions(parser)
    parser.set_defaults(run=run_check)

    parser = parsers.add_parser("emoji", help="make a folder of captioned images from a set of emoji", description=
                                "Copy the emoji in PATH, which are named by their code points, such as 1f427.png, into "
                                "a new folder, with a table of their names. Train on it with --data emoji:DIR.")
    parser.add_argument("path", type=Path, metavar="PATH", help="a folder of a set, such as Fluent, Noto or Twemoji")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", default=Path("emoji"),
                        help="the folder to make (default: emoji)")
    parser.add_argument("--names", type=Path, metavar="FILE", help="data.json of emojibase, which has names and tags "
                        "(default: Unicode's names, without tags)")
    parser.set_defaults(run=run_emoji)


def add_captions(parser) -> None:
    parser.add_argument("--caption-column", default=COLUMN, metavar="NAME",
                        help="column of a table that holds the captions (default: text)")
    parser.add_argument("--caption-template", default=TEMPLATE, metavar="TEXT", help="caption of an image that has "
                        "only the name of its folder, which replaces {} (default: 'a {}')")


def for_training(args) -> str:
    """The command that trains on the images that were checked, with the same captions, quoted for a shell."""
    words = ["minidiff", "train", *as_words("--data", args.path)]
    for name, default in (("caption_column", COLUMN), ("caption_template", TEMPLATE)):
        if (value := getattr(args, name)) != default:
            words += as_words(f"--data.{name}", value)
    return shlex.join(words + ["--buckets"] * args.buckets)


def run_preview(args) -> None:
    check_image_name(args.output)
    from PIL import Image

    from ..data.sources import kind_of
    from ..report.images import grid

    shown = {"scenes": built_in, "emoji": emoji_scenes, "images": own_images}[kind_of(args.path)]
    images, captions = zip(*shown(args), strict=True)
    save_image(grid([Image.fromarray(image) for image in images], captions), args.output)
    show(str(args.output))


def built_in(args) -> list:
    """The first scenes of a training run, with their captions."""
    from ..data.batches import scene_batch

    size = args.size or SIZE
    batch = scene_batch(0, args.count, size, args.seed)
    return [(scene.image(size), caption) for scene, caption in zip(batch.scenes, batch.captions, strict=True)]


def own_images(args) -> list:
    """Some of a person's images, as training would see them, with their captions."""
    from itertools import islice

    import numpy as np

    from ..data.image_cache import read_images
    from ..data.reading.find import find
    from ..reading import absolute
    from ..training.fitting import fitted_size
    from ..training.presets import Settings

    found = find(absolute(args.path), args.caption_column, args.caption_template)
    items, size = found.items, args.size or fitted_size(Settings(), found)
    order = np.random.default_rng(args.seed).permutation(len(items))
    read = read_images((items[i] for i in order), size)
    shown = [*islice(((pixels[None], entry.caption) for entry, pixels in read if not entry.fault), args.count)]
    if not shown:
        first, _ = next(read_images(items[:1], size))
        raise UserError(f"no image of {args.path} can be shown at {size} pixels, such as {first.name} ({first.fault}): "
                        f"give another --size, or see minidiff data check {shlex.quote(args.path)}")
    return shown


def emoji_scenes(args) -> list:
    """The first training images made of a set of emoji, with their captions."""
    import tempfile

    import numpy as np

    from ..data.images import to_pillow
    from ..data.sources import full_name, open_source
    from ..training.presets import DataSettings, Settings

    settings = Settings(size=args.size or SIZE, seed=args.seed, data=DataSettings(full_name(args.path)))
    with tempfile.TemporaryDirectory() as scratch:
        source = open_source(settings, Path(scratch))
        found = source.cache.find()
        for _ in reading(source.cache.fill(found), len(found.items)):
            pass
        batch = source.training_batch(0, args.count)
    return list(zip(map(np.asarray, to_pillow(batch.images)), batch.captions, strict=True))


def run_emoji(args) -> None:
    from ..data.emoji.folder import write_folder
    from ..data.reading.found import shortened

    written = write_folder(args.path, args.output, args.names)
    if written.unnamed:
        say("note", "left out, as they have no emoji's name or that of another file: "
            f"{', '.join(shortened(written.unnamed))}")
    show(f"{args.output}: {written.count} emoji",
         f"to train on them: minidiff train --preset emoji --data {shlex.quote(f'emoji:{args.output}')}")


def run_check(args) -> None:
    from ..data.folder_source import check_captions
    from ..data.reading.find import find
    from ..data.survey import distinct_captions, faults_of, look_at
    from ..reading import absolute

    found = find(absolute(args.path), args.caption_column, args.caption_template)
    seen = list(reading(look_at(found.items), len(found.items)))
    faults = faults_of(found, seen)
    usable = [one for one in seen if not one.fault]
    names = {one.name for one in usable}
    items = [item for item in found.items if item.name in names]
    show(f"{args.path}: {found.form}", *lines(usable, items), *fault_lines(faults))
    if len(faults) > len(usable):
        raise UserError(f"{len(faults)} of {len(faults) + len(usable)} images cannot be used: mend or remove them")
    check_captions(len(distinct_captions(items)), args.path)
    if args.buckets:
        show(bucket_line(usable, found))
    show(f"to train on them: {for_training(args)}")


def lines(usable, items) -> list[str]:
    """What a person should know of the images that can be used."""
    from collections import Counter

    from ..data.reading.found import shortened
    from ..data.survey import distinct_captions, duplicates
    from ..tokenizer import split_words

    if not usable:
        return ["images         0"]
    by_side = sorted((min(one.size), one.size) for one in usable)
    low, middle, high = (by_side[i][1] for i in (0, len(by_side) // 2, -1))
    modes = Counter(one.mode for one in usable)
    folders = sorted(Counter(item.name.partition("/")[0] for item in items if "/" in item.name).items())
    named = ", ".join(shortened([f"{name} ({count})" for name, count in folders]))
    lengths = sorted(len(split_words(item.caption)) for item in items)
    groups = duplicates(usable)
    text = [
        f"images         {len(usable)}",
        f"sizes          {low[0]} x {low[1]} to {high[0]} x {high[1]}, by the shorter side; "
        f"median {middle[0]} x {middle[1]}",
        f"modes          {', '.join(f'{mode} ({count})' for mode, count in modes.most_common())}",
        *([f"folders        {named}"] if folders else []),
        f"captions       {len(distinct_captions(items))} different; {lengths[0]} to {lengths[-1]} words, "
        f"median {lengths[len(lengths) // 2]}; such as: {items[0].caption[:SHOWN]}",
        f"duplicates     {sum(len(group) - 1 for group in groups)}"]
    return text + [f"               {line}" for line in shortened([" = ".join(shortened(group)) for group in groups])]


def bucket_line(usable, found) -> str:
    """How many images each bucket has at the size that training chooses for them."""
    from collections import Counter

    from ..data.buckets import bucket_shapes, nearest
    from ..data.sources import side_multiple
    from ..training.fitting import fit
    from ..training.presets import Settings

    settings = fit(Settings(), found)
    shapes = bucket_shapes(settings.size, side_multiple(settings))
    counts = Counter(nearest(shapes, *one.size) for one in usable)
    return "buckets        " + ", ".join(f"{width} x {height} ({counts[width, height]})" for width, height in shapes)


def fault_lines(faults) -> list[str]:
    """What cannot be used, and what to do about it."""
    if not faults:
        return ["unusable       0"]
    return [f"unusable       {len(faults)}: mend or remove them; training leaves them out",
            *(f"               {one.name}: {one.reason}" for one in faults)]
