"""The command line: `minidiff COMMAND ...`, one file per command.

Bad input ends in one line on standard error and exit code 2, Ctrl-C in exit code 130. A command imports what it
computes with only when it runs, so that `--help` and errors are fast.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from ..errors import UserError
from . import data, evaluate, generate, info, tokenizer, train
from .options import Parser, say


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = lambda message, *_, **__: say("warning", message)
        try:
            args = parser().parse_args(argv)
            return args.run(args) or 0
        except (UserError, OSError) as error:
            say("error", error)
            return 2
        except MemoryError:
            say("error", "out of memory: use fewer or smaller images, or a smaller model")
            return 2
        except KeyboardInterrupt:
            say("stopped", "nothing more was written")
            return 130


def parser() -> Parser:
    root = Parser("minidiff", description="Text-to-image diffusion from scratch: generate, evaluate, train.")
    commands = root.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (generate, evaluate, info, train, data, tokenizer):
        command.add_to(commands)
    return root
