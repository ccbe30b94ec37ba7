"""The one exception and the one kind of warning that have a name; their messages are meant for the user."""

MOST = 480  # letters of a message; the middle of a longer one is left out


class UserError(ValueError):
    """Bad input: one line that says what is wrong and what to do. The command line prints it and exits with code 2."""

    def __init__(self, message: object):
        super().__init__(one_line(message))


class UnreadPrompt(UserWarning):
    """A prompt of which the model reads a part only, or nothing."""


def one_line(message: object) -> str:
    """The message on one printable line of at most MOST letters.

    Messages repeat what they complain about: names out of files, words of the command line, of any length.
    """
    text = printable(" ".join(str(message).split()))
    return text if len(text) <= MOST else f"{text[:MOST - 185]} ... {text[-180:]}"


def printable(text: str) -> str:
    """The text with whatever a terminal would obey written as an escape: texts out of files may be anybody's."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
