"""How many threads BLAS has: one number for the whole process, on which all who compute at the same time agree."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

from threadpoolctl import ThreadpoolController


class Turns:
    """How many BLAS threads those who compute now have agreed on, and how many they are."""

    def __init__(self):
        self.changed, self.users, self.agreed, self.restore = threading.Condition(), 0, None, None


TURNS = Turns()
_own = ContextVar("the number of BLAS threads that this context has asked for")


@contextmanager
def blas_threads(count):
    """Inside, BLAS has `count` threads, or with None as many as it had.

    Their number is that of the whole process, and products round differently with another one. So whoever needs
    another number waits until the others are done, and the last to leave restores the number from before. Who asks for
    another one inside would wait for itself, and gets a RuntimeError.
    """
    if _own.get(count) != count:
        raise RuntimeError(f"blas_threads({count}) inside blas_threads({_own.get()})")
    with TURNS.changed:
        TURNS.changed.wait_for(lambda: TURNS.users == 0 or TURNS.agreed == count)
        if TURNS.users == 0:
            TURNS.agreed, TURNS.restore = count, set_blas_threads(count)
        TURNS.users += 1
    token = _own.set(count)
    try:
        yield
    finally:
        _own.reset(token)
        with TURNS.changed:
            TURNS.users -= 1
            if TURNS.users == 0:
                TURNS.restore()
                TURNS.changed.notify_all()


def set_blas_threads(count):
    """Give BLAS `count` threads, or with None leave it as it is. Returns a function that restores what was before."""
    libraries = blas().select(user_api="blas").lib_controllers
    before = [library.num_threads for library in libraries]

    def set_all(counts):
        for library, number in zip(libraries, counts, strict=True):
            # Newer versions of threadpoolctl ignore all threads but the first that has ever set a number.
            release = getattr(library, "clear_controlling_thread", lambda force: None)
            release(force=True)
            library.set_num_threads(number)
            release(force=True)

    if count is not None:
        set_all([count] * len(libraries))
    return lambda: set_all(before)


@cache
def blas():
    """The control over the number of BLAS threads; cached, since finding the library takes milliseconds."""
    return ThreadpoolController()
