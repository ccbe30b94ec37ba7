"""Tiny image files for the tests of captioned images."""

from __future__ import annotations

import io

from PIL import Image

from minidiff.data.reading.decode import decode
from minidiff.data.reading.find import find


def png(shade=0, size=(9, 8)):
    """The bytes of a PNG file of one colour."""
    return encoded(Image.new("RGB", size, (shade, 20, 30)), "PNG")


def encoded(image, file_format, **options):
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def write_files(folder, files):
    """Write {name: text, bytes, or the shade of a PNG}."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_bytes(content))
    return folder


def as_bytes(content):
    if isinstance(content, int):
        return png(content)
    return content.encode() if isinstance(content, str) else content


def found_in(path, **options):
    """(form, {name: (caption, shade of the image)}, {name: reason})"""
    form, items, problems = find(path, **options)
    assert [item.name for item in items] == sorted({item.name for item in items})
    return form, {item.name: (item.caption, shade(item)) for item in items}, dict(problems)


def shade(item):
    return decode(item.read()).getpixel((0, 0))[0]
