"""Files for what does not fit into memory, which leave nothing behind however the process ends."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import BinaryIO


def private_file(folder: str | None = None) -> BinaryIO:
    """An empty file to write and read that nobody else can open and that is gone when closed."""
    return tempfile.TemporaryFile("w+b", dir=folder or temporary_folder())


def temporary_folder() -> str:
    """The system's folder for temporary files.

    `tempfile` would try it with a file that has a name, which is left behind if the process is killed at that moment:
    so a folder that may be written is taken at its word.
    """
    for folder in (*map(os.environ.get, ("TMPDIR", "TEMP", "TMP")), "/tmp"):  # noqa: S108 - what `tempfile` does
        if folder and Path(folder).is_dir() and os.access(folder, os.W_OK | os.X_OK):
            return str(Path(folder).absolute())
    return tempfile.gettempdir()
