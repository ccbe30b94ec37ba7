from __future__ import annotations

import numpy as np
import pytest

from minidiff.data.batches import evaluation_scenes
from minidiff.data.scene_captions import parse_caption
from minidiff.data.scenes import lay_out
from minidiff.errors import UserError
from minidiff.evaluation import judged
from minidiff.report.failures import failures


def drawn_for(caption, stated):
    scene = lay_out(np.random.default_rng(0), parse_caption(caption))
    return judged([parse_caption(stated)], [scene.image()])[0]


def test_an_explanation_says_what_was_asked_what_is_wrong_and_what_was_seen():
    one = drawn_for("a blue ring on a black background", "a red ring on a white background")
    assert one.explanation == "a red ring on a white background: wrong colour and background, saw blue ring on black"
    assert drawn_for("a red star left of a blue ring", "a red star right of a blue ring").explanation.startswith(
        "a red star right of a blue ring: wrong relation, saw ")
    empty = judged([parse_caption("a red ring")], [np.full((64, 64, 3), 128, np.uint8)])[0]
    assert empty.explanation.endswith("saw nothing on gray")


def test_a_sheet_of_failures_shows_the_wrong_images_only():
    right = judged(scenes := evaluation_scenes(5), [scene.image() for scene in scenes])
    wrong = [drawn_for("a blue ring", "a red ring"), drawn_for("a green ring", "a red ring")]
    sheet, alone = failures([*right, *wrong]), failures(wrong)
    assert sheet.tobytes() == alone.tobytes()
    colours = {colour for _, colour in sheet.getcolors(1 << 20)}
    assert {(45, 85, 205), (50, 160, 70)} <= colours
    assert sheet.width > failures([*right, *wrong], limit=1).width
    with pytest.raises(UserError, match="no image is wrong"):
        failures(right)
