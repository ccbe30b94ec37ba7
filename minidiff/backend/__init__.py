"""What the ops are built on: an array's library, the matrix product, devices, random streams, memory, graphs.

The array carries its backend: `xp = array_module(x)` gives the module (NumPy or CuPy) whose functions work on `x`, so
the same source runs on a CPU and on a GPU. There is no global device.
"""

from .array_module import array_module
from .blocks import blocks
from .cublas import current_precision, product_precision
from .devices import device_of, gpu_available, resolve_device, to_device, to_host, use_gpu
from .graph import captured, without_graphs
from .matmul import matmul
from .memory import keep_memory, shared
from .precision import check_precision, full_precision
from .random import normal, random_stream

__all__ = [
    "array_module", "blocks", "captured", "check_precision", "current_precision", "device_of", "full_precision",
    "gpu_available", "keep_memory", "matmul", "normal", "product_precision", "random_stream", "resolve_device",
    "shared", "to_device", "to_host", "use_gpu", "without_graphs",
]
