"""minidiff generate: images from prompts."""

from __future__ import annotations

import re
import sys
import time
from itertools import count as numbers
from pathlib import Path
from typing import get_args

from ..errors import UserError
from ..fields import Precision
from .drawing import add_model, add_sampling, opened, sampling
from .options import check_image_name, check_writable, save_image, show, whole_number

MOST_IMAGES = 1000  # in one call: all are kept for the grid


def add_to(commands) -> None:
    parser = commands.add_parser(
        "generate", help="draw images from prompts", description="Draw images from prompts. With more than one image, "
        "FILE is a labelled grid and the images themselves are FILE-1, FILE-2, ...")
    parser.add_argument("prompt", nargs="+", help="what to draw; an empty prompt draws unconditionally; put -- before "
                        "one that begins with -")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE",
                        help="image file to write, even over another (default: named after the first prompt, "
                        "with a number if that file exists)")
    add_model(parser)
    add_sampling(parser)
    parser.add_argument("--num", type=whole_number(1, MOST_IMAGES), default=1, help="images per prompt (default: 1)")
    parser.add_argument("--init-image", type=Path, metavar="FILE",
                        help="image to start from; what is transparent in it becomes white. It is drawn at the model's "
                        "scale in its own shape or, where --height and --width have another, cut to its middle")
    parser.add_argument("--strength", type=float,
                        help="how much to change it, from 0 to 1 (default: 0.8, or 1 with a mask)")
    parser.add_argument("--mask", type=Path, metavar="FILE",
                        help="image that is white, or transparent, where the initial image is to be repainted")
    parser.add_argument("--show-steps", action="store_true",
                        help="show what the model sees after each step, in a terminal with colours")
    parser.add_argument("--precision", choices=get_args(Precision), default="float32",
                        help="to which a GPU rounds the factors of products (default: float32, as on a CPU)")
    parser.set_defaults(run=run)


def run(args) -> None:
    start = time.perf_counter()
    for name, needed in (("--strength", args.strength), ("--mask", args.mask)):
        if needed is not None and args.init_image is None:
            raise UserError(f"{name} needs an image to start from: give --init-image FILE")
    count = len(args.prompt) * args.num
    if count > MOST_IMAGES:
        raise UserError(f"{count} images: draw at most {MOST_IMAGES} at once, and more with another --seed")
    path = args.output or unused(Path(file_name(args.prompt[0])), count)
    check_image_name(path)
    singles = files_of(path, count)
    for single in singles:
        check_writable(single)
    for given in filter(None, (args.init_image, args.mask)):
        if any(one.exists() and given.exists() and one.samefile(given) for one in (path, *singles)):
            raise UserError(f"-o {path} would overwrite {given}: choose another name")

    from ..backend import check_precision, product_precision, resolve_device
    from ..data.images import open_image, to_pillow

    check_precision(args.precision, resolve_device(args.device))
    init_image, mask = (file and open_image(file) for file in (args.init_image, args.mask))

    from ..report.images import grid
    from .film import Film, has_colours

    images, filmed = [], args.show_steps and has_colours(sys.stdout)
    with progress_bar(hidden=filmed) as bar, product_precision(args.precision):
        pipe = opened(args)
        film = Film(pipe, sys.stdout) if filmed else None
        for moment in pipe.stream(args.prompt, seed=args.seed, num_images_per_prompt=args.num, init_image=init_image,
                                  strength=args.strength, mask=mask, **sampling(args)):
            bar.total, bar.n = moment.total, moment.done
            bar.update(0)
            if film:
                film.show(moment)
            if moment.name == "images":
                images += to_pillow(moment.value)
                for i in moment.rows:
                    save_image(images[i], singles[i])
    if count > 1:
        save_image(grid(images, [prompt for prompt in args.prompt for _ in range(args.num)]), path)
    others = f", {singles[0].name} to {singles[-1].name}" if count > 1 else ""
    show(f"{path}{others}  ({time.perf_counter() - start:.1f} s)")


def files_of(path: Path, count: int) -> list[Path]:
    """Where each image is written: at `path`, or beside it if that is a grid of several."""
    return [path.with_stem(f"{path.stem}-{i + 1}") for i in range(count)] if count > 1 else [path]


def unused(path: Path, count: int = 1) -> Path:
    """`path`, or the first of NAME-2, NAME-3, ... where no file of `count` images overwrites another."""
    for number in numbers(1):
        free = path.with_stem(f"{path.stem}-{number}") if number > 1 else path
        if not any(one.exists() for one in (free, *files_of(free, count))):
            return free


def progress_bar(hidden: bool = False):
    """A bar with steps and time left, shown on a terminal if drawing takes more than a second."""
    from tqdm import tqdm

    return tqdm(desc="drawing", unit="step", delay=1, leave=False, disable=hidden or None)


def file_name(prompt: str) -> str:
    """'A red heart!' -> 'a-red-heart.png'; at most 80 letters and 200 bytes, so that a number has room, too"""
    words = re.sub(r"\W+", "-", prompt.lower()).strip("-")[:80]
    return (words.encode("utf-8", "ignore")[:200].decode("utf-8", "ignore").strip("-") or "image") + ".png"
