"""DNS messages in, exchanges out; dnspython and tshark say what is right."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from base64 import urlsafe_b64encode
from pathlib import Path

import dns.message
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.capture.events import PacketBatch
from pcapng_utils.capture.reader import CaptureReader
from pcapng_utils.layers import Problem, Stamp
from pcapng_utils.net.dns import TRANSPORTS, DnsExchange, DnsReader, DnsStream, over_https, query_in_target
from pcapng_utils.net.dns_message import BadMessageError, DnsAnswer, parse
from pcapng_utils.net.flow import Endpoint, Flow
from pcapng_utils.net.network import Network

CORPUS = Path(os.environ.get("PCAPNG_UTILS_CORPUS", Path(__file__).parents[2] / "../shared/captures"))
CLIENT, SERVER = 0, 1

RECORDS = [
    ("www.example.org.", 300, "CNAME", "Edge.example.net."),
    ("edge.example.net.", 60, "A", "192.0.2.1"),
    ("edge.example.net.", 60, "AAAA", "2001:db8::1"),
    ("other.example.", 60, "A", "192.0.2.99"),
    ("a\\.b.c\\032d.example.", 60, "NS", "ns.example."),
    ("example.", 60, "MX", "10 mail.example."),
    ("example.", 60, "TXT", '"v=spf1" "-all"'),
    ("example.", 60, "HTTPS", '1 . alpn="h2,h3" ipv4hint="192.0.2.1"'),
    ("example.", 60, "SOA", "ns.example. admin.example. 1 2 3 4 5"),
    ("example.", 60, "TYPE4711", "\\# 3 010203"),
    (".", 60, "NS", "a.root-servers.net."),
]


def flow(port: int = 53) -> Flow:
    return Flow("1", "udp", Endpoint("10.0.0.1", 4000), Endpoint("10.0.0.2", port), "", 0, 1)


def query(name: str = "www.example.org.", kind: str = "A", identifier: int = 7) -> bytes:
    message = dns.message.make_query(name, kind)
    message.id = identifier
    return message.to_wire()


def answer(
    name: str = "www.example.org.", kind: str = "A", identifier: int = 7, rcode: int = 0, count: int = 4
) -> bytes:
    message = dns.message.make_response(dns.message.from_wire(query(name, kind, identifier)))
    message.set_rcode(rcode)  # type: ignore[arg-type]
    for owner, ttl, type_, data in RECORDS[:count]:
        message.answer.append(dns.rrset.from_text(owner, ttl, "IN", type_, data))
    return message.to_wire()


class Read:
    def __init__(self, port: int = 53) -> None:
        self.exchanges: list[DnsExchange] = []
        self.problems: list[Problem] = []
        self.reader = DnsReader(flow(port), self.exchanges.append, self.problems.append)


def test_records_are_written_as_in_zone_files() -> None:
    answers = parse(answer(count=len(RECORDS))).answers
    assert len(answers) == len(RECORDS)
    for (owner, ttl, kind, data), found in zip(RECORDS, answers, strict=True):
        whole = found.type in {"MX", "SOA"}
        assert found._replace(name=found.name.lower()) == DnsAnswer(
            owner.rstrip(".") or ".", kind, ttl, data if whole else data.rstrip(".")
        )


def test_an_answer_is_paired_with_its_question() -> None:
    read = Read()
    read.reader.datagram(CLIENT, query(), 1000, 1)
    read.reader.datagram(CLIENT, query(kind="AAAA", identifier=8), 1100, 2)
    read.reader.datagram(CLIENT, query(), 1200, 3)
    read.reader.datagram(SERVER, answer("WWW.example.org."), 2000, 4)
    (exchange,) = read.exchanges
    assert (exchange.name, exchange.type, exchange.transport, exchange.rcode) == (
        "www.example.org",
        "A",
        "udp",
        "NOERROR",
    )
    assert (exchange.client, exchange.server) == ("10.0.0.1", "10.0.0.2")
    assert (exchange.asked, exchange.answered, exchange.frame, exchange.time) == (1000, 2000, 4, 1000)
    assert list(exchange.addresses()) == ["192.0.2.1", "2001:db8::1"]
    read.reader.close()
    unanswered = read.exchanges[1]
    assert (unanswered.type, unanswered.asked, unanswered.answered, unanswered.rcode) == ("AAAA", 1100, None, None)


def test_an_answer_without_a_question() -> None:
    read = Read()
    read.reader.datagram(SERVER, answer(rcode=3, count=0), 2000, 4)
    (exchange,) = read.exchanges
    assert (exchange.asked, exchange.answered, exchange.rcode, exchange.time) == (None, 2000, "NXDOMAIN", 2000)


def test_the_message_tells_who_asked() -> None:
    read = Read()
    read.reader.datagram(SERVER, query(), 1, 1)
    read.reader.datagram(CLIENT, answer(), 2, 2)
    assert (read.exchanges[0].client, read.exchanges[0].server) == ("10.0.0.2", "10.0.0.1")


def test_multicast_answers_have_no_question() -> None:
    message = dns.message.Message(0)
    message.flags = 0x8400
    for owner, ttl, kind, data in RECORDS[1:3]:
        message.answer.append(dns.rrset.from_text(owner, ttl, "IN", kind, data))
    wire = bytearray(message.to_wire())
    wire[wire.index(b"\0\1\0\1\0\0\0\x3c") + 2] |= 0x80  # cache-flush
    read = Read(5353)
    read.reader.datagram(CLIENT, query(), 1, 1)
    read.reader.datagram(CLIENT, bytes(wire), 2, 2)
    read.reader.close()
    (exchange,) = read.exchanges
    assert (exchange.name, exchange.transport, list(exchange.addresses())) == (
        "edge.example.net",
        "mdns",
        ["192.0.2.1", "2001:db8::1"],
    )


def test_an_answer_that_is_cut_off_keeps_what_is_there() -> None:
    whole = answer()
    cut = parse(whole[: whole.index(bytes([192, 0, 2, 1])) + 4])
    assert [one.data for one in cut.answers] == ["Edge.example.net", "192.0.2.1"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\1\x81\x80\0\1",
        struct.pack("!6H", 1, 0x8180, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1",
        struct.pack("!6H", 1, 0x8180, 1, 0, 0, 0) + b"\x05ab",
        struct.pack("!6H", 1, 0x8180, 1, 0, 0, 0) + (b"\x3f" + bytes(63)) * 5 + bytes(5),
        struct.pack("!6H", 1, 0x8180, 60000, 0, 0, 0) + bytes(60000),
    ],
    ids=["empty", "short", "loop", "cut name", "long name", "many questions"],
)
def test_bad_messages_are_told(data: bytes) -> None:
    read = Read()
    read.reader.datagram(SERVER, data, 1, 9)
    assert (read.exchanges, [(problem.kind, problem.frame) for problem in read.problems]) == (
        [],
        [("dns-bad-message", 9)],
    )


@given(st.binary(max_size=120), st.integers(0, 65535))
def test_any_bytes_may_come(tail: bytes, kind: int) -> None:
    wire = struct.pack("!6H", 1, 0x8180, 1, 3, 0, 0) + b"\1a\0\0\1\0\1\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, 9)
    for data in (tail, wire + tail):
        try:
            assert len(parse(data).answers) <= 3
        except BadMessageError:
            assert data == tail


def test_questions_without_answers_do_not_pile_up() -> None:
    read = Read()
    for number in range(DnsReader.MAX_WAITING + 3):
        read.reader.datagram(CLIENT, query(identifier=number), number, number)
    assert [exchange.frame for exchange in read.exchanges] == [0, 1, 2]


@given(st.lists(st.integers(1, 40), min_size=1))
def test_a_stream_may_be_cut_anywhere(sizes: list[int]) -> None:
    read = Read()
    stream = DnsStream(read.reader)
    wires = [(CLIENT, query()), (CLIENT, query(kind="AAAA")), (SERVER, answer()), (SERVER, answer(kind="AAAA"))]
    for direction, wire in wires:
        data, number = struct.pack("!H", len(wire)) + wire, 0
        while data:
            size = sizes[number % len(sizes)]
            stream.data(direction, data[:size], Stamp(1, 2, (3,), 0))
            data, number = data[size:], number + 1
    stream.close()
    assert [(one.type, one.asked, one.answered, len(one.answers)) for one in read.exchanges] == [
        ("A", 2, 2, 4),
        ("AAAA", 2, 2, 4),
    ]


def test_a_stream_with_a_hole_is_given_up() -> None:
    read = Read()
    stream, wire = DnsStream(read.reader), answer()
    stream.gap(SERVER, 9, Stamp(1, 1, (1,), 0))
    stream.data(SERVER, struct.pack("!H", len(wire)) + wire, Stamp(1, 1, (1,), 0))
    assert read.exchanges == []


def test_over_https() -> None:
    target = b"/dns-query?dns=" + urlsafe_b64encode(query()).rstrip(b"=")
    exchange = over_https(flow(443), query_in_target(target), answer(), 1, 2, 3, lambda _: None)
    assert exchange is not None
    assert (exchange.name, exchange.transport, exchange.asked, exchange.answered) == ("www.example.org", "https", 1, 2)
    assert query_in_target(b"/dns-query") is query_in_target(b"/?dns=a") is None
    assert over_https(flow(443), b"?", None, 1, 2, 3, lambda _: None) is None


@pytest.mark.skipif(shutil.which("tshark") is None or not CORPUS.is_dir(), reason="no tshark, or no captures")
@pytest.mark.parametrize(
    "name", ["ndpi/android.pcap", "ndpi/anyconnect-vpn.pcap", "ndpi/weibo.pcap", "pcapdroid/metadata.pcap"]
)
def test_same_as_tshark(name: str) -> None:
    found: list[DnsExchange] = []

    def on_flow(new: Flow) -> DnsReader | None:
        if new.transport == "udp" and new.server.port in TRANSPORTS:
            return DnsReader(new, found.append, lambda _: None)
        return None

    network = Network(on_flow, lambda _: None, lambda _: None)
    with (CORPUS / name).open("rb") as source:
        for event in CaptureReader(source, name):
            if isinstance(event, PacketBatch):
                network.feed(event)
    network.close()
    fields = [option for field in ("frame.number", "dns.qry.name", "dns.a", "dns.time") for option in ("-e", field)]
    command = [
        "tshark",
        "-n",
        "-r",
        str(CORPUS / name),
        "-Y",
        "udp && dns.flags.response==1 && dns.qry.name",
        "-T",
        "fields",
    ]
    listing = subprocess.run([*command, *fields], capture_output=True, check=True, text=True).stdout
    ours = {
        (
            one.frame,
            one.name,
            tuple(answer.data for answer in one.answers if answer.type == "A"),
            None if one.asked is None else (one.answered or 0) - one.asked,
        )
        for one in found
        if one.answered is not None and one.transport != "mdns"
    }
    theirs = set()
    for line in listing.splitlines():
        frame, asked, addresses, time = line.split("\t")
        elapsed = round(float(time) * 1e9) if time else None
        theirs.add((int(frame), asked.lower(), tuple(filter(None, addresses.split(","))), elapsed))
    assert theirs
    assert ours == theirs
