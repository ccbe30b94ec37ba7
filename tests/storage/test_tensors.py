"""Tensors are read from their file without a copy where their bytes allow it."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_array_equal
from safetensors.numpy import load_file

from minidiff.storage.tensors import map_tensors, write_tensors


def test_bfloat16_is_the_upper_half_of_float32(tmp_path):
    exact = np.array([1.5, -2.0**100, 0.0], np.float32)
    header = b'{"a":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]}}'
    bits = (exact.view(np.uint32) >> 16).astype("<u2").tobytes()
    (tmp_path / "a").write_bytes(len(header).to_bytes(8, "little") + header + bits)
    assert_array_equal(map_tensors(tmp_path / "a")[0]["a"], exact)


def test_unaligned_tensors_are_read_right(tmp_path):
    header = (b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
              b'"b":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}}')
    expected = np.array([1, 2], "<f4")
    (tmp_path / "a").write_bytes(len(header).to_bytes(8, "little") + header + b"\1" + expected.tobytes())
    value = map_tensors(tmp_path / "a")[0]["b"]
    assert value.flags.aligned
    assert_array_equal(value, expected)


def test_what_is_written_needs_no_copy_when_read(tmp_path):
    write_tensors(tmp_path / "a", {"a": np.ones(3, "f2"), "b": np.ones(3, "f8"), "c": np.ones((), "f4")}, {})
    for value in map_tensors(tmp_path / "a")[0].values():
        assert value.flags.aligned and not value.flags.owndata
    assert load_file(tmp_path / "a")["c"].shape == ()
