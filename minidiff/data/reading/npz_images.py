"""Captioned images in one .npz file: uint8 arrays with captions, or with labels as MNIST and CIFAR have them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.lib.format import MAGIC_PREFIX

from ...errors import UserError
from .captions import of_class, one_line
from .found import Found, Item, Problem

IMAGES, LABELS, NAMES = ("images", "x", "x_train", "data"), ("labels", "y", "y_train"), ("class_names", "names")

LARGEST = 4_000_000_000  # bytes of an array: it is read into memory


def in_npz(path: Path, template: str) -> Found:
    """Raises UserError if the file has no images with captions or labels."""
    arrays = _load(path)
    images = arrays.get("images")
    if images is None:
        raise UserError(f"{path} has no images: name the array of images {' or '.join(IMAGES)}")
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or images.shape[3:] not in ((), (1,), (3,)) or (
            0 in images.shape[1:]):
        raise UserError(f"the images of {path} are {images.dtype} {images.shape}: store them as uint8 (N, H, W, 3) or "
                        "(N, H, W)")
    captions = _captions(path, arrays, template)
    if len(captions) != len(images):
        raise UserError(f"{path} has {len(images)} images, but {len(captions)} captions or labels: store one for each")
    width = len(str(len(images)))
    named = [(f"{index:0{width}}", caption) for index, caption in enumerate(captions)]
    items = [Item(name, caption, partial(_pixels, images, int(name))) for name, caption in named if caption]
    problems = [Problem(name, "its caption is empty") for name, caption in named if caption == ""]
    return Found("npz", items, problems + [Problem(name, "its label has no name") for name, c in named if c is None])


def _load(path):
    """The arrays that are needed: images, and captions or labels and names."""
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            wanted = {"images": IMAGES, "captions": ("captions",), "labels": LABELS, "names": NAMES}
            keys = {what: next((key for key in keys if key in file.files), None) for what, keys in wanted.items()}
            for key in filter(None, keys.values()):
                _check_entry(file, key)
            return {what: file[key] for what, key in keys.items() if key}
    except ValueError as error:
        if "Object arrays" in str(error):
            raise UserError(f"{path} has an array of Python objects, which is not opened, as it could run any code: "
                            "store texts with dtype=str and images with dtype=uint8") from error
        raise _unreadable(path, error) from error
    except Exception as error:  # on damaged files, the parsers of headers and archives raise nearly all there are
        raise _unreadable(path, error) from error


def _check_entry(file, key):
    """Raises ValueError for what would not fit into memory, or is no array; NumPy gives the bytes of other files."""
    entry = file.zip.getinfo(f"{key}.npy" if f"{key}.npy" in file.zip.namelist() else key)
    if entry.file_size > LARGEST:
        raise ValueError(f"{key} takes {entry.file_size / 1e9:.1f} GB, more than {LARGEST / 1e9:g}")
    with file.zip.open(entry) as opened:
        if opened.read(len(MAGIC_PREFIX)) != MAGIC_PREFIX:
            raise ValueError(f"{key} is no array")


def _captions(path, arrays, template):
    """The caption of each image; None for a label without a name."""
    if "captions" in arrays:
        return [one_line(text) for text in _texts(path, arrays["captions"])]
    labels = arrays.get("labels", np.empty((0, 0))).squeeze()
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise UserError(f"{path} has neither captions nor whole-number labels: add an array captions or labels")
    if "names" not in arrays:
        return [of_class(str(label), template) for label in labels]
    names = [of_class(name, template) for name in _texts(path, arrays["names"])]
    return [names[label] if 0 <= label < len(names) else None for label in labels]


def _texts(path, array):
    if array.ndim != 1 or array.dtype.kind not in "US":
        raise UserError(f"the captions or names of {path} are {array.dtype} {array.shape}: store them as texts (N,)")
    return [text.decode("utf-8", "replace") if isinstance(text, bytes) else text for text in array.tolist()]


def _pixels(images, index):
    image = images[index].reshape(*images.shape[1:3], -1)
    return np.broadcast_to(image, (*image.shape[:2], 3)).copy()


def _unreadable(path, error):
    return UserError(f"cannot read {path} ({' '.join(str(error).split())}): write it again with numpy.savez")
