"""CUDA kernels on the CPU: minidiff/kernels/gpu, compiled by g++ with cuda_on_cpu/, called with NumPy arrays.

Those that call cuDNN are called with host_cudnn.py in its place.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
from host_cudnn import host_cudnn

from minidiff.backend import cudnn
from minidiff.kernels.gpu import launch
from minidiff.kernels.gpu.launch import address

HEADERS = Path(__file__).with_name("cuda_on_cpu")
MISSING = "" if sys.platform == "linux" and shutil.which("g++") else "needs g++ on Linux"
ENTRY = """
static void start_{name}(void **a) {{ cpu::call({name}, a, cpu::sequence_of({name})); }}
extern "C" void launch_{name}(void **a, const int *grid, const int *block) {{
    cpu::launch(start_{name}, a, grid, block, {waits});
}}
"""


@contextmanager
def on_the_host():
    """Inside, kernels that are launched with NumPy arrays run on the CPU."""
    on_device = launch.compiled

    def compiled(xp, file, kernel, definitions):
        return (host_kernel if xp is np else on_device)(*([] if xp is np else [xp]), file, kernel, definitions)

    in_place = {"available": functools.cache(host_cudnn), "current_stream": lambda: 0}
    with mock.patch.object(launch, "compiled", compiled), mock.patch.multiple(cudnn, **in_place):
        yield


@functools.cache
def host_kernel(file, kernel, definitions):
    """What launch.compiled returns, for NumPy arrays."""
    function = getattr(library(file, definitions), f"launch_{kernel}")

    def run(grid, block, arguments):
        cells = [np.asarray(address(a) if isinstance(a, np.ndarray) and not a.dtype.names else a) for a in arguments]
        pointers = (ctypes.c_void_p * len(cells))(*(cell.ctypes.data for cell in cells))
        function(pointers, *((ctypes.c_int * 3)(*size, *(1,) * (3 - len(size))) for size in (grid, block)))

    return run


@functools.cache
def library(file, definitions):
    source = launch.source(file)
    waits = int(re.search("__sync|__shfl|_warp", (launch.FOLDER / file).read_text("utf-8")) is not None)
    entries = (ENTRY.format(name=name, waits=waits) for name in kernel_names(source))
    text = '#include "cuda_on_cpu.h"\n' + source + "".join(entries)
    path = folder() / f"{hashlib.sha256(f'{text}{definitions}'.encode()).hexdigest()}.so"
    subprocess.run(["g++", "-std=c++17", "-O0", "-shared", "-fPIC", "-ffp-contract=off", "-w", f"-I{HEADERS}",
                    *definitions, "-x", "c++", "-", "-o", path], input=text.encode(), check=True)
    return ctypes.CDLL(str(path))


def kernel_names(source):
    return re.findall(r"__global__ void (?:__launch_bounds__\([^)]*\)\s)?(\w+)\(", source)


@functools.cache
def folder():
    path = Path(tempfile.mkdtemp(prefix="minidiff-kernels-"))
    atexit.register(shutil.rmtree, path)
    return path
