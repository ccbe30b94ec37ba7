"""How long minidiff takes, compared with PyTorch where it is installed: `python -m benchmarks WHAT`."""

OVERRIDES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # with them OpenBLAS does not choose its kernels by itself
