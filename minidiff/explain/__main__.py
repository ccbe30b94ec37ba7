"""`python -m minidiff.explain figures` draws the figure of each folder's README.md anew."""

import argparse

from .figures import write_figures

parser = argparse.ArgumentParser(prog="python -m minidiff.explain", description=__doc__)
parser.add_argument("what", choices=["figures"])
parser.parse_args()
for path in write_figures():
    print(path)
