"""What the commands share: the parser, options of the same meaning, and files named on the command line."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from ..errors import UserError

SHIPPED = "scenes"


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one line, like all others."""

    def error(self, message):
        raise UserError(f"{message} (see {self.prog} --help)")


def whole_number(least: int):
    """A type of option: a whole number from `least` on."""

    def read(text):
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} on")
        return int(text)

    return read


def add_tokenizer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tokenizer", type=Path, metavar="FOLDER", help="of a model in one file (beside it)")


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda", help="where to compute (default: auto)")


def check_writable(path: Path) -> None:
    """Raises UserError where a file cannot be written, before the work that would be lost. Makes missing folders."""
    if path.is_dir():
        raise UserError(f"cannot write {path}: it is a folder; give the name of a file")
    make_folder(path.parent)
    if path.exists() and not os.access(path, os.W_OK):
        raise UserError(f"cannot write {path}: it is write-protected; choose another name")


def make_folder(folder: Path) -> None:
    """Raises UserError where a folder cannot be made, or nothing can be written into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"cannot write into {folder}: {error.strerror}; choose another place") from None


def check_image_name(path: Path) -> None:
    """Raises UserError where an image cannot be written under this name."""
    from PIL import Image

    check_writable(path)
    if path.suffix.lower() != ".png" and path.suffix.lower() not in Image.registered_extensions():
        raise UserError(f"cannot write {path}: {path.suffix or 'no ending'} is no kind of image; use .png")


def open_image(path: Path):
    """An image, turned upright. Raises UserError where the file is none."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', None) or 'no image that can be opened'}"
                        ) from None


def judging(found, total: int):
    """The images that are judged as they come, with a progress bar."""
    from tqdm import tqdm

    return tqdm(found, "judging", total, unit="image", leave=False, disable=None)


def say(what: str, message: object) -> None:
    """One line on standard error."""
    print(f"minidiff: {what}: {' '.join(str(message).split())}", file=sys.stderr)
