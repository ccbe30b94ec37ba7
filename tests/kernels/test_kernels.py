"""Kernels give what their ops give, are used where they may be, and each is tested."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from op_cases import CASES
from op_subjects import SUBJECTS

from minidiff import ops
from minidiff.ops import fast, plain
from minidiff.ops.dispatch import kernel_for

OF_KERNELS = [subject for subject in SUBJECTS if subject.kernel]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("subject", OF_KERNELS, ids=str)
@settings(max_examples=5)
@given(data=st.data())
def test_a_kernel_gives_what_its_op_gives(subject, dtype, data):
    tolerance = 1e-12 if dtype == "float64" else 2e-5 if subject.kernel.fast else 2e-6
    _, arrays, rng = data.draw(subject.draws())
    arrays = [x.astype(dtype) if x.dtype.kind == "f" else x for x in arrays]
    dy = np.asarray(rng.standard_normal(subject(*arrays)[0].shape), dtype)
    with plain():
        expected = results(subject, arrays, dy)
    with subject.in_use():
        found = results(subject, arrays, dy)
    largest = max(np.abs(gradient).max() for gradient in expected[1:])
    for index, (one, other) in enumerate(zip(found, expected, strict=True)):
        assert one.dtype == other.dtype
        assert_allclose(one, other, rtol=0, atol=tolerance * max(np.abs(other).max(), largest if index else 0))


def results(subject, arrays, dy):
    y, backward = subject(*arrays)
    gradients = backward(dy)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    return [y, *(gradient for gradient in gradients if gradient is not None)]


def test_every_kernel_is_tested():
    tested = {subject.kernel.run for subject in OF_KERNELS}
    assert {kernel.run for case in CASES for kernels in case.op.kernels.values() for kernel in kernels} == tested
    assert len(tested) > 8


def takes(op, *shapes, **options):
    kernel = kernel_for(op, [np.zeros(shape, np.float32) for shape in shapes], options)
    return kernel and kernel.__name__


def test_fast_kernels_need_to_be_allowed_and_plain_has_none():
    convolution = ops.conv2d, (2, 16, 16, 4), (3, 3, 4, 4)
    assert takes(*convolution) == "conv2d"
    with fast():
        assert takes(*convolution) == "winograd_conv2d"
        with plain():
            assert takes(*convolution) is None
        with fast(False):
            assert takes(*convolution) == "conv2d"
        assert takes(*convolution, stride=2) == "conv2d"
        assert takes(*convolution, padding=((2, 0), (0, 2))) == "conv2d"
        assert takes(*convolution, padding=((3, 0), (0, 0))) is None
    assert takes(*convolution) == "conv2d"


def test_an_op_without_a_kernel_is_itself():
    assert takes(ops.softmax, (2, 3)) is None


def test_kernels_are_loaded_with_the_first_array():
    code = ("import sys, numpy as np; from minidiff import ops; import minidiff.nn.layers; "
            "before = 'minidiff.kernels' in sys.modules; ops.silu(np.zeros(2)); "
            "print(before, 'minidiff.kernels.cpu.activations' in sys.modules, 'minidiff.kernels.gpu' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "False"]
