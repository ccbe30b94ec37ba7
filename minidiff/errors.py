"""The one exception meant for the person at the keyboard."""


class UserError(ValueError):
    """Bad input: one clear line that says what to do. The command line prints it and exits with code 2."""
