"""Where a fuzzer begins: what the layers are really fed when the fixtures are read, cut to small inputs, and a few made
by hand."""

from __future__ import annotations

import gzip
import json
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import brotli  # type: ignore[import-untyped]
import zstandard

from fuzz.events import DATA, END, GAP, Event, write_events
from fuzz.targets import FIXTURES
from pcapng_utils.capture.events import PacketBatch
from pcapng_utils.capture.reader import CaptureReader
from pcapng_utils.http.hpack_passive import HpackReader
from pcapng_utils.http.http1 import Http1Connection
from pcapng_utils.http.http2 import Http2Connection
from pcapng_utils.http.http3 import Http3Connection
from pcapng_utils.http.qpack_passive import QpackReader
from pcapng_utils.http.sse import EventStreamParser
from pcapng_utils.http.websocket import WebSocketLayer
from pcapng_utils.net.dns import DnsReader
from pcapng_utils.pipeline.convert import Conversion
from pcapng_utils.pipeline.detection import ByteDetector
from pcapng_utils.pipeline.options import Options
from pcapng_utils.quic import connection as quic_connection
from pcapng_utils.quic.flow import QuicFlow
from pcapng_utils.quic.frames import parse_frames
from pcapng_utils.tls.connection import TlsConnection
from pcapng_utils.tls.handshake import MessageReader

#: Longer seeds are cut: a fuzzer that has little to change finds more.
_LARGEST: Final = 4096
_MOST: Final = 24
"""Seeds of a target."""
EXAMPLES: Final = FIXTURES.parent.parent / "examples" / "experiment"

_Recorded = dict[str, dict[int, list[Event]]]


def seeds() -> dict[str, list[bytes]]:
    """By target; the same on every machine."""
    found: dict[str, list[bytes]] = defaultdict(list)
    for folder in sorted(FIXTURES.iterdir()):
        if not folder.is_dir():
            continue
        capture = next(folder.glob("traffic.*"))
        found["capture"].append(capture.read_bytes()[:_LARGEST])
        found["whole"].append(capture.read_bytes()[: 4 * _LARGEST])
        found["packets"].append(_packets(capture))
        found["keylog"] += [path.read_bytes()[:_LARGEST] for path in folder.glob("sslkeylog.txt")]
        for target, instances in _recorded(folder, capture).items():
            found[target] += [_cut(events) for events in instances.values()]
    found["websocket"] = [flag + seed for seed in found["websocket"] for flag in (b"\0", b"\xff")]
    for target, raw in {"handshake": found.pop("handshake", []), "quic-frames": found.pop("quic-frames", [])}.items():
        found[target] = [seed[3:] for seed in raw]
    found["codings"] = list(_codings())
    found["segments"] = [bytes.fromhex(text) for text in _SEGMENTS]
    found["traces"] = [(EXAMPLES / name).read_bytes()[:_LARGEST] for name in ("socket_trace.json", "aes_info.json")]
    found["traces"].append(json.dumps([{"data": {"in": "00ff", "out": "ff00", "alg": "AES"}, "timestamp": 1}]).encode())
    found["har"] = [_har(FIXTURES / name) for name in ("http1", "websocket", "sse")]
    return {target: _spread(sorted(set(some), key=len)) for target, some in found.items()}


def _spread(some: list[bytes]) -> list[bytes]:
    """Not more than so many, of all sizes."""
    step = max(1, len(some) / _MOST)
    return [some[int(at * step)] for at in range(min(_MOST, len(some)))]


def _cut(events: list[Event]) -> bytes:
    kept, size = [], 0
    for event in events:
        kept.append(event)
        size += len(event.data) + 3
        if size > _LARGEST:
            break
    return write_events(kept)


def _packets(capture: Path) -> bytes:
    events: list[Event] = []
    with capture.open("rb") as file:
        for event in CaptureReader(file, capture.name):
            if isinstance(event, PacketBatch):
                events += [Event(0, DATA, event.data[start:end]) for _, _, start, end, _ in event.packets[:16]]
    return _cut(events[:16])


def _recorded(folder: Path, capture: Path) -> _Recorded:
    """What each instance of each layer was fed while a fixture was converted, by target."""
    record: _Recorded = defaultdict(lambda: defaultdict(list))
    keep: list[object] = []

    def watch(kind: type, method: str, target: str, event: Callable[..., Event]) -> Any:
        original = getattr(kind, method)

        def watched(self: object, *arguments: Any, **named: Any) -> Any:
            keep.append(self)  # so that no other object gets its id
            record[target][id(self)].append(event(*arguments, **named))
            return original(self, *arguments, **named)

        return patch.object(kind, method, watched)

    def frames(payload: bytes) -> Any:
        record["quic-frames"][len(record["quic-frames"])].append(Event(0, DATA, payload))
        return parse_frames(payload)

    keylog = folder / "sslkeylog.txt"
    options = Options(keylogs=(keylog,) if keylog.exists() else ())
    with ExitStack() as stack:
        for one in _WATCHED:
            stack.enter_context(watch(*one))
        stack.enter_context(patch.object(quic_connection, "parse_frames", frames))
        conversion = stack.enter_context(Conversion(capture, options))
        conversion.read()
    return record


def _data(direction: int, data: bytes, *rest: Any) -> Event:
    return Event(direction, DATA, data)


def _segment_end(direction: int, *rest: Any) -> Event:
    return Event(direction, END)


def _gap(direction: int, size: int, *rest: Any) -> Event:
    return Event(direction, GAP, b"", size)


def _stream(stream_id: int, direction: int, data: bytes, fin: bool, *rest: Any) -> Event:
    return Event(direction, DATA, data, 0, stream_id & 31)


def _bytes(data: bytes, *rest: Any, **named: Any) -> Event:
    return Event(0, DATA, data)


def _instructions(data: bytes, *rest: Any) -> Event:
    return Event(1, DATA, data)


_Watch = tuple[type, str, str, Callable[..., Event]]
_WATCHED: Final[list[_Watch]] = [
    (TlsConnection, "segment", "tls", _data),
    (MessageReader, "feed", "handshake", _bytes),
    (QuicFlow, "datagram", "quic", _data),
    (Http3Connection, "stream_data", "http3", _stream),
    (HpackReader, "read", "hpack", _bytes),
    (QpackReader, "read", "qpack", _bytes),
    (QpackReader, "encoder_data", "qpack", _instructions),
    (EventStreamParser, "feed", "event-stream", _bytes),
    (DnsReader, "message", "dns", _data),
    *(
        watched
        for kind, target in (
            (Http1Connection, "http1"),
            (Http2Connection, "http2"),
            (WebSocketLayer, "websocket"),
            (ByteDetector, "detect"),
        )
        for watched in ((kind, "data", target, _data), (kind, "gap", target, _gap), (kind, "end", target, _segment_end))
    ),
]

#: Handshake, data both ways, FIN; a reset; data out of order.
_SEGMENTS: Final = (
    "00000000000200" + "01000000001200" + "00000000001000" + "00000000001805" + "01000000001805" + "00000000001100"
    "01000000001100",
    "00000000000200" + "01000000001200" + "00000000001803" + "02000a00001805" + "0200f100001807" + "00000000000400",
    "00000000001840" + "01000000001840" + "06000500001820" + "07fff000001820",
)


def _codings() -> Iterator[bytes]:
    text = b"It was a dark and stormy night; " * 20
    forms = (gzip.compress(text, mtime=0), zlib.compress(text), brotli.compress(text), zstandard.compress(text))
    for number, form in enumerate((*forms, bytes.fromhex("1f9d90499002a41903c6141e"))):
        yield bytes((number,)) + form
    for number, form in enumerate(forms):
        yield bytes((125 + number * 5,)) + gzip.compress(form, mtime=0)
    yield b"\0" + forms[0] * 3 + bytes(9)
    yield b"\3" + forms[3] * 2 + bytes.fromhex("502a4d1803000000616263")


def _har(folder: Path) -> bytes:
    out = BytesIO()
    with Conversion(next(folder.glob("traffic.*")), Options(indent=0)) as conversion:
        conversion.read()
        conversion.write_to(out)
    har = json.loads(out.getvalue())
    har["log"]["entries"] = har["log"]["entries"][:2]
    har["log"]["creator"]["_metadata"]["creation_datetime"] = "2024-01-01T00:00:00+00:00"
    return json.dumps(har).encode()
