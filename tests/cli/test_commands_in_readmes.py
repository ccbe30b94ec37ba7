"""Every command of minidiff that a README shows is one that its parser takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from source_tree import ROOT

from minidiff.cli import parser

TOP = Path(__file__).parents[2]
BLOCKS = [block for path in (*TOP.glob("*.md"), *TOP.glob("weights/*.md"), *ROOT.rglob("README.md"))
          for block in re.findall(r"```sh\n(.*?)```", path.read_text("utf-8"), re.DOTALL)]
COMMANDS = sorted({line for block in BLOCKS for line in re.findall(r"(?:^|&& )minidiff (.+)", block, re.MULTILINE)})


def test_there_are_commands():
    assert len(COMMANDS) > 20


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_in_a_readme_is_understood(line):
    parser().parse_args(shlex.split(line, comments=True))
