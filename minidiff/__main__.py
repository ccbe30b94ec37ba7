"""`python -m minidiff` is `minidiff`, the program: Ctrl-C ends it quietly while it is still importing, too."""

import sys


def main() -> int:
    """Run the command of the command line and return the exit code."""
    try:
        from .cli import main as run

        return run()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
