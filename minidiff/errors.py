"""The one exception whose message is meant for the user."""


class UserError(ValueError):
    """Bad input: one line that says what is wrong and what to do. The command line prints it and exits with code 2."""
