"""What the commands share: the parser, common options, and checks of files named on the command line."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from itertools import takewhile
from pathlib import Path

from ..errors import UserError, one_line, printable
from ..reading import LONGEST_NAME

SHIPPED = "scenes"
MOST_DIGITS = 100


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are UserErrors, so that they fit on one line."""

    def error(self, message):
        raise UserError(f"{one_line(message)} (see {self.prog} --help)")

    def exit(self, status=0, message=None):
        sys.stdout.flush()  # where `main` still sees that nobody reads it
        super().exit(status, message)

    def parse_known_args(self, args=None, namespace=None):
        args = sys.argv[1:] if args is None else [*args]
        if any("\0" in word for word in args):
            self.error("a word has the letter of number 0 in it: leave it out")
        for word in takewhile(lambda word: word != "--", args):
            if re.fullmatch(r"(--[\w.-]+=|-\w=?)--", word):  # of which argparse would make an empty list
                self.error(f"{word}: -- cannot be the value of an option; a file of that name is ./--")
        return super().parse_known_args(args, namespace)


def whole_number(minimum: int, most: int | None = None):
    """An option type: a whole number of at least `minimum` and at most `most`."""

    def read(text):
        if not text.isdecimal() or len(text) > MOST_DIGITS or not minimum <= int(text) <= (most or int(text)):
            upper = f" and at most {most}" if most else ""
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number of at least {minimum}{upper}")
        return int(text)

    return read


def add_tokenizer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tokenizer", type=Path, metavar="FOLDER",
                        help="tokenizer of a single-file model (default: next to the file)")


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda", help="device to use (default: auto)")


def as_words(flag: str, value: object) -> list[str]:
    """An option as words of a command: a value that begins with - would be taken for another option."""
    return [f"{flag}={value}"] if str(value).startswith("-") else [flag, str(value)]


def check_writable(path: Path) -> None:
    """Raises UserError if a file cannot be written, before the work that would be lost. Makes missing folders."""
    if "\0" in str(path) or len(os.fsencode(path.name)) > LONGEST_NAME:
        raise UserError(f"cannot write {path}: the name is too long, or no name; choose another")
    make_folder(path.parent)
    if path.is_dir():
        raise UserError(f"cannot write {path}: it is a folder; give a file name")
    if path.exists() and not path.is_file():
        raise UserError(f"cannot write {path}: it is a device or a pipe; give the name of a file")
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
    check_writable(path)
    if path.suffix.lower() == ".png":
        return
    from PIL import Image

    from ..data.reading.decode import FORMATS

    Image.init()
    kind = Image.registered_extensions().get(path.suffix.lower())
    fault = f"{path.suffix} is not an image format" if path.suffix else "the name has no extension"
    try:
        if kind not in FORMATS:
            raise UserError(f"cannot write {path}: {fault} that can be written; use .png")
        Image.new("RGB", (16, 16)).save(io.BytesIO(), kind)  # some are known and not installed
    except (OSError, KeyError) as error:
        raise UserError(f"cannot write {path}: {fault} that can be written here; use .png") from error


def save_image(image, path: Path) -> None:
    """Write a Pillow image in the format of its name; what was there stays whole until it is complete."""
    from ..writing import new_file

    with new_file(path) as temporary:
        try:
            image.save(temporary)
        except (ValueError, SystemError) as error:  # such as a WebP of more than 16383 pixels
            raise UserError(f"cannot write {path}: {error}; use .png") from error


def bar(found: Iterable, total: int, what: str) -> Iterable:
    """The same images, with a progress bar that says what is done to them."""
    from tqdm import tqdm

    return tqdm(found, what, total, unit="image", leave=False, disable=None)


reading, judging, drawing = (partial(bar, what=what) for what in ("reading", "judging", "drawing"))


def show(*lines: str) -> None:
    """Lines on standard output, in which texts out of files cannot steer a terminal."""
    print("\n".join(printable(line) for line in lines))


def say(what: str, message: object) -> None:
    """One line on standard error."""
    with suppress(OSError):
        print(f"minidiff: {what}: {one_line(message)}", file=sys.stderr)
