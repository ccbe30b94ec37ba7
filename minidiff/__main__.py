"""`python -m minidiff` is `minidiff`."""

import sys

from .cli import main

sys.exit(main())
