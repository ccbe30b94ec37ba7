"""The work of matrix products, counted as they run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

from minidiff import backend


@contextmanager
def counted() -> Iterator[list[int]]:
    """Inside, the multiplications and additions of every matrix product are appended to the list.

    Products that `backend` itself makes, of sums over rows, are not counted: they replace additions only.
    """
    found, product = [], backend.matmul

    def matmul(a, b, out=None):
        y = product(a, b, out)
        found.append(2 * y.size * a.shape[-1])
        return y

    with ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            if (name.startswith("minidiff.") and not name.startswith("minidiff.backend")
                    and getattr(module, "matmul", None) is product):
                stack.enter_context(mock.patch.object(module, "matmul", matmul))
        yield found
