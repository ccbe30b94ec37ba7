"""What the commands share: the parser, common options, and checks of files named on the command line."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from ..errors import UserError

SHIPPED = "scenes"


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are UserErrors, so that they fit on one line."""

    def error(self, message):
        raise UserError(f"{message} (see {self.prog} --help)")


def whole_number(minimum: int):
    """An option type: a whole number of at least `minimum`."""

    def read(text):
        if not text.isdecimal() or int(text) < minimum:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {minimum}")
        return int(text)

    return read


def add_tokenizer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tokenizer", type=Path, metavar="FOLDER",
                        help="tokenizer of a single-file model (default: next to the file)")


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda", help="device to use (default: auto)")


def check_writable(path: Path) -> None:
    """Raises UserError if a file cannot be written, before the work that would be lost. Makes missing folders."""
    if path.is_dir():
        raise UserError(f"cannot write {path}: it is a folder; give a file name")
    make_folder(path.parent)
    if path.exists() and not os.access(path, os.W_OK):
        raise UserError(f"cannot write {path}: it is write-protected; choose another name")


def make_folder(folder: Path) -> None:
    """Make a folder. Raises UserError if it cannot be made or written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"cannot write into {folder}: {error.strerror}; choose another place") from None


def check_image_name(path: Path) -> None:
    """Raises UserError if an image cannot be written under this name."""
    from PIL import Image

    check_writable(path)
    if path.suffix.lower() != ".png" and path.suffix.lower() not in Image.registered_extensions():
        fault = f"{path.suffix} is not an image format" if path.suffix else "the name has no extension"
        raise UserError(f"cannot write {path}: {fault}; use .png")


def open_image(path: Path):
    """An image, rotated upright. Raises UserError if the file cannot be read as one."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', None) or 'not an image'}; "
                        "give an image file, such as .png or .jpg") from None


def judging(found, total: int):
    """The same images as they are judged, with a progress bar."""
    from tqdm import tqdm

    return tqdm(found, "judging", total, unit="image", leave=False, disable=None)


def drawing(found, total: int):
    """The same images as they are drawn, with a progress bar."""
    from tqdm import tqdm

    return tqdm(found, "drawing", total, unit="image", leave=False, disable=None)


def say(what: str, message: object) -> None:
    """One line on standard error."""
    print(f"minidiff: {what}: {' '.join(str(message).split())}", file=sys.stderr)
