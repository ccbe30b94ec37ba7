"""What the table of op_cases.py is run with: each op as it is written, and each of its kernels, in blocks of two sizes.

Of a kernel's file, BLOCK (how much it computes at once) and constants LEAST_... (from how much on it pays) are set.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

from op_cases import CASES, Case

from minidiff.kernels import Kernel
from minidiff.ops import fast, plain
from minidiff.ops.dispatch import load_kernels

SMALL_BLOCK = 100


@dataclass(frozen=True, repr=False)
class Subject:
    """A case of the table, computed by the op itself or by one kernel."""

    case: Case
    kernel: Kernel | None = None
    block: int | None = None

    def __repr__(self):
        blocks = "" if self.block is None else f" in blocks of {self.block}"
        return f"{self.case}: {self.kernel.run.__name__ + ' kernel' if self.kernel else 'plain'}{blocks}"

    def __getattr__(self, name):
        return getattr(self.case, name)

    def __call__(self, *arrays):
        return self.case(*arrays)

    @contextmanager
    def in_use(self):
        """Inside, calls of the op are computed by this kernel alone, or by no kernel."""
        if self.kernel is None:
            with plain():
                yield
            return
        file = sys.modules[self.kernel.run.__module__]
        constants = {name: 0 for name in vars(file) if name.startswith("LEAST_")}
        if self.block is not None:
            constants["BLOCK"] = self.block
        with mock.patch.dict(vars(file), constants), fast(), mock.patch.dict(self.op.kernels, cpu=[self.kernel]):
            yield


def kernels_of(case):
    """The kernels that take this case where they may."""
    _, arrays, _ = case.draw(list(range(1, 13)), seed=0)
    for kernel in case.op.kernels["cpu"]:
        with Subject(case, kernel).in_use():
            if kernel.when is None or kernel.when(*arrays, **case.options):
                yield kernel


def subjects():
    load_kernels("cpu")
    for case in CASES:
        yield Subject(case)
        for kernel in kernels_of(case):
            yield Subject(case, kernel)
            if hasattr(sys.modules[kernel.run.__module__], "BLOCK"):
                yield Subject(case, kernel, SMALL_BLOCK)


SUBJECTS = list(subjects())
