"""What can stop the reading of a capture before it began."""

from __future__ import annotations


class CaptureError(Exception):
    """The input cannot be read as a capture; the message names it, what was expected, what was found, what to do."""
