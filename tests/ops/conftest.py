"""What tests of single ops need: both ways in which an op is computed."""

from __future__ import annotations

import pytest

from minidiff.ops import fast, plain


@pytest.fixture(params=["plain", "with kernels"])
def plain_and_with_kernels(request):
    with plain() if request.param == "plain" else fast(False):
        yield
