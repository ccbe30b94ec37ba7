from __future__ import annotations

from pathlib import Path

import pytest
from image_checks import read_pixels

from minidiff.cli import main


def test_data_preview_writes_a_grid():
    assert main(["data", "preview", "--count", "3", "--seed", "5", "-o", "look.png"]) == 0
    assert main(["data", "preview", "--count", "3", "--seed", "6"]) == 0
    look, other = read_pixels("look.png"), read_pixels("preview.png")
    assert look.shape[1] == 2 * (192 + 8) + 8
    assert (look[8:200, 8:200] != other[8:200, 8:200]).any()


@pytest.mark.parametrize("command", ["preview", "check"])
def test_an_empty_name_is_not_the_current_folder(command, capsys):
    assert main(["data", command, ""]) == 2
    assert "an empty name: give that of a file or folder" in capsys.readouterr().err
    assert not Path("preview.png").exists()
