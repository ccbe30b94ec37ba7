"""Four ways to give captions to image files, tried in this order; the first that fits is used for all images."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import NamedTuple

from ...errors import UserError
from .captions import caption_in, check_column, first_line, from_file_name, of_class, one_line, text_of
from .file_tree import CAPTIONS, OTHER_IMAGES, FileTree, suffix
from .found import NO_CAPTION, NO_STAMP, Found, Item, Problem
from .metadata import from_metadata, parsed

LONGEST_CAPTION = 100_000  # letters; text encoders read a hundred


class Form(NamedTuple):
    """`captions(tree, images, column, template)` gives {image: caption}, or None if the form does not fit."""

    name: str
    captions: Callable[[FileTree, list[str], str, str], dict[str, str] | None]
    missing: str  # what an image that is not among the captions lacks


def captioned(tree: FileTree, column: str, template: str) -> Found:
    """The images of a tree with their captions, in the first form that fits."""
    images = tree.images()
    for name in tree.files:
        if suffix(name) in OTHER_IMAGES:
            tree.refuse(name, "an image of a format that is not read: save it as PNG or JPEG")
    for form in FORMS:
        captions = form.captions(tree, images, column, template)
        if captions is not None:
            break
    for name, caption in captions.items():
        if len(caption) > LONGEST_CAPTION:
            tree.refuse(name, f"its caption has more than {LONGEST_CAPTION} letters")
    captions = {name: one_line(caption) for name, caption in captions.items() if len(caption) <= LONGEST_CAPTION}
    reported = {problem.name for problem in tree.problems}
    problems = [Problem(name, NO_CAPTION if name in captions else form.missing) for name in images
                if not captions.get(name) and name not in reported]
    items = [Item(name, captions[name], tree.files[name], tree.stamps.get(name, NO_STAMP)) for name in images
             if captions.get(name)]
    return Found(form.name, items, sorted(tree.problems + problems))


def from_text_files(tree: FileTree, images: list[str], column: str, template: str) -> dict[str, str] | None:
    """x.png and x.txt, of which the first line counts; among WebDataset's samples also x.json."""
    captions, objects, texts = {}, {}, text_files(tree, images)
    for name in images:
        try:
            if text := texts.get(stem(name)):
                captions[name] = first_line(text_of(tree.files[text]()))
            elif tree.samples and (read := tree.files.get(stem(name) + ".json")):
                objects[name] = parsed(text_of(read())) or {}
        except UserError as error:
            captions[name] = ""
            tree.refuse(name, f"the text file beside it: {error}")
    if objects:
        columns = {key: None for entries in objects.values() for key in entries}
        if not captions:
            check_column("the JSON file of each image", columns, column)
        for name, entries in objects.items():
            captions[name] = caption_in(entries.get(column), template)
    return captions or None


def text_files(tree: FileTree, images: list[str]) -> dict[str, str]:
    """The text files, by their names without ending. Those beside images that belong to no file become a problem."""
    texts = {stem(name): name for name in sorted(tree.files) if suffix(name) in CAPTIONS}
    others = {stem(name) for name in tree.files if suffix(name) not in CAPTIONS}
    folders = {posixpath.dirname(name) for name in images}
    unused = [texts[name] for name in texts if name not in others and posixpath.dirname(name) in folders]
    if unused:
        are = f"and {len(unused) - 1} more are" if len(unused) > 1 else "is"
        tree.refuse(unused[0], f"this text file {are} not used: give image and text the same name, cat.jpg and cat.txt")
    return texts


def from_class_folders(tree: FileTree, images: list[str], column: str, template: str) -> dict[str, str] | None:
    """fire_truck/x.png"""
    return {name: of_class(name.split("/")[-2], template) for name in images if "/" in name} or None


def from_file_names(tree: FileTree, images: list[str], column: str, template: str) -> dict[str, str]:
    """a-red-cat_01.png"""
    return {name: words for name in images if (words := from_file_name(stem(name)))}


def stem(name: str) -> str:
    return posixpath.splitext(name)[0]


FORMS = (
    Form("ImageFolder", from_metadata, "no row of the metadata names it"),
    Form("text files", from_text_files, "no text file beside it"),
    Form("class folders", from_class_folders, "not in the folder of a class"),
    Form("file names", from_file_names, "no words in its name"),
)
