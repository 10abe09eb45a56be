"""Files that are written whole or not at all.

What is written goes to a file beside the one meant, `.NAME.XXXXXXXXXXXXXXXX.part`, which takes its name in the end. Its
writer holds a lock on it for as long as it lives: so what a writer that was killed has left behind can be told from
what another one is still writing, and is removed by the next.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from pcapng_utils.errors import naming

_SUFFIX: Final = ".part"
_LONGEST_NAME: Final = 40
"""Characters of the name that are kept: with all of them, it might be too long for the file system."""
_TOKEN_BYTES: Final = 8
_BUFFER: Final = 1 << 18


@contextlib.contextmanager
def whole_or_nothing(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the name `path` only when the block ends well; else nothing of it is left."""
    _remove_leftovers(path)
    temporary = path.with_name(_prefix(path) + secrets.token_hex(_TOKEN_BYTES) + _SUFFIX)
    try:
        with naming(path), _locked(temporary, path) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # what it ended with is to be told, not this
            temporary.unlink()
        raise


@contextlib.contextmanager
def _locked(temporary: Path, path: Path) -> Iterator[BinaryIO]:
    """A new file that is locked while it is open. `path` is what an error calls it."""
    while True:
        try:
            descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error
        with os.fdopen(descriptor, "wb", buffering=_BUFFER) as file:
            with contextlib.suppress(OSError):  # a file system without locks: nothing is removed there
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:  # else it was taken for left behind before it was locked
                yield file
                return


def _remove_leftovers(path: Path) -> None:
    """Remove what those who were killed while they wrote the same file have left; what cannot be removed stays."""
    name = re.compile(re.escape(_prefix(path)) + rf"[0-9a-f]{{{2 * _TOKEN_BYTES}}}" + re.escape(_SUFFIX))
    with contextlib.suppress(OSError), os.scandir(path.parent) as files:
        for file in files:
            if name.fullmatch(file.name) and file.is_file(follow_symlinks=False):
                _remove_abandoned(file.path)


def _remove_abandoned(path: str) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            Path(path).unlink()
        finally:
            os.close(descriptor)


def _prefix(path: Path) -> str:
    return f".{path.name[:_LONGEST_NAME]}."


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
