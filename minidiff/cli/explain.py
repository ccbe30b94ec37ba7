"""minidiff explain: a page that shows how one image came about."""

from __future__ import annotations

import time
from pathlib import Path

from ..errors import UserError
from .drawing import add_model, add_sampling, opened, sampling, written
from .options import check_writable


def add_to(commands) -> None:
    parser = commands.add_parser(
        "explain", help="show how an image comes about", description="Draw a prompt, and write a page that shows how: "
        "words, noise, each step, guidance, attention, the network, training. It is one HTML file, for any browser.")
    parser.add_argument("prompt", help="what to draw; put -- before one that begins with -")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE",
                        help="HTML file to write, even over another (default: named after the prompt, with a number "
                        "if that file exists)")
    add_model(parser)
    add_sampling(parser)
    parser.add_argument("--run", type=Path, dest="folder", metavar="FOLDER",
                        help="the training run, to show how the model learned (default: that which it is in)")
    parser.set_defaults(run=run)


def run(args) -> None:
    from .generate import file_name, unused

    start = time.perf_counter()
    path = args.output or unused(Path(file_name(args.prompt)).with_suffix(".html"))
    check_writable(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"cannot write {path}: a page is HTML; use .html")

    from tqdm import tqdm

    from ..explain.page import VIEWS, explain, write_page
    from ..explain.run import About

    folder = args.folder or learned_in(args)
    about = About(args.model, written("explain", args, ("--run", args.folder)), folder and folder.resolve())
    with tqdm(desc="explaining", total=len(VIEWS), unit="view", leave=False, disable=None) as bar:
        for name, text in explain(opened(args), args.prompt, args.seed, sampling(args), about):
            if name == "page":
                write_page(text, path)
            bar.update()
    print(f"{path}  ({path.stat().st_size / 1e6:.1f} MB, {time.perf_counter() - start:.1f} s)")


def learned_in(args) -> Path | None:
    """The folder of the training run that has written a LoRA or, with none, the folder with the model's settings."""
    from ..training.run_folder import SETTINGS_FILE, folder_of

    loras = (lora if lora.is_dir() else lora.parent for lora, _ in reversed(args.lora))
    return next((folder for folder in loras if (folder / SETTINGS_FILE).is_file()), folder_of(args.model))
