"""minidiff generate: images from prompts."""

from __future__ import annotations

import re
import time
from pathlib import Path

from ..errors import UserError
from .options import (
    SHIPPED,
    add_device,
    add_tokenizer,
    check_image_name,
    check_writable,
    save_image,
    show,
    whole_number,
)

MOST_IMAGES = 1000  # in one call: all are kept for the grid


def add_to(commands) -> None:
    parser = commands.add_parser(
        "generate", help="draw images from prompts", description="Draw images from prompts. With more than one image, "
        "FILE is a labelled grid and the images themselves are FILE-1, FILE-2, ...")
    parser.add_argument("prompt", nargs="+", help="what to draw; an empty prompt draws unconditionally")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE",
                        help="image file to write (default: named after the first prompt)")
    parser.add_argument("--model", default=SHIPPED, help="the name of a shipped model, a folder, or a single "
                        f"file in Stable Diffusion's original layout (default: {SHIPPED})")
    parser.add_argument("--lora", type=file_and_scale, action="append", default=[], metavar="FILE[:SCALE]",
                        help="apply a LoRA with this scale (default: 1); may be repeated")
    add_tokenizer(parser)
    parser.add_argument("--prediction", choices=("epsilon", "v_prediction"),
                        help="what a single-file model predicts (default: what it says, or epsilon)")
    parser.add_argument("--seed", type=whole_number(0), default=0,
                        help="random seed; image j of a prompt uses SEED + j (default: 0)")
    parser.add_argument("--num", type=whole_number(1, MOST_IMAGES), default=1, help="images per prompt (default: 1)")
    parser.add_argument("--steps", type=whole_number(1), help="sampling steps (default: the model's)")
    parser.add_argument("--guidance", type=float,
                        help="how closely to follow the prompt; 1 or less means no guidance (default: the model's)")
    parser.add_argument("--negative", default="", metavar="TEXT", help="what the images should not show")
    parser.add_argument("--sampler", metavar="NAME",
                        help="such as ddim; an unknown name lists all (default: the model's)")
    parser.add_argument("--height", type=whole_number(1), help="in pixels (default: the model's)")
    parser.add_argument("--width", type=whole_number(1), help="in pixels (default: the model's)")
    parser.add_argument("--init-image", type=Path, metavar="FILE",
                        help="image to start from; what is transparent in it becomes white")
    parser.add_argument("--strength", type=float,
                        help="how much to change it, from 0 to 1 (default: 0.8, or 1 with a mask)")
    parser.add_argument("--mask", type=Path, metavar="FILE",
                        help="image that is white, or transparent, where the initial image is to be repainted")
    parser.add_argument("--show-steps", action="store_true",
                        help="show what the model sees after each step, in a terminal with colours")
    add_device(parser)
    parser.add_argument("--precision", choices=("float32", "tf32", "bf16"), default="float32",
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
    path = args.output or Path(file_name(args.prompt[0]))
    check_image_name(path)
    singles = [path.with_stem(f"{path.stem}-{i + 1}") for i in range(count)] if count > 1 else [path]
    for single in singles:
        check_writable(single)

    from ..backend import check_precision, product_precision, resolve_device
    from ..data.images import open_image, to_pillow

    device = resolve_device(args.device)
    check_precision(args.precision, device)

    init_image, mask = (file and open_image(file) for file in (args.init_image, args.mask))

    from ..pipeline import Pipeline
    from ..report.images import grid
    from .film import Film

    images = []
    with progress_bar(hidden=args.show_steps) as bar, product_precision(args.precision):
        pipe = Pipeline.from_pretrained(args.model, device, "float32", args.tokenizer, args.prediction)
        for file, scale in args.lora:
            pipe.load_lora(file, scale)
        film = Film(pipe) if args.show_steps else None
        for moment in pipe.stream(
                args.prompt, negative_prompt=args.negative, num_inference_steps=args.steps,
                guidance_scale=args.guidance, sampler=args.sampler, seed=args.seed, num_images_per_prompt=args.num,
                init_image=init_image, strength=args.strength, mask=mask, height=args.height, width=args.width):
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


def file_and_scale(text: str) -> tuple[Path, float]:
    """'style.safetensors:0.5' -> (Path('style.safetensors'), 0.5); without a scale, 1"""
    file, _, scale = text.rpartition(":")
    try:
        return (Path(file), float(scale)) if file else (Path(text), 1.0)
    except ValueError:  # the colon belongs to the file's name
        return Path(text), 1.0


def progress_bar(hidden: bool = False):
    """A bar with steps and time left, shown on a terminal if drawing takes more than a second."""
    from tqdm import tqdm

    return tqdm(desc="drawing", unit="step", delay=1, leave=False, disable=hidden or None)


def file_name(prompt: str) -> str:
    """'A red heart!' -> 'a-red-heart.png'; at most 80 letters and 200 bytes, so that a number has room, too"""
    words = re.sub(r"\W+", "-", prompt.lower()).strip("-")[:80]
    return (words.encode("utf-8", "ignore")[:200].decode("utf-8", "ignore").strip("-") or "image") + ".png"
