"""What the tests of HTTP/2 share: frames by hand, a real client and server in memory, and ways to feed a connection."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.settings
from hpack import Encoder

from pcapng_utils.http.body import Body
from pcapng_utils.http.exchange import Exchange, Message, Request, Response, Upgrade
from pcapng_utils.http.h2_frames import PREFACE
from pcapng_utils.http.http2 import Http2Connection
from pcapng_utils.http.stream_services import Limits
from pcapng_utils.layers import CLIENT, SERVER, Problem, Stamp, UnitLog

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, PRIORITY_FLAG = 0x1, 0x4, 0x8, 0x20

Chunk = tuple[int, bytes]
"""Direction, and what it sent."""
Fields = list[tuple[bytes, bytes]]

GET: Fields = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"a.example"), (b":path", b"/")]
POST: Fields = [(b":method", b"POST"), *GET[1:]]
OK: Fields = [(b":status", b"200"), (b"server", b"lab")]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


CLIENT_START = PREFACE + frame(SETTINGS, 0, 0)
SERVER_START = frame(SETTINGS, 0, 0)
START: list[Chunk] = [(CLIENT, CLIENT_START), (SERVER, SERVER_START)]
WHOLE = END_HEADERS | END_STREAM


@dataclass
class Listener:
    """A connection under test, with all it said."""

    limits: Limits = field(default_factory=Limits)
    upgraded: Exchange | None = None
    upgrade: Upgrade | None = None
    exchanges: list[Exchange] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    units: UnitLog = field(default_factory=UnitLog)
    frame: int = 0

    def __post_init__(self) -> None:
        self.connection = Http2Connection(
            self.exchanges.append,
            self.problems.append,
            Body,
            self.units,
            upgraded=self.upgraded,
            upgrade=self.upgrade,
            limits=self.limits,
        )

    def stamp(self, direction: int, size: int = 0) -> Stamp:
        """The next packet's: each carries one unit."""
        self.frame += 1
        unit = self.units.add(direction, self.frame * 1000, self.frame, size)
        return Stamp(self.frame * 1000, self.frame * 1000, (self.frame,), unit)

    def feed(self, *chunks: Chunk) -> Listener:
        for direction, data in chunks:
            self.connection.data(direction, data, self.stamp(direction, len(data)))
        return self

    def gap(self, direction: int, size: int) -> Listener:
        self.connection.gap(direction, size, self.stamp(direction))
        return self

    def close(self) -> list[Exchange]:
        self.connection.close()
        return self.exchanges

    def kinds(self) -> set[str]:
        return {problem.kind for problem in self.problems}


def hear(chunks: Iterable[Chunk], **options: object) -> list[Exchange]:
    """The exchanges of a connection that was heard from start to end."""
    return Listener(**options).feed(*chunks).close()  # type: ignore[arg-type]


def by_hand(*chunks: Chunk) -> tuple[Listener, list[Exchange]]:
    listener = Listener().feed(*START, *chunks)
    return listener, listener.close()


def request_of(exchange: Exchange) -> Request:
    assert exchange.request is not None
    return exchange.request


def response_of(exchange: Exchange) -> Response:
    assert exchange.response is not None
    return exchange.response


def told(exchange: Exchange) -> tuple[object, ...]:
    """All that an exchange says but for its places in the capture, to be compared."""
    return (
        exchange.stream,
        _message(exchange.request),
        _message(exchange.response),
        [_message(interim) for interim in exchange.interim],
        exchange.websocket
        and sorted((m.direction, m.opcode, m.data, m.incomplete) for m in exchange.websocket.messages),
        exchange.events and [(event.event, event.id, event.data) for event in exchange.events],
        exchange.pushed,
        exchange.reset,
        exchange.tunnel,
    )


def _message(message: Message | None) -> object:
    if message is None:
        return None
    return (
        message.version,
        message.headers,
        message.trailers,
        message.headers_size,
        message.body.getvalue(),
        sorted(message.incomplete),
        getattr(message, "method", None),
        getattr(message, "target", None),
        getattr(message, "scheme", None),
        getattr(message, "authority", None),
        getattr(message, "status", None),
    )


def all_told(exchanges: Iterable[Exchange]) -> list[tuple[object, ...]]:
    return sorted((told(exchange) for exchange in exchanges), key=repr)


@dataclass
class Peers:
    """h2's client and server, with their bytes recorded in the order they were sent."""

    header_table_size: int | None = None
    chunks: list[Chunk] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
        self.server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
        for peer in (self.client, self.server):
            peer.initiate_connection()
            if self.header_table_size is not None:
                peer.update_settings({h2.settings.SettingCodes.HEADER_TABLE_SIZE: self.header_table_size})
        self.flush()

    def flush(self) -> list[h2.events.Event]:
        """Hand over what each side has to send; returns what the server saw."""
        seen: list[h2.events.Event] = []
        while True:
            sent = self.client.data_to_send()
            answered = self.server.data_to_send()
            if not sent and not answered:
                return seen
            if sent:
                self.chunks.append((CLIENT, sent))
                seen += self.server.receive_data(sent)
            if answered:
                self.chunks.append((SERVER, answered))
                self.client.receive_data(answered)

    def bytes_of(self, direction: int) -> bytes:
        return b"".join(data for sender, data in self.chunks if sender == direction)


def split(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """`data` cut at these places."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:stop] for start, stop in itertools.pairwise(places) if start < stop]


def interleave(client: list[bytes], server: list[bytes], source: random.Random) -> list[Chunk]:
    """The pieces of both directions, each in its order."""
    turns = [CLIENT] * len(client) + [SERVER] * len(server)
    source.shuffle(turns)
    pieces = {CLIENT: iter(client), SERVER: iter(server)}
    return [(turn, next(pieces[turn])) for turn in turns]


def encoders() -> tuple[Callable[[Fields], bytes], Callable[[Fields], bytes]]:
    """A client's and a server's HPACK encoder."""
    return Encoder().encode, Encoder().encode
