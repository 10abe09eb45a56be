"""When an exchange happened, in HAR's terms. Computed in whole microseconds, so that the parts add up."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

_NS_PER_US = 1000


class Timeline(NamedTuple):
    """Moments of an exchange, in ns since the epoch; None where not seen."""

    request_first: int | None
    request_last: int | None
    response_first: int | None
    response_last: int | None

    @property
    def begin(self) -> int:
        """The first byte of the exchange that was seen."""
        return next(moment for moment in (self.request_first, self.response_first) if moment is not None)


class Opening(NamedTuple):
    """How the connection of an exchange came to be, in ns since the epoch; None where not seen."""

    syn: int | None = None
    established: int | None = None
    hello: int | None = None
    finished: int | None = None
    asked: int | None = None
    answered: int | None = None
    """The look-up of the server's name."""


class Timing(NamedTuple):
    """What HAR says of time: `started` in µs since the epoch, the parts in µs, -1 for those that do not apply."""

    started: int
    blocked: int
    dns: int
    connect: int
    ssl: int
    send: int
    wait: int
    receive: int

    def to_har(self) -> dict[str, Any]:
        """`startedDateTime`, `time` (ms) and `timings` (ms)."""
        parts = self._asdict()
        del parts["started"]
        total = sum(part for name, part in parts.items() if name != "ssl" and part > 0)
        return {
            "startedDateTime": iso_time(self.started * _NS_PER_US),
            "time": total / 1000,
            "timings": {name: part / 1000 if part >= 0 else -1 for name, part in parts.items()},
        }


def iso_time(ns: int) -> str:
    """ISO 8601 with microseconds, UTC. A time beyond year 9999 or before year 1 stands as the nearest that can be
    written."""
    whole, rest = divmod(ns, 1_000_000_000)
    try:
        return f"{_iso_second(whole)}.{rest // _NS_PER_US:06}+00:00"
    except (OverflowError, ValueError, OSError):
        extreme = datetime.max if ns > 0 else datetime.min
        return extreme.replace(tzinfo=UTC).isoformat("T", "microseconds")


@lru_cache(1024)
def _iso_second(whole: int) -> str:
    return datetime.fromtimestamp(whole, UTC).replace(tzinfo=None).isoformat("T", "seconds")


def seconds(ns: int | None) -> float | None:
    """Seconds since the epoch, to the microsecond."""
    return None if ns is None else ns // _NS_PER_US / 1_000_000


def timing(timeline: Timeline, opening: Opening | None = None) -> Timing:
    """HAR's times of an exchange; `opening` is given for the first of its connection.

    The waits between look-up, handshakes and request are `blocked`, so that `started` plus the sum of the parts is the
    exchange's end.
    """
    begin = timeline.begin // _NS_PER_US
    blocked = dns = connect = ssl = -1
    if opening is not None and timeline.request_first is not None:
        connect, ssl, ready = _handshakes(opening)
        if ready is not None and ready <= begin:
            blocked = begin - ready
            if connect >= 0 and opening.asked is not None and opening.answered is not None:
                answered = opening.answered // _NS_PER_US
                dns = answered - opening.asked // _NS_PER_US
                blocked += ready - connect - answered
    started = begin - sum(part for part in (blocked, dns, connect) if part > 0)
    return Timing(started, blocked, dns, connect, ssl, *_transfer(timeline))


def _handshakes(opening: Opening) -> tuple[int, int, int | None]:
    """`connect` and `ssl` in µs, and when the connection was ready for the request (µs)."""
    syn, established, hello, finished = (moment if moment is None else moment // _NS_PER_US for moment in opening[:4])
    ssl = -1
    if hello is not None and finished is not None and finished >= hello:
        ssl = finished - hello
    if syn is None or established is None or established < syn:
        return ssl, ssl, finished if ssl >= 0 else None
    ready = finished if ssl >= 0 and finished is not None and finished >= established else established
    return ready - syn, min(ssl, ready - syn), ready  # packets out of order may have put one before the other


def _transfer(timeline: Timeline) -> tuple[int, int, int]:
    """`send`, `wait` and `receive` in µs."""
    first, last, answered, ended = (moment if moment is None else moment // _NS_PER_US for moment in timeline)
    send = max(last - first, 0) if first is not None and last is not None else 0
    if answered is None or ended is None:
        return send, 0, 0
    receive = max(ended - answered, 0)
    if last is None or first is None:
        return send, 0, receive
    if answered >= last:
        return send, answered - last, receive
    # The response began while the request was still being sent: what they share counts once.
    end = max(ended, last)
    return send, 0, max(end - last, 0)
