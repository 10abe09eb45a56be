"""HAR files as they come: read whole, and looked at before they are believed."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any, Final

import msgspec

from pcapng_utils.errors import InputError, unreadable

_LOOKED_AT: Final = 256


def is_har(path: Path) -> bool:
    """Whether a file begins as a HAR does: no capture begins with a brace."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(_LOOKED_AT).removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{")
    except OSError as error:
        raise unreadable(path, error) from None


def read_har(path: Path) -> dict[str, Any]:
    """The parsed HAR. Raises InputError if the file is not there, is not JSON, or is not a HAR."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None
    try:
        har = msgspec.json.decode(text.removeprefix(codecs.BOM_UTF8))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} is no HAR: JSON was expected ({error}).") from None
    log = har.get("log") if isinstance(har, dict) else None
    if not isinstance(log, dict) or not isinstance(log.get("entries"), list):
        raise InputError(f'{path} is no HAR: an object "log" with a list "entries" was expected.')
    return {"log": log}
