"""Images in a grid, each with its caption below it."""

from __future__ import annotations

import time

import numpy as np
import pytest
from PIL import Image

from minidiff.report.images import grid, wrapped


def test_a_grid_shows_all_images_with_their_captions_inside_the_page():
    images = [Image.new("RGB", (30, 20), colour) for colour in ("red", "green", "blue")]
    page = np.asarray(grid(images, ["one", "two", "three " * 60], columns=2))
    for colour, place in (((255, 0, 0), (0, 0)), ((0, 128, 0), (0, 1)), ((0, 0, 255), (1, 0))):
        rows, columns = np.nonzero((page == colour).all(axis=2))
        assert len(rows) == 180 * 120
        assert (rows.min() > 100, columns.min() > 100) == place
    assert (page[:, -8:] == 255).all()
    assert (page[-4:] == 255).all()
    assert (page[130:140, 8:60] < 128).any()


def test_captions_are_wrapped_and_cut_to_their_width():
    class Mono:
        def getlength(self, text):
            return len(text)

    assert wrapped("a red heart above", Mono(), 7) == ["a red", "heart", "above"]
    assert wrapped("", Mono(), 7) == [""]
    assert wrapped("extraordinary", Mono(), 7) == ["extrao…"]
    assert wrapped("a b c d e f", Mono(), 1) == ["a", "b", "c", "…"]


@pytest.mark.parametrize("caption", ["word " * 250_000, "x" * 1_500_000, "1" * 2000, "e" + "\u0301" * 5000],
                         ids=["words", "letters", "one word", "combining"])
def test_a_long_caption_takes_no_time(caption):
    start = time.monotonic()
    assert grid([Image.new("RGB", (160, 160))] * 8, [caption] * 8).width < 1000
    assert time.monotonic() - start < 5
