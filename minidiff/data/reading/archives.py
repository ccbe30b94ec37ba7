"""The files of a zip or tar archive, read where they lie: nothing is ever extracted to disk."""

from __future__ import annotations

import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ...errors import UserError
from .file_tree import TABLES, TEXTS, FileTree, read_part, suffix
from .seekable_gzip import SeekableGzip

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
NOT_READ = (".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".7z", ".rar")  # give no file without those before it
SMALL = 1 << 16  # bytes; a text up to this size is kept when the archive is listed
DAMAGED = (OSError, EOFError, ValueError, RuntimeError, struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile,
           tarfile.TarError)


def in_archive(path: Path) -> FileTree:
    """The files of an archive. Raises UserError if it cannot be read."""
    try:
        tree = _in_zip(path) if path.name.lower().endswith(".zip") else _in_tar(path)
    except DAMAGED as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise UserError(f"cannot read the archive {path} ({reason}): get it again, or unpack it and name the folder"
                        ) from error
    return _without_own_folder(tree, path)


def _in_zip(path):
    tree, archive = FileTree(), ZipReader(path)
    for info in archive.open().infolist():
        name = info.filename.replace("\\", "/")  # some programs of Windows write it so
        if info.flag_bits & 1:
            tree.refuse(name, "encrypted: unpack the archive and name the folder")
        elif stat.S_ISLNK(info.external_attr >> 16):
            tree.refuse(name, "a link in an archive, which is not followed")
        elif not info.is_dir():
            tree.add(name, info.file_size, partial(archive.read, info))
    return tree


class ZipReader:
    """Reads members of a zip file. A ZipFile serves all threads of one process: a forked process opens its own."""

    def __init__(self, path: Path):
        self.path, self._process = path, None

    def open(self) -> zipfile.ZipFile:
        if self._process != os.getpid():
            self._zip = zipfile.ZipFile(self.path)
            self._process = os.getpid()
        return self._zip

    def read(self, info: zipfile.ZipInfo) -> bytes:
        try:
            with self.open().open(info) as file:
                return file.read(info.file_size)  # no more, whatever the packed data unpack to
        except DAMAGED as error:
            raise UserError("truncated or damaged in its archive") from error


def _in_tar(path):
    tree = FileTree(samples=True)
    if _is_gzip(path):
        content = SeekableGzip(path)
        with tarfile.open(fileobj=content, mode="r|") as tar:
            _add_members(tree, tar, content.read_at)
        while content.read(1 << 16):  # to its end, where the checksum is
            pass
    else:
        with tarfile.open(path, "r:") as tar:
            _add_members(tree, tar, partial(read_part, path))
    return tree


def _add_members(tree, tar, read_at):
    for member in tar:
        if member.size < 0:  # would be read again and again
            raise tarfile.ReadError("a file of negative size")
        if member.isdir():
            continue
        if not member.isreg() or member.issparse():
            tree.refuse(member.name, "a link or special file in an archive, which is not read")
        elif suffix(member.name) in TABLES | TEXTS and member.size <= SMALL:
            tree.add(member.name, member.size, _kept(tar.extractfile(member).read()))
        else:
            tree.add(member.name, member.size, partial(read_at, member.offset_data, member.size))


def _is_gzip(path):
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _kept(data: bytes) -> Callable[[], bytes]:
    return lambda: data


def _without_own_folder(tree, path):
    """cats.zip that holds all its files in a folder cats/: that folder is not the name of a class."""
    folder = path.name.lower()
    for ending in ARCHIVES:
        folder = folder.removesuffix(ending)
    if tree.files and all("/" in name and name.split("/")[0].lower() == folder for name in tree.files):
        tree.files = {name.split("/", 1)[1]: read for name, read in tree.files.items()}
    return tree
