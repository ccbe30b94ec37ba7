"""Captioned images in the forms people have them in, found without decoding any.

- image files: with a Hugging Face `metadata.jsonl` or `metadata.csv`; with a text file beside each; in folders named
  like their class; or with names that say what they show (`forms.py`)
- such files in a zip or tar archive, also WebDataset's, or in several (`archives.py`)
- arrays in an .npz file (`npz_images.py`), or rows of Parquet files (`parquet_images.py`)
"""

from __future__ import annotations

import glob
import stat
from pathlib import Path

from ...errors import UserError
from .archives import ARCHIVES, NOT_READ, in_archive
from .captions import check_template
from .file_tree import FileTree, in_folder, suffix
from .forms import captioned
from .found import Found, Problem, stamp_of
from .npz_images import in_npz
from .parquet_images import in_parquet

CONTAINERS = (*ARCHIVES, ".npz", ".parquet")


def find(path: Path, caption_column: str = "text", caption_template: str = "a {}") -> Found:
    """The captioned images at a path: a folder, an archive, an .npz or Parquet file, or a pattern of several files.

    `caption_column` is the column of a table that has the captions; `caption_template` makes a caption from the name of
    a class, which takes the place of {}. Raises UserError if it has no {}, or if there are no images.
    """
    check_template(caption_template)
    kind = _kind(path)
    if kind is None:
        paths = [Path(name) for name in sorted(glob.glob(str(path))) if _is_container(name)]
        if not paths:
            raise UserError(f"there is no {path}: name a folder of images, or a {', '.join(CONTAINERS)} file")
        return _in_several(path.parent, paths, caption_column, caption_template)
    if kind == stat.S_IFREG:
        return _in_container(path, caption_column, caption_template)
    if kind != stat.S_IFDIR:
        raise UserError(f"{path} is neither a file nor a folder: name a folder of images or an archive")
    tree = in_folder(path)
    containers = [name for name in sorted(tree.files) if _is_container(name)]
    if containers and not tree.images():
        return _in_several(path, [path / name for name in containers], caption_column, caption_template)
    for name in containers:
        tree.refuse(name, "not read, as the folder also has image files: name it instead of the folder")
    return _in_tree(path, tree, caption_column, caption_template)


def _kind(path):
    """The kind of file, as in stat.S_IFREG; None if there is none."""
    try:
        return stat.S_IFMT(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path} ({getattr(error, 'strerror', error)}): name a folder of images") from error


def _is_container(name):
    return name.lower().endswith((*CONTAINERS, *NOT_READ))


def _in_container(path, column, template):
    found = _in_one(path, column, template)
    stamp = stamp_of(path.stat())
    return found._replace(items=[item._replace(stamp=stamp) for item in found.items])


def _in_one(path, column, template):
    name = path.name.lower()
    if name.endswith(".npz"):
        return in_npz(path, template)
    if name.endswith(".parquet"):
        return in_parquet(path, column, template)
    if name.endswith(NOT_READ):
        raise UserError(f"{path} is packed in a way that is not read: unpack it and name the folder, or pack it as "
                        f"{', '.join(ARCHIVES)}")
    if not name.endswith(ARCHIVES):
        raise UserError(f"{path} is not one of {', '.join(CONTAINERS)}: name a folder of images or one of these")
    found = _in_tree(path, in_archive(path), column, template)
    if found.form == "text files" and not name.endswith(".zip"):
        return found._replace(form="WebDataset")
    return found._replace(form=f"{found.form} in an archive")


def _in_tree(path, tree: FileTree, column, template):
    if not tree.images():
        others = sorted({suffix(name) or name for name in tree.files})[:5]
        what = f"only {', '.join(others)}" if others else "it is empty"
        raise UserError(f"no images in {path} ({what}): put .png or .jpg files with captions there")
    return captioned(tree, column, template)


def _in_several(root, paths, column, template):
    """All that several files have; one that cannot be read is a problem, unless none can."""
    forms, items, problems, errors = [], [], [], []
    for path in paths:
        name = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
        try:
            found = _in_container(path, column, template)
        except UserError as error:
            errors.append(error)
            problems.append(Problem(name, str(error)))
            continue
        forms += [found.form] if found.form not in forms else []
        items += [item._replace(name=f"{name}/{item.name}") for item in found.items]
        problems += [Problem(f"{name}/{problem.name}", problem.reason) for problem in found.problems]
    if len(errors) == len(paths):
        raise errors[0]
    return Found(" and ".join(forms), sorted(items, key=lambda item: item.name), sorted(problems))
