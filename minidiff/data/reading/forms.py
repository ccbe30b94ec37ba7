"""Four ways to give captions to image files, tried in this order; the first that fits is used for all images."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import NamedTuple

from ...errors import UserError
from .captions import check_column, first_line, from_file_name, of_class, one_line, text_of
from .file_tree import FileTree
from .found import NO_STAMP, Found, Item, Problem
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
    for form in FORMS:
        captions = form.captions(tree, images, column, template)
        if captions is not None:
            break
    for name, caption in captions.items():
        if len(caption) > LONGEST_CAPTION:
            tree.refuse(name, f"its caption has more than {LONGEST_CAPTION} letters")
    captions = {name: one_line(caption) for name, caption in captions.items() if len(caption) <= LONGEST_CAPTION}
    reported = {problem.name for problem in tree.problems}
    problems = [Problem(name, "its caption is empty" if name in captions else form.missing) for name in images
                if not captions.get(name) and name not in reported]
    items = [Item(name, captions[name], tree.files[name], tree.stamps.get(name, NO_STAMP)) for name in images
             if captions.get(name)]
    return Found(form.name, items, sorted(tree.problems + problems))


def from_text_files(tree: FileTree, images: list[str], column: str, template: str) -> dict[str, str] | None:
    """x.png and x.txt, of which the first line counts; among WebDataset's samples also x.json."""
    captions, objects = {}, {}
    for name in images:
        stem = posixpath.splitext(name)[0]
        try:
            if read := tree.files.get(stem + ".txt"):
                captions[name] = first_line(text_of(read()))
            elif tree.samples and (read := tree.files.get(stem + ".json")):
                objects[name] = parsed(text_of(read())) or {}
        except UserError as error:
            captions[name] = ""
            tree.refuse(name, f"the text file beside it: {error}")
    if objects:
        columns = {key: None for entries in objects.values() for key in entries}
        if not captions:
            check_column("the JSON file of each image", columns, column)
        for name, entries in objects.items():
            caption = entries.get(column)
            captions[name] = caption if isinstance(caption, str) else ""
    return captions or None


def from_class_folders(tree: FileTree, images: list[str], column: str, template: str) -> dict[str, str] | None:
    """fire_truck/x.png"""
    return {name: of_class(name.split("/")[-2], template) for name in images if "/" in name} or None


def from_file_names(tree: FileTree, images: list[str], column: str, template: str) -> dict[str, str]:
    """a-red-cat_01.png"""
    return {name: words for name in images if (words := from_file_name(posixpath.splitext(name)[0]))}


FORMS = (
    Form("ImageFolder", from_metadata, "no row of the metadata names it"),
    Form("text files", from_text_files, "no text file beside it"),
    Form("class folders", from_class_folders, "not in the folder of a class"),
    Form("file names", from_file_names, "no words in its name"),
)
