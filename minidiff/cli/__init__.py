"""The command line: `minidiff COMMAND ...`, one file per command.

Bad input ends in one line on standard error and exit code 2, Ctrl-C in exit code 130, the signals TERM and HUP in 143
and 129. A command imports what it computes with only when it runs, so that `--help` and errors are fast.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress

from ..errors import UserError
from . import data, evaluate, explain, generate, info, tokenizer, train
from .options import Parser, say
from .stopping import ended_by_signals


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code. --help and the signals TERM and HUP raise SystemExit."""
    prepare_streams()
    with warnings.catch_warnings(), ended_by_signals():
        warnings.simplefilter("default", UserWarning)
        warnings.filterwarnings("ignore", "Image size .* could be decompression bomb")  # sizes are checked here
        warnings.showwarning = lambda message, *_, **__: say("warning", message)
        try:
            args = parser().parse_args(argv)
            code = args.run(args) or 0
            sys.stdout.flush()
            return code
        except BrokenPipeError:  # whoever reads the output has seen enough, as in `minidiff info scenes | head -1`
            forget_output()
            return 141
        except (UserError, OSError, UnicodeError) as error:
            say("error", error)
            forget_output()
            return 2
        except MemoryError:
            say("error", "out of memory: use fewer or smaller images, or a smaller model")
            return 2
        except KeyboardInterrupt:
            say("stopped", "nothing more was written")
            return 130


def prepare_streams() -> None:
    """Letters that the output's encoding lacks are written as escapes, and a closed stream takes everything."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def forget_output() -> None:
    """If the output cannot be written, Python is not to try it again, with a traceback, when it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def parser() -> Parser:
    root = Parser("minidiff", description="Text-to-image diffusion from scratch: generate, evaluate, train.")
    commands = root.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (generate, explain, evaluate, info, train, data, tokenizer):
        command.add_to(commands)
    return root
