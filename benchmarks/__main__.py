"""`python -m benchmarks WHAT`: starts anew without OpenBLAS's overrides, so that its own choice of kernels is timed.

NumPy reads them when it is imported, so nothing that imports it may come before.
"""

import os
import sys

from . import OVERRIDES

if __name__ == "__main__":
    if "--as-is" not in sys.argv and any(name in os.environ for name in OVERRIDES):
        rest = {name: value for name, value in os.environ.items() if name not in OVERRIDES}
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks", *sys.argv[1:]], rest)
    from .command import main

    sys.exit(main())
