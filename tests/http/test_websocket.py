"""WebSocket: bytes in, messages out; wsproto writes the traffic."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.extensions import PerMessageDeflate

from pcapng_utils.http.body import Body
from pcapng_utils.http.exchange import OVERHEAD, Exchange, Request, Response, WebSocketLog, WebSocketMessage
from pcapng_utils.http.websocket import WebSocketLayer, WebSocketLimits
from pcapng_utils.layers import CLIENT, SERVER, Problem, Stamp, UnitKind, UnitLog

Piece = tuple[int, bytes]


class Run:
    """A WebSocket layer with a stamp counter: packet n is at time n, in unit n of its direction."""

    def __init__(self, extensions: bytes | None = None, limits: WebSocketLimits | None = None) -> None:
        headers = [] if extensions is None else [(b"Sec-WebSocket-Extensions", extensions)]
        exchange = Exchange(Request(Body()), Response(Body(), status=101, headers=headers))
        self.emitted: list[Exchange] = []
        self.problems: list[Problem] = []
        self.units = UnitLog()
        self.layer = WebSocketLayer(
            exchange, self.emitted.append, self.problems.append, self.units, limits or WebSocketLimits()
        )
        self.clock = 0

    def stamp(self, direction: int) -> Stamp:
        self.clock += 1
        unit = self.units.add(direction, self.clock, self.clock, 0)
        return Stamp(self.clock, self.clock, (self.clock,), unit)

    def data(self, direction: int, data: bytes) -> None:
        self.layer.data(direction, data, self.stamp(direction))

    def gap(self, direction: int, size: int) -> None:
        self.layer.gap(direction, size, Stamp(self.clock, self.clock, (self.clock,), 0))

    def log(self) -> WebSocketLog:
        self.layer.close()
        (exchange,) = self.emitted
        assert exchange.websocket is not None
        return exchange.websocket

    def told(self) -> list[tuple[int, int, bytes, str]]:
        return [(m.direction, m.opcode, m.data, m.incomplete) for m in self.log().messages]


def frame(payload: bytes, opcode: int = 1, *, fin: bool = True, rsv1: bool = False, key: bytes = b"") -> bytes:
    first = fin << 7 | rsv1 << 6 | opcode
    size = len(payload)
    mask = 0x80 if key else 0
    if size < 126:
        head = bytes((first, mask | size))
    elif size < 1 << 16:
        head = bytes((first, mask | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, mask | 127)) + size.to_bytes(8, "big")
    return head + key + (bytes(b ^ key[i % 4] for i, b in enumerate(payload)) if key else payload)


KEY = b"\x37\xfa\x21\x3d"


def test_examples_of_rfc_6455() -> None:
    run = Run()
    run.data(SERVER, bytes.fromhex("810548656c6c6f"))
    run.data(CLIENT, bytes.fromhex("818537fa213d7f9f4d5158"))
    run.data(SERVER, bytes.fromhex("010348656c") + bytes.fromhex("80026c6f"))
    run.data(SERVER, bytes.fromhex("890548656c6c6f"))
    run.data(CLIENT, bytes.fromhex("8a8537fa213d7f9f4d5158"))
    run.data(SERVER, bytes.fromhex("827e0100") + bytes(256) + bytes.fromhex("827f0000000000010000") + bytes(65536))
    assert run.told() == [
        (SERVER, 1, b"Hello", ""),
        (CLIENT, 1, b"Hello", ""),
        (SERVER, 1, b"Hello", ""),
        (SERVER, 9, b"Hello", ""),
        (CLIENT, 10, b"Hello", ""),
        (SERVER, 2, bytes(256), ""),
        (SERVER, 2, bytes(65536), ""),
    ]


@pytest.mark.parametrize(
    "wire",
    [
        "c107f248cdc9c90700",
        "4103f248cd8004c9c90700",
        "c10b000500faff48656c6c6f00",
        "c108f348cdc9c9070000",
        "c10df24805000000ffffcac9c90700",
    ],
    ids=["one frame", "fragments", "stored block", "BFINAL", "two blocks"],
)
def test_examples_of_rfc_7692(wire: str) -> None:
    run = Run(b"permessage-deflate")
    run.data(SERVER, bytes.fromhex(wire))
    assert run.told() == [(SERVER, 1, b"Hello", "")]


def test_context_takeover_lets_a_message_refer_to_the_one_before() -> None:
    run = Run(b"permessage-deflate")
    run.data(SERVER, bytes.fromhex("c107f248cdc9c90700") + bytes.fromhex("c105f200110000"))
    assert run.told() == [(SERVER, 1, b"Hello", ""), (SERVER, 1, b"Hello", "")]


def test_a_block_that_ends_the_stream_leaves_the_window_of_earlier_messages() -> None:
    texts = [bytes(range(200)) * 300, b"short", bytes(range(200)) * 2]
    run = Run(b"permessage-deflate")
    for at, text in enumerate(texts):
        deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS, zdict=b"".join(texts[:at])[-(1 << 15) :])
        run.data(SERVER, frame(deflater.compress(text) + deflater.flush() + b"\0", 2, rsv1=True))
    assert run.told() == [(SERVER, 2, text, "") for text in texts]


def test_a_stamp_spans_all_frames_of_a_message_and_leaves_out_control_frames_between() -> None:
    run = Run()
    run.data(CLIENT, frame(b"ab", fin=False)[:1])
    run.data(CLIENT, frame(b"ab", fin=False)[1:])
    run.data(CLIENT, frame(b"!", 9))
    run.data(CLIENT, frame(b"cd", 0))
    ping, text = run.log().messages
    assert (ping.data, ping.stamp, ping.units) == (b"!", Stamp(3, 3, (3,), 2), (2,))
    assert (text.data, text.stamp, text.units) == (b"abcd", Stamp(1, 4, (1, 2, 4), 0), (0, 1, 3))
    assert list(run.units.kinds[CLIENT]) == [UnitKind.BODY, UnitKind.BODY, UnitKind.CONTROL, UnitKind.BODY]


@pytest.mark.parametrize(
    ("payload", "code", "reason"),
    [(b"", None, b""), (b"\x03", None, b""), (b"\x03\xe8", 1000, b""), (b"\x03\xe9bye", 1001, b"bye")],
)
def test_close_codes(payload: bytes, code: int | None, reason: bytes) -> None:
    run = Run()
    run.data(SERVER, frame(payload, 8))
    run.data(CLIENT, frame(b"\x0b\xb8later", 8, key=KEY))
    (exchange,) = run.emitted
    assert exchange.websocket is not None
    close = exchange.websocket.close
    assert close is not None
    assert (close.direction, close.code, close.reason, close.time) == (SERVER, code, reason, 1)
    assert [m.opcode for m in exchange.websocket.messages] == [8, 8]


def test_the_exchange_is_emitted_once_both_sides_are_over() -> None:
    run = Run()
    run.data(SERVER, frame(b"", 8))
    assert run.emitted == []
    run.layer.end(CLIENT, None)
    assert len(run.emitted) == 1
    run.layer.end(SERVER, None)
    run.layer.close()
    assert len(run.emitted) == 1
    assert run.emitted[0].tunnel == "websocket"


@pytest.mark.parametrize("key", [b"", KEY])
def test_a_hole_inside_a_payload_keeps_the_place(key: bytes) -> None:
    run = Run()
    wire = frame(b"0123456789" * 3, key=key)
    head = len(wire) - 30
    run.data(CLIENT, wire[: head + 7])
    run.gap(CLIENT, 6)
    run.data(CLIENT, wire[head + 13 :] + frame(b"next", key=key))
    assert run.told() == [(CLIENT, 1, b"01234563456789" + b"0123456789", "lost-bytes"), (CLIENT, 1, b"next", "")]
    assert [p.kind for p in run.problems] == ["websocket-bad-message"]


def test_a_hole_in_a_compressed_message_spoils_those_that_need_its_window() -> None:
    deflate = zlib.compressobj(wbits=-15, strategy=zlib.Z_FIXED)
    texts = (b"a message of some length, which is lost in part", b"a message of some length, which refers to it")
    wire = [frame((deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4], rsv1=True) for text in texts]
    run = Run(b"permessage-deflate")
    run.data(SERVER, wire[0][:20])
    run.gap(SERVER, 5)
    run.data(SERVER, wire[0][25:] + wire[1] + frame(b"plain"))
    first, second, third = run.told()
    assert b"a message of some length".startswith(first[2])
    assert first[2] and first[3] == "lost-bytes"
    assert second[2:] == (wire[1][2:], "not-inflated")
    assert third[2:] == (b"plain", "")


def test_without_context_takeover_the_next_message_is_read_after_a_hole() -> None:
    wire = []
    for text in (b"a message of some length, which is lost in part", b"another"):
        deflate = zlib.compressobj(wbits=-15)
        wire.append(frame((deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4], rsv1=True))
    run = Run(b"permessage-deflate; server_no_context_takeover")
    run.data(SERVER, wire[0][:20])
    run.gap(SERVER, 5)
    run.data(SERVER, wire[0][25:] + wire[1])
    assert run.told()[1][2:] == (b"another", "")


@pytest.mark.parametrize("size", [0, 40])
def test_a_hole_that_hides_the_next_frame_ends_the_direction_alone(size: int) -> None:
    run = Run()
    run.data(CLIENT, frame(b"0123456789")[:8])
    run.gap(CLIENT, size)
    run.data(CLIENT, frame(b"unseen"))
    run.data(SERVER, frame(b"seen"))
    assert run.told() == [(CLIENT, 1, b"012345", "lost-bytes"), (SERVER, 1, b"seen", "")]
    assert [(p.kind, p.lost) for p in run.problems] == [("websocket-bad-message", 0), ("websocket-gap", 8)]


@pytest.mark.parametrize("junk", [b"\x83\x00", b"\xb1\x00", b"\x89\x7e\x00\x80", b"\x09\x00", b"HTTP/1.1 400"])
def test_what_is_no_frame_ends_the_direction(junk: bytes) -> None:
    run = Run()
    run.data(SERVER, frame(b"ok") + junk)
    run.data(SERVER, frame(b"unseen"))
    assert run.told() == [(SERVER, 1, b"ok", "")]
    (problem,) = run.problems
    assert (problem.kind, problem.lost) == ("websocket-lost-sync", len(junk) + 8)


def test_odd_sequences_of_fragments_are_kept_and_told() -> None:
    run = Run()
    run.data(SERVER, frame(b"lost", 0) + frame(b"begun", 1, fin=False) + frame(b"new", 2) + frame(b"cut", 2)[:4])
    run.layer.end(SERVER, None)
    assert run.told() == [
        (SERVER, 0, b"lost", "no-start"),
        (SERVER, 1, b"begun", "unfinished"),
        (SERVER, 2, b"new", ""),
        (SERVER, 2, b"cu", "truncated"),
    ]


def test_a_compressed_frame_that_was_not_agreed_on_is_kept_as_it_was() -> None:
    run = Run()
    run.data(SERVER, bytes.fromhex("c107f248cdc9c90700"))
    assert run.told() == [(SERVER, 1, bytes.fromhex("f248cdc9c90700"), "not-inflated")]


def test_a_bomb_costs_its_limit() -> None:
    deflate = zlib.compressobj(wbits=-15)
    bomb = (deflate.compress(bytes(10_000_000)) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]
    run = Run(b"permessage-deflate; server_no_context_takeover", WebSocketLimits(1000, 2500 + 3 * (OVERHEAD + 8)))
    assert len(bomb) > 1000
    short = zlib.compressobj(wbits=-15)
    small = (short.compress(bytes(100_000)) + short.flush(zlib.Z_SYNC_FLUSH))[:-4]
    for _ in range(4):
        run.data(SERVER, frame(small, rsv1=True))
    run.data(SERVER, frame(bytes(5000)))
    assert [(len(m[2]), m[3]) for m in run.told()] == [(1000, "too-long"), (1000, "too-long"), (500, "too-long")]
    assert run.problems[-1].kind == "websocket-too-much"
    assert run.problems[-1].detail == "2 messages"


def test_fragments_together_are_held_to_the_limit_too() -> None:
    run = Run(limits=WebSocketLimits(10, 1000))
    run.data(SERVER, frame(b"0123456", fin=False) + frame(b"789abcd", 0) + frame(b"short"))
    assert run.told() == [(SERVER, 1, b"0123456789", "too-long"), (SERVER, 1, b"short", "")]


def test_a_message_that_does_not_inflate_is_told() -> None:
    run = Run(b"permessage-deflate; server_no_context_takeover")
    run.data(SERVER, frame(b"\xff\xff\xff", rsv1=True) + bytes.fromhex("c107f248cdc9c90700"))
    assert run.told() == [(SERVER, 1, b"", "bad-deflate"), (SERVER, 1, b"Hello", "")]


def test_without_the_handshake_a_frame_that_says_it_is_compressed_is_believed() -> None:
    emitted: list[Exchange] = []
    units = UnitLog()
    layer = WebSocketLayer(Exchange(None, None), emitted.append, lambda problem: None, units)
    stamp = Stamp(1, 1, (1,), units.add(SERVER, 1, 1, 0))
    layer.data(SERVER, bytes.fromhex("c107f248cdc9c90700"), stamp)
    layer.close()
    assert emitted[0].websocket is not None
    assert [m.data for m in emitted[0].websocket.messages] == [b"Hello"]


def test_a_message_of_which_a_fragment_never_came() -> None:
    run = Run()
    run.data(CLIENT, frame(b"begun", fin=False))
    assert run.told() == [(CLIENT, 1, b"begun", "truncated")]


def test_after_the_exchange_was_emitted_nothing_changes_it() -> None:
    run = Run()
    run.data(SERVER, frame(b"", 8))
    run.data(CLIENT, frame(b"", 8))
    run.data(SERVER, frame(b"late"))
    run.gap(SERVER, 3)
    assert [m[1] for m in run.told()] == [8, 8]


def test_frames_after_a_close_frame_are_left_out() -> None:
    run = Run()
    run.data(SERVER, frame(b"", 8) + frame(b"late"))
    assert run.told() == [(SERVER, 8, b"", "")]
    assert [p.kind for p in run.problems] == ["websocket-after-close"]


MESSAGES = st.lists(
    st.tuples(
        st.sampled_from([CLIENT, SERVER]),
        st.one_of(st.binary(max_size=300), st.text(max_size=100), st.sampled_from([b"x" * 70_000, "ping"])),
        st.integers(1, 3),
    ),
    max_size=12,
)
EXTENSIONS: list[Callable[[], PerMessageDeflate] | None] = [
    None,
    PerMessageDeflate,
    lambda: PerMessageDeflate(client_no_context_takeover=True, server_no_context_takeover=True),
    lambda: PerMessageDeflate(server_max_window_bits=9, client_max_window_bits=10),
]


def endpoints(extension: Callable[[], PerMessageDeflate] | None) -> tuple[bytes | None, tuple[Connection, Connection]]:
    """wsproto's two ends after a handshake, and the answer's Sec-WebSocket-Extensions."""
    if extension is None:
        return None, (Connection(ConnectionType.CLIENT), Connection(ConnectionType.SERVER))
    client, server = extension(), extension()
    offer = client.offer()
    accepted = server.accept(f"{client.name}; {offer}" if isinstance(offer, str) else client.name)
    assert accepted is not None and accepted is not False
    answer = f"{client.name}; {accepted}" if isinstance(accepted, str) else client.name
    client.finalize(answer)
    return answer.encode(), (
        Connection(ConnectionType.CLIENT, extensions=[client]),
        Connection(ConnectionType.SERVER, extensions=[server]),
    )


def written_by_wsproto(
    ends: tuple[Connection, Connection], messages: list[tuple[int, bytes | str, int]]
) -> tuple[list[Piece], list[tuple[int, int, bytes]]]:
    """The wire, one piece a frame, and what is to be read from it."""
    wire: list[Piece] = []
    expected = []
    for side, content, fragments in messages:
        end = ends[side]
        if content == "ping":
            wire.append((side, end.send(Ping(b"?"))))
            expected.append((side, 9, b"?"))
            continue
        step = len(content) // fragments + 1
        for start in range(0, max(len(content), 1), step):
            last = start + step >= len(content)
            part = content[start : start + step]
            event = (
                TextMessage(part, message_finished=last)
                if isinstance(part, str)
                else BytesMessage(part, message_finished=last)
            )
            wire.append((side, end.send(event)))
        expected.append((side, 1, content.encode()) if isinstance(content, str) else (side, 2, content))
    for side in (SERVER, CLIENT):
        wire.append((side, ends[side].send(CloseConnection(1000, "done"))))
        expected.append((side, 8, b"\x03\xe8done"))
    return wire, expected


def comparable(messages: list[WebSocketMessage]) -> list[tuple[int, int, bytes]]:
    assert all(not m.incomplete for m in messages)
    return [(m.direction, m.opcode, m.data) for m in messages]


@settings(max_examples=60, deadline=None)
@given(MESSAGES, st.sampled_from(EXTENSIONS), st.randoms(use_true_random=False), st.booleans())
def test_what_wsproto_writes_is_read_however_it_is_cut(
    messages: list[tuple[int, bytes | str, int]],
    extension: Callable[[], PerMessageDeflate] | None,
    random: Random,
    joined: bool,
) -> None:
    answer, ends = endpoints(extension)
    wire, expected = written_by_wsproto(ends, messages)
    run = Run(answer)
    for side, data in wire:
        cuts = sorted({0, len(data), *(random.randint(0, len(data)) for _ in range(0 if joined else 3))})
        for start, stop in itertools.pairwise(cuts):
            run.data(side, data[start:stop])
    assert len(run.emitted) == 1
    log = run.emitted[0].websocket
    assert log is not None
    assert comparable(log.messages) == expected
    assert log.close is not None
    assert (log.close.direction, log.close.code, log.close.reason) == (SERVER, 1000, b"done")
    assert run.problems == []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([CLIENT, SERVER]), st.binary(max_size=60), st.integers(-1, 50)), max_size=20))
def test_no_input_makes_it_raise(pieces: list[tuple[int, bytes, int]]) -> None:
    run = Run(b"permessage-deflate")
    for direction, data, gap in pieces:
        if gap >= 0:
            run.gap(direction, gap)
        run.data(direction, data)
    run.log()
    assert len(run.emitted) == 1
