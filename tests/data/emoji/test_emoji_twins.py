from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from emoji_folder import THINGS
from emoji_words import JUDGE, WORDS, is_out, words_of
from hypothesis import given
from hypothesis import strategies as st

from minidiff.data.emoji.held_out import never_counted
from minidiff.data.emoji.random_scenes import draw_scene
from minidiff.data.emoji.scenes import named
from minidiff.data.emoji.twins import draw_twin
from minidiff.data.emoji.vocabulary import KINDS
from minidiff.data.emoji.wording import NUMBERS
from minidiff.data.scenes import pick

seeds = st.integers(0, 2**32)


def pair(seed, kind, words=WORDS):
    rng = np.random.default_rng(seed)
    scene = named(rng, pick(rng, words.named.seen)) if kind == "named" else draw_scene(rng, words, kind)
    return scene, draw_twin(rng, scene, words)


@pytest.mark.parametrize("kind", ["coloured", "counted", "placed", "related"])
@given(seeds)
def test_no_image_fits_the_captions_of_both(kind, seed):
    scene, twin = pair(seed, kind)
    for shown, other in ((scene, twin), (twin, scene)):
        assert JUDGE.judge(shown, shown.image(64)).right
        assert not JUDGE.judge(other, shown.image(64)).right, (shown.caption, other.caption)


@pytest.mark.parametrize("kind", KINDS)
@given(seeds)
def test_a_twin_has_another_caption_of_nearly_the_same_words_and_none_held_out(kind, seed):
    scene, twin = pair(seed, kind)
    assert twin.kind == kind and not is_out(twin)
    if kind == "described":
        return
    assert twin.caption != scene.caption
    if scene.stickers[0].emoji not in [sticker.emoji for sticker in twin.stickers]:  # all others are held out
        assert sum(not never_counted(scene.stickers[0].emoji.name, number) for number in NUMBERS) == 1
        return
    own, other = (Counter(one.caption.replace("an ", "a ").split()) for one in (scene, twin))
    if kind == "related":
        assert own == other
    assert (own - other).total() <= {"coloured": 2, "counted": 1, "placed": 4, "related": 0}[kind]
    assert scene.named_background == twin.named_background


@given(seeds)
def test_the_twin_of_a_name_is_of_its_family_and_not_held_out(seed):
    scene, twin = pair(seed, "named")
    one, other = scene.stickers[0].emoji, twin.stickers[0].emoji
    assert other is not one or len(WORDS.family(one)) == 1
    assert other not in WORDS.named.held_out
    assert other in WORDS.family(one) or len(WORDS.family(one)) == 1
    if one.has_tone:
        assert other.name.partition(":")[0] == one.name.partition(":")[0]


@pytest.mark.parametrize("kind", ["named", *KINDS])
def test_a_held_out_scene_and_one_of_a_set_without_others_have_twins_too(kind):
    rng = np.random.default_rng(0)
    for words, split in ((WORDS, "held_out"), (words_of(THINGS[2:4]), "seen")):
        for _ in range(30):
            if kind == "named":
                scene = named(rng, pick(rng, words.named[split == "held_out"]))
            elif kind in words.kinds[split == "held_out"]:
                scene = draw_scene(rng, words, kind, split)
            assert draw_twin(rng, scene, words).caption
