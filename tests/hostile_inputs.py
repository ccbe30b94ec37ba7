"""What files and people may say where a number, a name or a list is expected, and what may then happen.

A UserError of one line, or a result; no other exception, no endless work, and nothing that is not finite.
"""

from __future__ import annotations

import json
import math
import os
import signal
import warnings
from contextlib import contextmanager

import numpy as np
import pytest

from minidiff.errors import UserError
from minidiff.pipeline import Pipeline
from minidiff.storage.pipeline_folder import load_clip

COUNT = int(os.environ.get("MINIDIFF_HOSTILE", "0"))  # inputs for each test instead of its own number
SECONDS = 10  # for one input; the slowest takes a tenth of that
DEEP = "<deep>"  # stands for lists in lists, deeper than Python can go
VALUES = [
    None, True, False, 0, 1, -1, 2, 3, 7, 64, 1000, 4096, 10**6, 2**31, 2**63, 10**30, 10**400, -(2**63), 0.0, -0.0,
    0.5, 1.0, 1.5, -0.5, 1e-8, 1e-300, 1e30, 1e308, -1e308, math.nan, math.inf, -math.inf, "", "1", "0.5", "true",
    "none", "nan", "x" * 100_000, "\n", "\0", "🙂é", "\ud800", "{}", "../../x", [], [0], [1], [-1], [8, 16], [16, 8],
    [1.5], ["1"], [True], [None], [math.nan], [[]], [[1], [2]], [1] * 10_000, ["a", "b"], {}, {"a": 1}, {"content": 1},
    [{}], DEEP]
TEXTS = ["", " ", "0", "1", "-1", "2", "3", "7", "0.5", "1.5", "1e-8", "1e308", "-1e308", "nan", "inf", "-inf", "true",
         "x", "1,2", "8,16", "16,8", "0,0", ",", "1,,2", "true,false", "9" * 400, "9" * 5000, "1_0", "٣", "\n", "\0",
         "🙂", "x" * 100_000, "{}", "[1]", "null", "../x", "%s", "1e9", "100000", "2147483648", "9223372036854775808"]


class TooLong(BaseException):
    """No code catches it."""


@contextmanager
def only_user_errors(what):
    """The block ends, or raises a UserError of one line, within a few seconds; `what` says which input it was."""
    def stop(*_):
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    except UserError as error:
        message = str(error)
        assert "\n" not in message and 10 < len(message) < 500, f"{what}: {message[:600]!r}"
    except TooLong:
        pytest.fail(f"{what} takes more than {SECONDS} seconds")
    except Exception as error:
        raise AssertionError(f"{what}: {type(error).__name__}") from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def places(content, path=()):
    """The paths of all values in a JSON object: ("text_config", "hidden_size"), ("block_out_channels", 0), ..."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for name, value in [*items][:40]:
        yield (*path, name)
        yield from places(value, (*path, name))


def with_value(content, path, value):
    """A copy of a JSON object with another value at a path."""
    copy = json.loads(json.dumps(content))
    *parents, last = path
    place = copy
    for name in parents:
        place = place[name]
    place[last] = value
    return copy


def as_text(content):
    return json.dumps(content).replace(f'"{DEEP}"', "[" * 100_000 + "]" * 100_000)


def draw(pipe, sampler=None):
    for moment in pipe.stream("a red heart", num_inference_steps=2, sampler=sampler):
        assert moment.name != "images" or np.isfinite(moment.value).all()


def load_and_draw(model, name):
    """What a file of a model's folder belongs to is used."""
    if name.startswith("clip"):
        load_clip(model)
    else:
        draw(Pipeline.from_pretrained(model))


def pick(rng, things):
    return things[rng.integers(len(things))]


def damaged(rng, data):
    """Bytes with a few changes of one kind: other bits, other bytes, a part gone, doubled, or moved."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        start, length = int(rng.integers(len(data) + 1)), int(2 ** rng.uniform(0, 8))
        kind = rng.integers(6)
        if kind == 0 and data:
            data[start % len(data)] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[start : start + length] = rng.bytes(length)
        elif kind == 2:
            del data[start : start + length]
        elif kind == 3:
            data[start:start] = data[start : start + length]
        elif kind == 4:
            data[start : start + length] = bytes(length)
        else:
            del data[start:]
    return bytes(data)
