"""DNS over QUIC (RFC 9250): each query has a stream of its own, its answer comes on the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pcapng_utils.layers import Report, Stamp
from pcapng_utils.net.dns import DnsExchange, DnsReader
from pcapng_utils.net.flow import Flow

_LONGEST: Final = 2 + 65_535
_STREAMS: Final = 4096


class DnsOverQuic:
    """A StreamsLayer. A message ends with its side of the stream; drafts before 03 have no length before it."""

    __slots__ = ("_emit", "_flow", "_readers", "_report", "_sent")

    def __init__(self, flow: Flow, emit: Callable[[DnsExchange], None], report: Report) -> None:
        self._flow = flow
        self._emit = emit
        self._report = report
        self._readers: dict[int, DnsReader] = {}
        self._sent: dict[tuple[int, int], bytes] = {}

    def stream_data(self, stream_id: int, direction: int, data: bytes, fin: bool, stamp: Stamp) -> None:
        sent = self._sent.pop((stream_id, direction), b"") + data
        if not fin:
            if len(sent) <= _LONGEST and len(self._sent) < _STREAMS:
                self._sent[stream_id, direction] = sent
            return
        message = sent[2:] if int.from_bytes(sent[:2], "big") == len(sent) - 2 else sent
        if message:
            reader = self._readers.get(stream_id)
            if reader is None:
                reader = self._readers[stream_id] = DnsReader(self._flow, self._emit, self._report, "quic")
            reader.message(direction, message, stamp.last, stamp.frames[-1])
        if len(self._readers) > _STREAMS:
            self._readers.pop(next(iter(self._readers))).close()

    def stream_gap(self, stream_id: int, direction: int, size: int, stamp: Stamp) -> None:
        self._sent.pop((stream_id, direction), None)

    def stream_reset(self, stream_id: int, direction: int, error_code: int, stamp: Stamp) -> None:
        self._sent.pop((stream_id, direction), None)

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()
