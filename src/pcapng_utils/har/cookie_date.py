"""Dates in cookies, read as clients read them (RFC 6265, section 5.1.1): any order, any separators, always UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_TOKENS: Final = re.compile(r"[^\t -/;-@\[-`{-~]+")
_TIME: Final = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])")
_DAY: Final = re.compile(r"([0-9]{1,2})(?![0-9])")
_YEAR: Final = re.compile(r"([0-9]{2,4})(?![0-9])")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_EARLIEST: Final = 1601


def cookie_date(text: str) -> datetime | None:
    """The moment that the value of an `Expires` attribute names; None if a client would make nothing of it."""
    time: re.Match[str] | None = None
    day = month = year = None
    for token in _TOKENS.findall(text):
        if time is None and (match := _TIME.match(token)):
            time = match
        elif day is None and (match := _DAY.match(token)):
            day = int(match[1])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS.index(token[:3].lower()) + 1
        elif year is None and (match := _YEAR.match(token)):
            year = _whole_year(int(match[1]))
    if time is None or day is None or month is None or year is None or year < _EARLIEST:
        return None
    try:
        return datetime(year, month, day, int(time[1]), int(time[2]), int(time[3]), tzinfo=UTC)
    except ValueError:
        return None


def _whole_year(year: int) -> int:
    """With its century, which may be left out."""
    return year + 1900 if 70 <= year <= 99 else year + 2000 if year <= 69 else year
