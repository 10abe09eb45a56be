"""What ends a command, with the sentence that is shown for it."""

from __future__ import annotations

import os
from pathlib import Path


class InputError(Exception):
    """An input cannot be used at all: exit code 1."""


class UsageError(Exception):
    """The command was asked for something it does not do: exit code 2."""


def unreadable(path: Path | str, error: OSError) -> InputError:
    """What the system says of an input, as a sentence that names it."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return InputError(f"{path} cannot be read: {reason}.")
