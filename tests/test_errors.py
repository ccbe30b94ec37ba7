"""A message is one printable line of bounded length, whatever it repeats."""

from __future__ import annotations

import pytest

from minidiff.errors import UserError


@pytest.mark.parametrize("letter", ["a", "\0", "\u200b", "\U000e0001"])
def test_the_middle_of_a_long_message_is_left_out(letter):
    message = str(UserError(f"cannot read {letter * 2000}: choose another file"))
    assert 470 < len(message) <= 480 and message.isprintable()
    assert message.startswith("cannot read ") and message.endswith(": choose another file") and " ... " in message


@pytest.mark.parametrize(("message", "line"), [
    ("a\tb\r\n c", "a b c"), ("\x1b[2J", r"\x1b[2J"), ("x" * 480, "x" * 480)])
def test_a_message_is_one_printable_line(message, line):
    assert str(UserError(message)) == line
