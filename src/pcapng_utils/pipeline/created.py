"""The one thing in a HAR that the input does not decide: when it was made."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Final

from pcapng_utils.errors import UsageError

VARIABLE: Final = "SOURCE_DATE_EPOCH"
"""Of the environment: the time to name instead, in seconds since 1970, as the Reproducible Builds project has it."""


def asked_time() -> datetime | None:
    """The time that the environment asks for. Raises UsageError if that is none."""
    text = os.environ.get(VARIABLE)
    if text is None:
        return None
    try:
        if not (text.isascii() and text.isdigit()):
            raise ValueError(text)
        return datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"{VARIABLE} {text!r}: a number of seconds since 1970 was expected.") from None
