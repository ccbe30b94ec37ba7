"""`minidiff generate --show-steps`: the film in a terminal, and nothing elsewhere."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from itertools import groupby

import numpy as np
import pytest
from image_checks import read_pixels
from PIL import Image
from run_python import ENVIRONMENT
from tiny_pipeline import SIDE, WORDS, tiny_pipeline

from minidiff.cli import generate, main
from minidiff.cli.film import Film, half_blocks, has_colours

BLOCK = re.compile(r"\x1b\[38;2;(\d+);(\d+);(\d+)m\x1b\[48;2;(\d+);(\d+);(\d+)m▀")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self):
        return True


def read_back(lines):
    """The pixels that a terminal would show."""
    colours = np.array([[list(map(int, block)) for block in BLOCK.findall(line)] for line in lines])
    return colours.reshape(len(lines), -1, 2, 3).swapaxes(1, 2).reshape(2 * len(lines), -1, 3)


def test_half_blocks_show_every_pixel(rng):
    pixels = rng.integers(0, 256, (6, 9, 3), dtype=np.uint8)
    np.testing.assert_array_equal(read_back(half_blocks(Image.fromarray(pixels), 80, 24)), pixels)


@pytest.mark.parametrize(("size", "columns", "rows", "shown"), [
    ((64, 64), 80, 24, (42, 42)), ((64, 64), 30, 80, (30, 30)), ((96, 48), 200, 200, (32, 64)),
    ((3, 3), 80, 24, (4, 3)), ((64, 64), 1, 1, (2, 1))])
def test_large_images_are_made_to_fit(size, columns, rows, shown):
    assert read_back(half_blocks(Image.new("RGB", size, "red"), columns, rows)).shape == (*shown, 3)


@pytest.fixture
def colours(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_each_step_is_drawn_over_the_one_before_and_the_last_is_the_image(colours):
    pipe, terminal, steps = tiny_pipeline(), Terminal(), 0
    film = Film(pipe, terminal)
    for moment in pipe.stream(WORDS, seed=4):
        film.show(moment)
        steps += moment.name == "sampling"
        if moment.name == "images":
            image = moment.value[0]
    lines = terminal.getvalue().split("\n")[:-1]
    assert len(lines) == (steps + 1) * SIDE // 2
    assert terminal.getvalue().count(f"\x1b[{SIDE // 2}A") == steps
    last = read_back(lines[-SIDE // 2:])
    assert np.abs(last - (image + 1) * 127.5).max() <= 0.51


@pytest.mark.parametrize(("name", "value"), [("TERM", "dumb"), ("NO_COLOR", "1")])
def test_nothing_is_shown_where_there_are_no_colours(colours, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert not has_colours(Terminal())


def test_without_a_terminal_there_is_no_film_and_the_bar_is_not_hidden(model, capsys, monkeypatch):
    asked, progress_bar = [], generate.progress_bar
    monkeypatch.setattr(generate, "progress_bar", lambda hidden: asked.append(hidden) or progress_bar(hidden))
    assert main(["generate", WORDS[0], "--model", str(model), "--show-steps", "-o", "a.png"]) == 0
    assert capsys.readouterr().out.startswith("a.png  (")
    assert asked == [False]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_the_command_shows_its_steps_in_a_terminal(model, folder):
    import pty

    mine, its = pty.openpty()
    environment = {key: value for key, value in ENVIRONMENT.items() if key != "NO_COLOR"} | {
        "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", "COLUMNS": "80", "LINES": "40"}
    process = subprocess.Popen([sys.executable, "-m", "minidiff", "generate", WORDS[0], "--model", str(model),
                                "--show-steps", "-o", "a.png"], stdout=its, stderr=its, env=environment)
    os.close(its)
    written = bytearray()
    try:
        while part := os.read(mine, 1 << 16):
            written += part
    except OSError:  # the terminal is gone with the process
        pass
    assert process.wait() == 0
    blocks = [bool(BLOCK.search(line)) for line in written.decode().splitlines()]
    assert [(shown, len([*group])) for shown, group in groupby(blocks)] == [(True, 4 * SIDE // 2), (False, 1)]
    shown = read_back(written.decode().splitlines()[3 * SIDE // 2: 4 * SIDE // 2])
    assert np.abs(shown - read_pixels("a.png")).max() == 0
