"""What ends a command, with the sentence that is shown for it."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

STANDARD_OUTPUT: Final = "standard output"


class InputError(Exception):
    """An input cannot be used at all: exit code 1."""


class UsageError(Exception):
    """The command was asked for something it does not do: exit code 2."""


def well_formed(text: str) -> str:
    """Text that the system gave, as JSON may have it: bytes that are not UTF-8, which Python reads as lone surrogates
    (PEP 383), as escapes."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def file_name(path: Path) -> str:
    """A file's name, as text that may be written anywhere."""
    return well_formed(path.name)


def unreadable(path: Path | str, error: OSError) -> InputError:
    """What the system says of an input, as a sentence that names it."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return InputError(f"{path} cannot be read: {reason}.")


@contextlib.contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Have an OSError that names no file (a disk that is full names none) name this one."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno, os.strerror(error.errno or 0), str(path)) from error


@contextlib.contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Where bytes for standard output go; what goes wrong, as an OSError that names it."""
    with naming(STANDARD_OUTPUT):
        stream = getattr(sys.stdout, "buffer", None)
        if stream is None:  # what Python makes of a descriptor that is closed
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        yield stream
        sys.stdout.flush()


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Have signals wait."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
