"""The options of commands that draw: `explain` draws what `generate` draws, and says the command that does it again."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
from explained_page import data_in
from PIL import Image
from tiny_pipeline import WORDS

from minidiff.cli import main, parser
from minidiff.cli.drawing import SAMPLING, opened, sampling, written
from minidiff.pipeline import Pipeline
from minidiff.storage.safetensors import save_file

OPTIONS = ["--seed", "5", "--steps", "2", "--guidance", "2.5", "--negative", "-a star", "--sampler", "euler",
           "--height", "20", "--width", "24"]
