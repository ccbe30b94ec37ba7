"""Where arrays live, and random numbers that do not depend on it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minidiff import backend
from minidiff.backend import devices
from minidiff.errors import UserError

needs_gpu = pytest.mark.skipif(not backend.gpu_available(), reason="needs CuPy and an NVIDIA GPU")


def test_numpy_arrays_belong_to_numpy():
    assert backend.array_module(np.zeros(2)) is np


def test_numpy_arrays_do_not_load_cupy():
    backend.matmul(np.ones((2, 3)), np.ones((3, 2)))
    backend.to_host(backend.to_device(np.zeros(2), "cpu"))
    assert backend.gpu_available() or "cupy" not in sys.modules


def test_matmul_broadcasts_leading_axes_and_writes_into_out():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 1, 2, 3)), rng.normal(size=(4, 3, 6))
    out = np.empty((5, 4, 2, 6))
    assert backend.matmul(a, b, out=out) is out
    assert_allclose(out, np.einsum("nzmk,ako->namo", a, b), rtol=1e-12, atol=1e-12)


def test_arrays_on_the_host_stay_themselves():
    x = np.zeros(3)
    assert backend.to_host(x) is x
    assert backend.to_device(x, "cpu") is x


def test_full_precision_widens_half_only():
    assert backend.full_precision(np.zeros(2, np.float16)).dtype == np.float32
    for dtype in (np.float32, np.float64):
        x = np.zeros(2, dtype)
        assert backend.full_precision(x) is x


@pytest.mark.parametrize(("gpu", "name", "device"), [
    (False, "auto", "cpu"), (False, "cpu", "cpu"),
    (True, "auto", "cuda"), (True, "cpu", "cpu"), (True, "cuda", "cuda")])
def test_device_is_resolved(monkeypatch, gpu, name, device):
    monkeypatch.setattr(devices, "gpu_available", lambda: gpu)
    assert backend.resolve_device(name) == device


@pytest.mark.parametrize(("name", "message"), [("cuda", "no GPU found"), ("tpu", "use auto, cpu or cuda")])
def test_device_that_is_not_there_is_refused(monkeypatch, name, message):
    monkeypatch.setattr(devices, "gpu_available", lambda: False)
    with pytest.raises(UserError, match=message):
        backend.resolve_device(name)


def test_a_broken_cupy_finds_no_gpu(monkeypatch, tmp_path):
    (tmp_path / "cupy.py").write_text("raise ImportError('libnvrtc.so.12: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    assert backend.resolve_device("auto") == "cpu"
    with pytest.raises(UserError, match="no GPU found: install"):
        backend.resolve_device("cuda")


def test_noise_of_a_seed_is_the_same_alone_and_in_a_batch():
    batch = backend.normal([5, 6, 7], (3, 4, 2))
    assert batch.dtype == np.float32
    assert_array_equal(batch[1:2], backend.normal([6], (3, 4, 2)))
    assert len(np.unique(batch)) == batch.size


def test_noise_of_a_seed_never_changes():
    assert_allclose(backend.normal([42], (3,)), [[0.181704745, -1.2426393, -0.551553]], rtol=1e-6, atol=0)


def test_every_number_of_a_stream_counts_whatever_its_type():
    def draw(*key):
        return backend.random_stream(*key).standard_normal(4)

    assert_array_equal(draw(*np.int64([5, 6, 7])), draw(5, 6, 7))
    assert len({draw(*key)[0] for key in ((5, 6, 7), (4, 6, 7), (5, 0, 7), (5, 6, 0))}) == 4


def test_noise_is_standard_normal():
    noise = backend.normal([0], (100_000,))
    assert abs(noise.mean()) < 0.015
    assert abs(noise.std() - 1) < 0.01


@needs_gpu
def test_noise_on_a_device_is_that_of_the_host():
    like = backend.to_device(np.zeros(1), "cuda")
    noise = backend.normal([3, 4], (5,), like)
    assert backend.array_module(noise) is backend.array_module(like)
    assert_array_equal(backend.to_host(noise), backend.normal([3, 4], (5,)))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
@pytest.mark.parametrize("kept", [False, True])
def test_memory_of_freed_arrays_is_kept_for_the_next(kept):
    code = f"""
import numpy as np
from minidiff.backend import keep_memory
def resident():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))
if {kept}:
    keep_memory()
before = resident()
np.ones(3_000_000)
print(resident() - before)
"""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=own)
    assert (int(done.stdout) > 20_000) == kept  # of 24,000 kB
