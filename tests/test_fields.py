"""A field's type says what it may hold, to Python, to files and to the command line alike."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest

from minidiff.errors import UserError
from minidiff.fields import Between, Checked, Decay, Fraction, Name, Widths, described, fits, parsed, read, shown


@dataclass(frozen=True)
class Inner(Checked):
    fraction: Fraction = 0.5
    flip: bool = False


@dataclass(frozen=True)
class Outer(Checked):
    widths: Widths = (8, 16)
    heads: int | tuple[int, ...] = 2
    kind: Literal["gelu", "silu"] = "gelu"
    betas: tuple[float, ...] | None = None
    name: Name = "a"
    inner: Inner = field(default_factory=Inner)


FITTING = [(int, 0), (int, -3), (float, 1), (float, 0.5), (bool, True), (str, ""), (int | None, None), (Decay, 0.999),
           (Fraction, 1), (Widths, (1, 16384)), (Literal["a", "b"], "b"), (tuple[bool, ...], ()), (Name, "x" * 60)]
NOT_FITTING = [(int, True), (int, 1.0), (int, "1"), (int, None), (float, "1"), (float, False), (float, math.nan),
               (float, math.inf), (float, 10**400), (bool, 1), (bool, "true"), (str, 1), (int | None, "x"), (Decay, 1),
               (Fraction, -0.1), (Widths, ()), (Widths, (0,)), (Widths, [8]), (Widths, (8,) * 9), (Widths, 8),
               (Literal["a", "b"], ["a"]), (Literal[1], True), (tuple[bool, ...], (1,)), (Name, ""), (Name, "x" * 61)]


@pytest.mark.parametrize("kind, value", FITTING)
def test_a_value_of_the_kind_fits(kind, value):
    assert fits(value, kind)


@pytest.mark.parametrize("kind, value", NOT_FITTING)
def test_a_value_of_another_kind_or_outside_the_range_does_not_fit(kind, value):
    assert not fits(value, kind)


@pytest.mark.parametrize("kind, words", [
    (int, "a whole number"), (Decay, "a number from 0 to less than 1"), (Name, "a text of a length from 1 to 60"),
    (Annotated[float, Between(1e-8, 0.5)], "a number from 1e-08 to 0.5"), (int | None, "a whole number or null"),
    (Widths, "a list of 1 to 8, each a whole number from 1 to 16384"), (Literal["a", "b"], "one of a, b"),
    (bool, "true or false"), (Inner, "an object")])
def test_a_kind_is_described_in_words(kind, words):
    assert described(kind) == words


@pytest.mark.parametrize("text, kind, value", [
    ("8", int, 8), ("1e-4", float, 1e-4), ("TRUE", bool, True), ("0", bool, False), ("8,16", Widths, (8, 16)),
    ("8", Widths, (8,)), ("gelu", Literal["gelu"], "gelu")])
def test_a_text_becomes_a_value_of_the_kind(text, kind, value):
    assert parsed(text, kind, "a") == value


@pytest.mark.parametrize("text, kind", [
    ("x", int), ("1.0", int), ("nan", float), ("2", bool), ("8,", Widths), ("", Widths), ("9" * 5000, int), ("", int)])
def test_a_text_of_another_kind_is_refused_with_what_is_right(text, kind):
    with pytest.raises(UserError, match=f"a is .*: use {described(kind)[:15]}"):
        parsed(text, kind, "a")


def test_files_are_read_into_dataclasses_in_dataclasses():
    values = {"widths": [4], "heads": [1, 2], "betas": [0.5], "inner": {"flip": True, "other": 1}, "unknown": [[]]}
    assert read(Outer(), json.loads(json.dumps(values)), "a.json") == Outer((4,), (1, 2), betas=(0.5,),
                                                                            inner=Inner(flip=True))


@pytest.mark.parametrize("values, message", [
    ({"widths": ["8"]}, "a.json: widths is ('8',): use a list of 1 to 8, each a whole number from 1 to 16384"),
    ({"inner": {"fraction": 2}}, "a.json: inner: fraction is 2: use a number from 0 to 1"),
    ({"inner": 3}, "a.json: inner is 3: use an object"),
    ({"kind": "relu"}, "a.json: kind is 'relu': use one of gelu, silu")])
def test_a_file_that_does_not_fit_is_named_with_the_field(values, message):
    with pytest.raises(UserError) as error:
        read(Outer(), values, "a.json")
    assert str(error.value) == message


def test_python_is_held_to_the_same_kinds():
    with pytest.raises(UserError, match="flip is 1: use true or false"):
        Inner(flip=1)


def test_a_value_is_shown_on_one_short_line():
    deep = []
    for _ in range(900):
        deep = [deep]
    for value in ("x\n" * 10**6, 10**4000, deep, [1] * 10**6, {"a" * 1000: {"b" * 1000: [2] * 1000}}):
        assert "\n" not in shown(value) and len(shown(value)) <= 160
