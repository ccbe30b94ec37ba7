"""What the table of op_cases.py is run with: each op as it is written, and each of its kernels, in blocks of two sizes.

Of a kernel's file, BLOCK (how much it computes at once), constants LEAST_... (from how much on it pays) and THREADS (of
a GPU's block) are set. The kernels of a GPU run on the CPU, by host_kernels.py.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from unittest import mock

import pytest
from host_kernels import MISSING, on_the_host
from op_cases import CASES, Case

from minidiff.kernels import Kernel
from minidiff.ops import fast, plain
from minidiff.ops.dispatch import load_kernels

SMALL_BLOCK = 100
FEW_THREADS = 32  # so that each computes several elements, and a CPU has less to do
DEVICES = ("cpu", "gpu")


@dataclass(frozen=True, repr=False)
class Subject:
    """A case of the table, computed by the op itself or by one kernel."""

    case: Case
    kernel: Kernel | None = None
    device: str = "cpu"
    block: int | None = None

    def __repr__(self):
        blocks = "" if self.block is None else f" in blocks of {self.block}"
        name = f"{self.kernel.run.__name__} kernel of a {self.device}" if self.kernel else "plain"
        return f"{self.case}: {name}{blocks}"

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
        kernels = {"cpu": [self.kernel]}
        with ExitStack() as stack:
            if self.device == "gpu":
                if MISSING:
                    pytest.skip(MISSING)
                kernels["gpu"] = [self.kernel]
                stack.enter_context(on_the_host())
            stack.enter_context(mock.patch.dict(vars(self.file()), self.file_constants()))
            stack.enter_context(mock.patch.dict(self.op.kernels, kernels))
            stack.enter_context(fast())
            yield

    def file(self):
        return sys.modules[self.kernel.run.__module__]

    def file_constants(self):
        values = {name: 0 for name in vars(self.file()) if name.startswith("LEAST_")} | {
            "BLOCK": self.block, "THREADS": FEW_THREADS if self.device == "gpu" else None}
        return {name: value for name, value in values.items() if value is not None and hasattr(self.file(), name)}

    def takes_its_case(self):
        _, arrays, _ = self.draw(list(range(1, 13)), seed=0)
        with on_the_host(), mock.patch.dict(vars(self.file()), self.file_constants()):
            return self.kernel.when is None or self.kernel.when(*arrays, **self.options)


def subjects():
    for device in DEVICES:
        load_kernels(device)
    for case in CASES:
        yield Subject(case)
        for device in DEVICES:
            for kernel in case.op.kernels[device]:
                subject = Subject(case, kernel, device)
                if subject.takes_its_case():
                    yield subject
                    if hasattr(subject.file(), "BLOCK"):
                        yield Subject(case, kernel, device, SMALL_BLOCK)


SUBJECTS = list(subjects())
