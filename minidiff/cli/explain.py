"""minidiff explain: a page that shows how one image came about."""

from __future__ import annotations

import time
from pathlib import Path

from .options import SHIPPED, add_device, add_tokenizer, check_writable, whole_number


def add_to(commands) -> None:
    parser = commands.add_parser(
        "explain", help="show how an image comes about", description="Draw a prompt, and write a page that shows how: "
        "words, noise, each step, guidance, attention, the network, training. It is one HTML file, for any browser.")
    parser.add_argument("prompt", help="what to draw")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE",
                        help="HTML file to write (default: named after the prompt)")
    parser.add_argument("--model", default=SHIPPED,
                        help=f"the name of a shipped model, a folder, or a single file (default: {SHIPPED})")
    add_tokenizer(parser)
    parser.add_argument("--seed", type=whole_number(0), default=0, help="random seed (default: 0)")
    parser.add_argument("--run", type=Path, dest="folder", metavar="FOLDER",
                        help="a training run whose losses and samples to show")
    add_device(parser)
    parser.set_defaults(run=run)


def run(args) -> None:
    from .generate import file_name

    start = time.perf_counter()
    path = args.output or Path(file_name(args.prompt)).with_suffix(".html")
    check_writable(path)

    from tqdm import tqdm

    from ..explain.page import VIEWS, explain, write_page
    from ..pipeline import Pipeline

    pipe = Pipeline.from_pretrained(args.model, args.device, "float32", args.tokenizer)
    with tqdm(desc="explaining", total=len(VIEWS), unit="view", leave=False, disable=None) as bar:
        for name, text in explain(pipe, args.model, args.prompt, args.seed, args.folder):
            if name == "page":
                write_page(text, path)
            bar.update()
    print(f"{path}  ({path.stat().st_size / 1e6:.1f} MB, {time.perf_counter() - start:.1f} s)")
