"""Every CUDA source compiles for the GPUs in use, without spilling registers into memory. No GPU is needed."""

from __future__ import annotations

import re

import pytest
from host_kernels import kernel_names
from nvrtc import architectures, compiled, has_header, nvrtc

from minidiff.kernels.gpu import launch

SOURCES = sorted(path.name for path in launch.FOLDER.glob("*.cu"))
CONSTANTS = {  # of a file whose kernels know them when they are compiled, such as heads of 32, 40 and 512 elements
    "accumulate.cu": [("-DPAIRS=128",)],
    "attention.cu": [("-DE=32", "-DLANES=2", "-DTILE=32"), ("-DE=40", "-DLANES=4", "-DTILE=32"),
                     ("-DE=512", "-DLANES=32", "-DTILE=4")],
    "convolution.cu": [("-DK=3", "-DSTRIDE=1", "-DREPEAT=1"), ("-DK=3", "-DSTRIDE=2", "-DREPEAT=1"),
                       ("-DK=5", "-DSTRIDE=1", "-DREPEAT=2"), ("-DK=16", "-DSTRIDE=16", "-DREPEAT=1")],
    "group_norm.cu": [("-DROWS=1",), ("-DROWS=16",)]}
GPUS = {"A100": 80, "H100": 90, "RTX 5090": 120}
pytestmark = pytest.mark.skipif(nvrtc() is None, reason="needs NVIDIA's compiler: pip install nvidia-cuda-nvrtc")


@pytest.mark.parametrize("width", [2, 4, 8])
@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("file", SOURCES)
def test_a_source_compiles_without_spills(file, gpu, width):
    if GPUS[gpu] not in architectures():
        pytest.skip(f"this compiler does not know the {gpu}")
    if width == 2 and not has_header("cuda_fp16.h"):
        pytest.skip("needs CUDA's headers: pip install nvidia-cuda-runtime")
    for constants in CONSTANTS.get(file, [()]):
        works, log = compiled(launch.source(file), f"--gpu-architecture=sm_{GPUS[gpu]}", f"-DBYTES={width}", *constants)
        assert works, log
        spills = re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill loads", log)
        assert len(spills) >= len(kernel_names(launch.source(file))), log
        assert {*spills} == {("0", "0")}, log
