"""What survives losses, damage, and any way of cutting a stream into segments."""

from __future__ import annotations

import itertools
import ssl
from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapng_utils.layers import CLIENT, SERVER, UnitKind
from pcapng_utils.tls.handshake import vector
from pcapng_utils.tls.limits import Limits
from tests.tls.lab import Flight, Heard, Talk, contexts
from tests.tls.sender import Sender

KINDS = {
    "TLS 1.3": (ssl.TLSVersion.TLSv1_3, ""),
    "GCM": (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    "ChaCha20": (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-CHACHA20-POLY1305"),
    "CBC, explicit IV": (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA256"),
    "CBC, chained IV": (ssl.TLSVersion.TLSv1, "ECDHE-ECDSA-AES128-SHA"),
    "CBC, explicit IV, MAC first": (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA256"),
    "CBC, chained IV, MAC first": (ssl.TLSVersion.TLSv1, "ECDHE-ECDSA-AES128-SHA"),
    "NULL": (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-NULL-SHA"),
}
MAC_FIRST = ssl.Options(1 << 19)  # SSL_OP_NO_ENCRYPT_THEN_MAC


@cache
def recorded(kind: str) -> tuple[bytes, list[Flight], list[bytes]]:
    """Key log, flights, and the server's clear records."""
    client, server = contexts(*KINDS[kind])
    if "MAC first" in kind:
        client.options |= MAC_FIRST
    said = Talk(client, server).handshake().send(CLIENT, b"hello?")
    writes = [bytes([number]) * (200 + 1500 * (number % 3)) for number in range(30)]
    for write in writes:
        said.send(SERVER, write)
    return said.keylog(), said.flights, writes


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges) if end > start]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12, deadline=None)
@given(cuts=st.lists(st.integers(0, 100_000), max_size=25))
def test_cuts_change_nothing(kind: str, cuts: list[int]) -> None:
    log, flights, _ = recorded(kind)
    whole = Heard(log).hear(flights, 1 << 20)
    cut = Heard(log).hear([(way, piece) for way, data in flights for piece in split(data, cuts)], 1 << 20)
    assert [event[:3] for event in cut.events] == [event[:3] for event in whole.events]
    assert cut.units.sizes == whole.units.sizes
    assert cut.units.kinds == whole.units.kinds


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(start=st.integers(0, 50_000), size=st.integers(1, 20_000), segment=st.sampled_from([1, 536, 1460, 60_000]))
def test_a_lost_span_costs_the_records_it_touches(kind: str, start: int, size: int, segment: int) -> None:
    log, flights, writes = recorded(kind)
    handshake, stream = _parted(flights)
    start %= len(stream) - 1
    size = min(size, len(stream) - start)
    heard = Heard(log).hear(handshake)
    heard.hear([(SERVER, stream[:start])], segment).lose(SERVER, size).hear([(SERVER, stream[start + size :])], segment)
    heard.tls.end(SERVER, 1 << 40, 1 << 20)
    records, carriers = _layout(kind, stream)
    end = start + size
    following = min((first for first, _ in records if first >= end), default=len(stream))
    # A chained IV is the end of the record before; where the MAC does not cover it, none found again is believed.
    lacks_iv = "chained" in kind and (following - end < 16 or "MAC first" not in kind)
    expected = [
        write
        for write, (first, last) in zip(writes, carriers, strict=True)
        if last <= start or (first >= end and not (lacks_iv and first == following))
    ]
    assert [data for what, way, data, _ in heard.events if what == "data" and way == SERVER] == expected


def _parted(flights: list[Flight]) -> tuple[list[Flight], bytes]:
    """Up to the client's request, and what the server sent from then on."""
    client = max(index for index, (way, _) in enumerate(flights) if way == CLIENT)
    last_request = next(i for i in range(len(flights)) if i >= 3 and flights[i][0] == CLIENT and i >= client)
    return flights[: last_request + 1], b"".join(data for way, data in flights[last_request + 1 :] if way == SERVER)


def _layout(kind: str, stream: bytes) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Where the stream's records begin and end: all of them, and those that carry writes."""
    edges = [0]
    while edges[-1] < len(stream):
        edges.append(vector(stream, edges[-1] + 3, 2)[1])
    records = list(itertools.pairwise(edges))
    log, flights, _ = recorded(kind)
    whole = Heard(log).hear(flights)
    units = [stamp.unit for what, way, _, stamp in whole.events if what == "data" and way == SERVER and stamp]
    before = len(whole.units.sizes[SERVER]) - len(records)
    return records, [records[unit - before] for unit in units]


def test_the_size_of_a_hole_is_told_where_it_can_be_known() -> None:
    sender = Sender()
    heard = Heard(sender.keylog).hear([*sender.hellos(), (SERVER, sender.record(b"a" * 100))])
    lost = sender.record(b"b" * 1000) + sender.record(b"c" * 2000)
    heard.lose(SERVER, len(lost)).hear([(SERVER, sender.record(b"d" * 10))])
    assert [event[:3] for event in heard.events] == [
        ("data", SERVER, b"a" * 100),
        (
            "gap",
            SERVER,
            3000,
        ),
        ("data", SERVER, b"d" * 10),
    ]


def test_a_hole_within_a_record_costs_that_record_alone() -> None:
    sender = Sender()
    heard = Heard(sender.keylog).hear([*sender.hellos(), (SERVER, sender.record(b"a" * 100))])
    damaged = sender.record(b"b" * 16000)
    heard.hear([(SERVER, damaged[:2000])]).lose(SERVER, 1460)
    heard.hear([(SERVER, damaged[3460:] + sender.record(b"c"))])
    assert [event[:3] for event in heard.events] == [
        ("data", SERVER, b"a" * 100),
        ("gap", SERVER, 16000),
        ("data", SERVER, b"c"),
    ]
    assert heard.facts.unread == [0, 1]
    assert heard.facts.reason == "lost-packets"
    assert list(heard.units.sizes[SERVER][-2:]) == [len(damaged), 5 + 1 + 17]
    assert heard.units.kinds[SERVER][-2] == UnitKind.UNREADABLE


def test_an_unknown_number_of_lost_bytes() -> None:
    sender = Sender()
    heard = Heard(sender.keylog).hear([*sender.hellos(), (SERVER, sender.record(b"a"))])
    for _ in range(700):
        sender.record(b"lost")
    heard.lose(SERVER, 0).hear([(SERVER, sender.record(b"b") + sender.record(b"c"))])
    assert [event[:3] for event in heard.events][1:] == [
        ("gap", SERVER, 0),
        ("data", SERVER, b"b"),
        ("data", SERVER, b"c"),
    ]


def test_key_updates_are_followed_even_where_they_are_lost() -> None:
    sender = Sender()
    heard = Heard(sender.keylog).hear([*sender.hellos(), (SERVER, sender.record(b"a"))])
    heard.hear([(SERVER, sender.update_keys() + sender.record(b"b"))])
    lost = sender.record(b"x") + sender.update_keys() + sender.record(b"y")
    heard.lose(SERVER, len(lost)).hear([(SERVER, sender.record(b"c") + sender.update_keys() + sender.record(b"d"))])
    assert heard.clear(SERVER) == b"abcd"


def test_a_bad_record_is_told_and_the_next_one_read() -> None:
    sender = Sender()
    heard = Heard(sender.keylog).hear([*sender.hellos(), (SERVER, sender.record(b"a"))])
    bad = bytearray(sender.record(b"b" * 50))
    bad[20] ^= 1
    heard.hear([(SERVER, bytes(bad)), (SERVER, sender.record(b"c"))])
    assert [event[:3] for event in heard.events] == [
        ("data", SERVER, b"a"),
        ("gap", SERVER, 50),
        ("data", SERVER, b"c"),
    ]
    assert heard.kinds() == {"tls-bad-record"}
    assert heard.facts.decrypted == [None, False]
    assert heard.facts.read == [0, 2]
    assert heard.facts.reason == "bad-record"


def test_a_direction_that_never_opens_is_given_up_and_counted() -> None:
    sender = Sender()
    wrong = sender.keylog.replace((b"s" * 32).hex().encode(), b"ee" * 32)
    wrong += f"SERVER_HANDSHAKE_TRAFFIC_SECRET {sender.random.hex()} {'dd' * 32}\n".encode()
    heard = Heard(wrong).hear(sender.hellos())
    heard.hear([(SERVER, sender.record(b"x")) for _ in range(100)])
    assert len(heard.problems) == Limits().failures
    assert heard.facts.unread == [0, 100]
    assert heard.facts.reason == "bad-record"


def test_a_lost_change_cipher_spec_is_made_up_for() -> None:
    said = Talk(*contexts(ssl.TLSVersion.TLSv1_2)).handshake().send(CLIENT, b"1").send(SERVER, b"2")
    said.send(CLIENT, b"3")
    for way, flight in ((CLIENT, 2), (SERVER, 3)):
        heard = Heard(said.keylog())
        for number, (direction, data) in enumerate(said.flights):
            if number == flight:
                assert direction == way
                heard.lose(direction, len(data))
            else:
                heard.hear([(direction, data)])
        assert heard.clear(CLIENT) == b"13"
        assert heard.clear(SERVER) == b"2"


def test_a_lost_server_hello_is_the_reason() -> None:
    said = Talk(*contexts()).handshake().send(CLIENT, b"1").send(SERVER, b"2").send(CLIENT, b"3").send(SERVER, b"4")
    heard = Heard(said.keylog())
    heard.hear(said.flights[:1]).lose(SERVER, len(said.flights[1][1])).hear(said.flights[2:])
    assert heard.facts.reason == "lost-packets"
    assert not heard.uppers


def test_something_else_than_tls_is_given_up() -> None:
    heard = Heard(limits=Limits(scan=4096)).hear([(CLIENT, b"GET / HTTP/1.1\r\n" * 1000)])
    assert heard.kinds() == {"tls-bad-header", "tls-lost-framing"}


@pytest.mark.parametrize("segment", [1, 50, 1460])
def test_ciphertext_that_looks_like_a_header_misleads_nobody(segment: int) -> None:
    sender = Sender()
    heard = Heard(sender.keylog).hear([*sender.hellos(), (SERVER, sender.record(b"a"))])
    lost = sender.record(b"b" * 5000)
    heard.lose(SERVER, len(lost))
    rest = bytes(30) + b"\x17\3\3\0\x40" + bytes(20)
    heard.hear([(SERVER, rest + b"".join(sender.record(letter) for letter in (b"c", b"d", b"e")))], segment)
    assert heard.clear(SERVER) == b"acde"


@pytest.mark.parametrize("segment", [13, 1460, 60_000])
def test_a_stream_of_ruins_ends(segment: int) -> None:
    record = b"\x17\3\3\0\1x"
    heard = Heard(limits=Limits(scan=1 << 14)).hear([(SERVER, (2 * record + b"?") * 6000)], segment)
    heard.tls.end(SERVER, 1, 1)
    heard.tls.close()
    assert heard.kinds() & {"tls-bad-header", "tls-lost-framing"}
    assert heard.facts.unread[SERVER] > 0


def test_a_record_cut_short_by_the_end_is_told() -> None:
    sender = Sender()
    heard = Heard(sender.keylog).hear([*sender.hellos(), (SERVER, sender.record(b"a") + sender.record(b"b")[:-1])])
    heard.tls.end(SERVER, 1, 1)
    assert heard.clear(SERVER) == b"a"
    assert heard.kinds() == {"tls-truncated"}
    assert [event[0] for event in heard.events] == ["data", "end"]


def mangle(data: bytes, heard: Heard, direction: int, random: Random) -> bytes:
    """Change, drop or insert bytes, or tell of a gap or an end."""
    at = random.randrange(len(data) + 1)
    action = random.choice(["change", "drop", "insert", "gap", "end"])
    if action == "change":
        return data[:at] + random.randbytes(random.randint(1, 3)) + data[at + 1 :]
    if action == "drop":
        return data[:at] + data[at + 7 :]
    if action == "insert":
        return data[:at] + random.choice([b"\x17\3\3\x40\0", b"\x16\3\1\0\2", bytes(9), b"\x80\x20\1\3\1"]) + data[at:]
    if action == "gap":
        heard.lose(direction, random.choice([0, 1, 5, 100, 3000, 40_000]))
    else:
        heard.tls.end(direction, 1, 1)
    return data


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 1 << 32))
def test_no_bytes_raise(seed: int) -> None:
    """Whatever becomes of a real stream: bytes changed, dropped, doubled, with or without notice."""
    random = Random(seed)
    log, flights, _ = recorded(random.choice([kind for kind in KINDS if "chained" not in kind]))
    heard = Heard(log, Limits(scan=1 << 14))
    for direction, data in flights:
        while random.random() < 0.2:
            data = mangle(data, heard, direction, random)
        heard.hear([(direction, data)], random.choice([7, 1460]))
    heard.tls.close()
    assert all(upper.closed == 1 for upper in heard.uppers)
    assert len(heard.uppers) <= 1
