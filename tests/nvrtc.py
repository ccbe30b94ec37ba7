"""NVIDIA's compiler, which needs no GPU: libnvrtc of the wheel nvidia-cuda-nvrtc or of a CUDA toolkit."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
from pathlib import Path


@functools.cache
def nvrtc():
    """The library and the folders of CUDA's headers; None if it can't be found."""
    wheels = importlib.util.find_spec("nvidia")
    folders = wheels.submodule_search_locations if wheels else []
    roots = [root for folder in folders for root in Path(folder).glob("*")]
    roots.append(Path(os.environ.get("CUDA_PATH", "/usr/local/cuda")))
    library = next((path for root in roots for path in root.glob("lib*/libnvrtc.so*")), None)
    return library and (ctypes.CDLL(str(library)), [root / "include" for root in roots])


def architectures():
    """The compute capabilities that the compiler knows: 90 is an H100."""
    if nvrtc() is None:
        return []
    count = ctypes.c_int()
    nvrtc()[0].nvrtcGetNumSupportedArchs(ctypes.byref(count))
    known = (ctypes.c_int * count.value)()
    nvrtc()[0].nvrtcGetSupportedArchs(known)
    return list(known)


def has_header(name):
    return any((folder / name).exists() for folder in nvrtc()[1])


def compiled(source, *options):
    """(whether `source` compiles, what the compiler says): with registers and spills of each kernel."""
    library, headers = nvrtc()
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None)
    options = [*options, "--std=c++17", "--ptxas-options=-v", *(f"-I{folder}" for folder in headers)]
    words = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    status = library.nvrtcCompileProgram(program, len(options), words)
    library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    library.nvrtcGetProgramLog(program, log)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    return status == 0, log.value.decode()
