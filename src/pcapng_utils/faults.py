"""What becomes of an exception that nobody expected: a problem, and the end of one conversation instead of all.

A layer does not raise for what a capture holds. Where one does all the same, it is a fault of this program, found by a
capture nobody had thought of. What surrounds the layers (the network layer, the dissection, the loop over the capture)
catches it, so that one connection cannot hurt another. Tests and fuzzers shall find such faults, not pass over them:
with the environment variable PCAPNG_UTILS_RAISE set, they are raised.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Final

from pcapng_utils.errors import InputError, UsageError
from pcapng_utils.layers import Problem

SWITCH: Final = "PCAPNG_UTILS_RAISE"

#: Not the layer's: the disk is full, the reader of our output has left, a file that goes with the capture is unusable.
_EVERYBODYS: Final = (OSError, InputError, UsageError)
_HERE: Final = Path(__file__).parent


def fault(error: Exception, cost: str, frame: int | None = None, connection: str | None = None) -> Problem:
    """The problem to report for an exception; `cost`: a clause that says what was lost by it.

    Tells the exception's type and place, not its message, which may hold what the capture keeps secret. Raises `error`
    again if it concerns more than one conversation, or if faults are to be raised; or the signal it comes of."""
    ended = _interruption(error)
    if ended is not None:
        raise ended
    if isinstance(error, _EVERYBODYS) or os.environ.get(SWITCH):
        raise error
    detail = f"{type(error).__name__} at {place(error.__traceback__)}"
    return Problem("internal-error", f"A fault of this program: {cost}", frame, detail, connection=connection)


def _interruption(error: BaseException | None) -> BaseException | None:
    """The signal that `error` comes of, if it does: while a module is imported, Python makes a RuntimeError of it."""
    while isinstance(error, Exception):
        error = error.__cause__ or error.__context__
    return error


def place(traceback: TracebackType | None) -> str:
    """The innermost line of this package that a traceback goes through: `http/http1.py:120`."""
    found = "an unknown place"
    while traceback is not None:
        path = Path(traceback.tb_frame.f_code.co_filename)
        if path.is_relative_to(_HERE):
            found = f"{path.relative_to(_HERE).as_posix()}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return found
