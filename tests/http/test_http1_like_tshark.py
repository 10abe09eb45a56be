"""On public captures, HTTP/1.x is read as tshark reads it: methods, targets, statuses, and the sizes of bodies."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple
from xml.etree import ElementTree

import pytest

from pcapng_utils.capture.events import PacketBatch
from pcapng_utils.capture.reader import CaptureReader
from pcapng_utils.http.body import Body
from pcapng_utils.http.detect import looks_like_http1
from pcapng_utils.http.exchange import Exchange
from pcapng_utils.http.http1 import Http1Connection
from pcapng_utils.layers import Problem, SegmentLayer, Stamp, UnitLog
from pcapng_utils.net.flow import Flow
from pcapng_utils.net.network import Network

CORPUS: Final = Path(os.environ.get("PCAPNG_UTILS_CORPUS", Path(__file__).parents[2] / "../shared/captures")) / "ndpi"
TSHARK: Final = shutil.which("tshark")


class Seen(NamedTuple):
    """A message, as told by either side."""

    start: str
    """Method and target (up to the first space: tshark ends it there), or the status."""
    size: int | None
    """Bytes of the body after the transfer coding; None: not told."""


class Sniffer:
    """Gives a TCP connection's bytes to HTTP/1 if either direction begins like it."""

    def __init__(self, seen: list[Seen], problems: list[Problem]) -> None:
        self.seen = seen
        self.units = UnitLog()
        self.http: bool | None = None
        self.held: list[tuple[int, bytes, int, Stamp]] = []
        self.began = [b"", b""]
        self.layer = Http1Connection(self.emit, problems.append, Body, self.units, lambda exchange, kind: None)

    def emit(self, exchange: Exchange) -> None:
        if exchange.request is not None and exchange.request.method:
            target = exchange.request.target.decode("latin-1").partition(" ")[0]
            self.seen.append(Seen(f"{exchange.request.method.decode()} {target}", exchange.request.body.size))
        for response in (*exchange.interim, exchange.response):
            if response is not None and response.status:
                self.seen.append(Seen(str(response.status), response.body.size))

    def feed(self, direction: int, data: bytes, gap: int, stamp: Stamp) -> None:
        if self.http is None:
            self.held.append((direction, data, gap, stamp))
            self.began[direction] += data
            if data:
                self.http = looks_like_http1(self.began[direction], direction)
            if self.http:
                for held in self.held:
                    self.feed(*held)
        elif self.http and data:
            self.layer.data(direction, data, stamp)
        elif self.http:
            self.layer.gap(direction, gap, stamp)

    def segment(self, direction: int, data: bytes, time: int, frame: int) -> None:
        unit = self.units.add(direction, time, frame, len(data))
        self.feed(direction, data, 0, Stamp(time, time, (frame,), unit))

    def gap(self, direction: int, size: int, time: int, frame: int) -> None:
        self.feed(direction, b"", size, Stamp(time, time, (frame,), 0))

    def end(self, direction: int, time: int, frame: int) -> None:
        if self.http:
            self.layer.end(direction, None)

    def close(self) -> None:
        if self.http:
            self.layer.close()


def ours(path: Path) -> list[Seen]:
    seen: list[Seen] = []
    problems: list[Problem] = []

    def on_flow(flow: Flow) -> SegmentLayer | None:
        return Sniffer(seen, problems) if flow.transport == "tcp" else None

    network = Network(on_flow, lambda flow: None, problems.append)
    with path.open("rb") as source:
        for event in CaptureReader(source, path.name):
            if isinstance(event, PacketBatch):
                network.feed(event)
    network.close()
    return seen


def tsharks(path: Path) -> list[Seen]:
    options = ["-o", "http.decompress_body:FALSE", "-Y", "http", "-T", "pdml", "-J", "http"]
    told = subprocess.run([str(TSHARK), "-r", str(path), *options], capture_output=True, check=False).stdout
    seen = []
    for proto in ElementTree.fromstring(told).iter("proto"):  # noqa: S314 - tshark wrote it
        if proto.get("name") != "http":
            continue
        found = {field.get("name"): field for field in proto.iter("field")}
        body, coded = found.get("http.file_data"), "http.content_encoding" in found
        size = None if coded else int(body.get("size", "0")) if body is not None else 0
        if "http.request.method" in found:
            target = bytes.fromhex(found["http.request.uri"].get("value", "")).decode("latin-1")
            seen.append(Seen(f"{found['http.request.method'].get('show')} {target}", size))
        elif "http.response.code" in found:
            seen.append(Seen(found["http.response.code"].get("show", ""), size))
    return seen


CAPTURES: Final = [
    "6in4tunnel.pcap",
    "android.pcap",
    "bt-http.pcapng",
    "conncheck.pcap",
    "emotet.pcap",
    "http-lines-split.pcap",
    "http-manipulated.pcap",
    "http-proxy.pcapng",
    "http_asymmetric.pcapng",
    "http_connect.pcap",
    "http_starting_with_reply.pcapng",
    "http_ua_splitted_in_two_pkts.pcapng",
    "ipp.pcap",
    "log4j-webapp-exploit.pcap",
    "mpeg-dash.pcap",
    "ocsp.pcapng",
    "quickplay.pcap",
    "sql_injection.pcap",
    "starcraft_battle.pcap",
    "webdav.pcap",
    "weibo.pcap",
    "zattoo.pcap",
]
DIFFERENT: Final = {
    # tshark shows this long target as empty.
    "http-manipulated.pcap": {Seen("GET ", 0)},
}


@pytest.mark.skipif(TSHARK is None, reason="needs tshark")
@pytest.mark.parametrize("name", CAPTURES)
def test_every_message_tshark_shows_is_read(name: str) -> None:
    path = CORPUS / name
    if not path.exists():
        pytest.skip("needs the public captures")
    expected, found = Counter(tsharks(path)), Counter(ours(path))
    sizes_untold = Counter(seen.start for seen in expected.elements() if seen.size is None)
    missing = {seen for seen in expected - found if seen.size is not None} - DIFFERENT.get(name, set())
    assert expected
    assert missing == set()
    assert sizes_untold <= Counter(seen.start for seen in found.elements())


@pytest.mark.skipif(TSHARK is None, reason="needs tshark")
def test_messages_with_bodies_were_compared() -> None:
    path = CORPUS / "ocsp.pcapng"
    if not path.exists():
        pytest.skip("needs the public captures")
    assert sum(seen.size or 0 for seen in ours(path)) > 10_000
