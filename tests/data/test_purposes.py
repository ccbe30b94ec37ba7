"""Random streams: which purposes there are, that they differ, and that all streams of the package are among them."""

from __future__ import annotations

import ast

from source_tree import FILES, TREES

from minidiff.backend import random_stream
from minidiff.data.buckets import bucket_of
from minidiff.data.purposes import Purpose


def asked_for(name):
    """The purposes that a file of the package passes to `random_stream`, as they are written."""
    return {ast.unparse(call.args[1]) for call in ast.walk(TREES[name]) if isinstance(call, ast.Call)
            and ast.unparse(call.func) == "random_stream" and len(call.args) > 1}


def test_no_two_purposes_share_a_number_but_one_pair():
    shared = [name for name, purpose in Purpose.__members__.items() if name != purpose.name]
    assert shared == ["EMOJI"] and Purpose.EMOJI is Purpose.BUCKET


def test_what_is_drawn_for_the_bucket_of_emoji_changes_nothing():
    assert {bucket_of(seed, index, [30]) for seed in (0, 1) for index in range(100)} == {0}


def test_the_numbers_are_those_of_the_shipped_models():
    assert [*map(int, Purpose.__members__.values())] == [
        1, 2, 13, 3, 4, 5, 6, 6, 7, 8, 9, 10, 11, 12, 21, 22, 31, 32, 33, 34, 41]


def test_every_stream_with_a_purpose_is_in_the_table_and_all_of_the_table_are_drawn_from():
    found = {purpose for name in FILES if name != "backend/random.py" for purpose in asked_for(name)}
    assert found == {f"Purpose.{name}" for name in Purpose.__members__}


def test_seed_purpose_and_index_each_make_another_stream():
    numbers = [(3, 1, 0), (4, 1, 0), (3, 2, 0), (3, 1, 1), (3, 0, 1), (1, 3, 0), (2**63, 1, 0), (2**64 - 1, 1, 0)]
    assert len({random_stream(*each).random() for each in numbers}) == len(numbers)
    assert random_stream(3).random() == random_stream(3, 0, 0).random()


def test_a_stream_never_changes():
    drawn = random_stream(7, Purpose.UNET, 41_872).integers(1000, size=4)
    assert drawn.tolist() == [12, 837, 54, 544]
