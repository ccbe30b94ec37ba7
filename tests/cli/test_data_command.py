from __future__ import annotations

from image_checks import read_pixels

from minidiff.cli import main


def test_data_preview_writes_a_grid():
    assert main(["data", "preview", "--count", "3", "--seed", "5", "-o", "look.png"]) == 0
    assert main(["data", "preview", "--count", "3", "--seed", "6"]) == 0
    look, other = read_pixels("look.png"), read_pixels("preview.png")
    assert look.shape[1] == 2 * (192 + 8) + 8
    assert (look[8:200, 8:200] != other[8:200, 8:200]).any()
