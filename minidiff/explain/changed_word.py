"""Two runs from the same noise whose prompts differ in one word: where they part, step by step and layer by layer."""

from __future__ import annotations

import numpy as np

from ..nn.transformer import Attention, TransformerBlock
from .images import packed, rounded, side_by_side
from .run import Run

SOURCES = (TransformerBlock, Attention)


def view(run: Run) -> dict:
    if not run.is_small:
        return {"missing": "too_large"}
    if run.other is None:
        return {"missing": "changed_none"}
    other = run.other
    stages = [name for name in run.steps[0].outputs if name != "unet"]
    cells = np.array([[apart(a.outputs[name], b.outputs[name]) for a, b in zip(run.steps, other.steps, strict=True)]
                      for name in stages])
    frames = [step.denoised for one in (run, other) for step in (one.steps[i] for i in run.shown)]
    here, there = np.split(run.decoded(frames), 2)
    return {
        "prompts": [run.prompt, other.prompt], "stages": [name.removeprefix("unet.") for name in stages],
        "cells": packed(cells), "jump": jump(cells), "steps": [i + 1 for i in run.shown],
        "films": [side_by_side(here), side_by_side(there)],
        "x": rounded([apart(a.after, b.after) for a, b in zip(run.steps, other.steps, strict=True)]),
    }


def jump(cells: np.ndarray) -> dict:
    """The largest difference, and that of the stage before in the same step."""
    stage, step = (int(i) for i in np.unravel_index(cells.argmax(), cells.shape))
    return rounded({"stage": stage, "step": step + 1, "after": cells[stage, step], "before": cells[stage - 1, step]})


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """‖a − b‖ / ‖a‖"""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.linalg.norm(a - b) / np.linalg.norm(a))
