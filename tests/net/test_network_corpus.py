"""Real captures: the same connections, counts and bytes as tshark finds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from pcapng_utils.capture.events import PacketBatch
from pcapng_utils.capture.reader import CaptureReader
from pcapng_utils.net.network import Network
from tests.net.wire import Heard, Recorder

ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("PCAPNG_UTILS_CORPUS", ROOT / "../shared/captures"))

pytestmark = [
    pytest.mark.skipif(not CORPUS.is_dir(), reason="no captures"),
    pytest.mark.skipif(shutil.which("tshark") is None, reason="no tshark"),
]

COUNTED = [
    "ndpi/WebattackRCE.pcap",
    "ndpi/WebattackSQLinj.pcap",
    "ndpi/anyconnect-vpn.pcap",
    "ndpi/KakaoTalk_chat.pcap",
    "ndpi/quickplay.pcap",
    "ndpi/whatsapp_login_call.pcap",
    "ndpi/instagram.pcap",
    "ndpi/6in4tunnel.pcap",
    "ndpi/tls_multiple_synack_different_seq.pcapng",
    "ndpi/http_asymmetric.pcapng",
    "tls-keys/all-cipher-suites.pcapng",
    "fritap/*.pcap*",
    "pcapdroid/metadata.pcap",
]
"""Left out are captures where we mean to differ: tshark takes the outside of GTP and VXLAN for a conversation of its
own, and headers that are too short for segments; it joins conversations that SDP announced, and two connections of
which the second one's SYN is missing (ndpi_match_string_subprotocol__error)."""

FOLLOWED = [
    "ndpi/WebattackRCE.pcap",
    "ndpi/anyconnect-vpn.pcap",
    "ndpi/instagram.pcap",
    "ndpi/tls_missing_ch_frag.pcap",
    "ndpi/tls_multiple_synack_different_seq.pcapng",
    "tls-keys/all-cipher-suites.pcapng",
]
"""Left out are captures where tshark keeps to itself what comes behind a hole that nobody acknowledged (quickplay), or
follows the wrong one of two SYN-ACKs (KakaoTalk_chat)."""
_HOLE = re.compile(rb"\[\d+ bytes missing in capture file\]\0")
_KEEP_ALIVE = b"[1 bytes missing in capture file]\0"


def hear(path: Path) -> Heard:
    heard = Heard()
    network = Network(
        lambda flow: heard.records.setdefault(flow.id, Recorder()), heard.flows.append, heard.problems.append
    )
    with path.open("rb") as source:
        for event in CaptureReader(source, str(path)):
            if isinstance(event, PacketBatch):
                network.feed(event)
    network.close()
    return heard


def tshark(path: Path, *arguments: str) -> str:
    command = ["tshark", "-n", "-r", str(path), *arguments]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def captures(patterns: list[str]) -> list[str]:
    return [str(path.relative_to(CORPUS)) for pattern in patterns for path in sorted(CORPUS.glob(pattern))]


Ends = frozenset[tuple[str, int, int, int]]
"""Address, port, packets and bytes of each end that sent something."""


def their_flows(path: Path) -> dict[tuple[str, int], Ends]:
    """By transport and first frame."""
    names = ["frame.number", "ip.src", "ipv6.src", "frame.len"]
    names += [f"{transport}.{name}" for transport in ("tcp", "udp") for name in ("stream", "srcport")]
    options = [option for name in names for option in ("-e", name)]
    first: dict[tuple[str, str], int] = {}
    sent: Counter[tuple[str, str, str, str]] = Counter()
    size: Counter[tuple[str, str, str, str]] = Counter()
    listing = tshark(path, "-Y", "(tcp || udp) && !icmp && !icmpv6", "-T", "fields", "-E", "occurrence=l", *options)
    for line in listing.splitlines():
        frame, ipv4, ipv6, length, *streams = line.split("\t")
        transport, (stream, port) = ("tcp", streams[:2]) if streams[0] else ("udp", streams[2:])
        first.setdefault((transport, stream), int(frame))
        end = transport, stream, ipv6 or ipv4, port
        sent[end] += 1
        size[end] += int(length)
    return {
        (transport, frame): frozenset(
            (end[2], int(end[3]), sent[end], size[end]) for end in sent if end[:2] == (transport, stream)
        )
        for (transport, stream), frame in first.items()
    }


@pytest.mark.parametrize("name", captures(COUNTED))
def test_same_flows_and_counts(name: str) -> None:
    ours = {
        (flow.transport, flow.first_frame): frozenset(
            (end.ip, end.port, flow.packets[direction], flow.bytes[direction])
            for direction, end in enumerate((flow.client, flow.server))
            if flow.packets[direction]
        )
        for flow in hear(CORPUS / name).flows
    }
    assert ours == their_flows(CORPUS / name)


def their_streams(path: Path, streams: list[str]) -> dict[str, list[bytes]]:
    """What both ends sent, by tcp.stream; "<hole>" for what is missing."""
    taps = [option for stream in streams for option in ("-z", f"follow,tcp,raw,{stream}")]
    followed: dict[str, list[bytes]] = {}
    for block in tshark(path, "-q", *taps).split("=" * 67):
        lines = block.strip("\n").splitlines()
        if len(lines) < 2 or not lines[1].startswith("Filter"):
            continue
        data = [bytearray(), bytearray()]
        for line in lines[4:]:
            data[line.startswith("\t")] += bytes.fromhex(line)
        followed[lines[1].split()[-1]] = sorted(_HOLE.sub(b"<hole>", part.replace(_KEEP_ALIVE, b"")) for part in data)
    return followed


@pytest.mark.parametrize("name", captures(FOLLOWED))
def test_same_bytes(name: str) -> None:
    path = CORPUS / name
    heard = hear(path)
    pairs = tshark(path, "-Y", "tcp && !icmp", "-T", "fields", "-e", "tcp.stream", "-e", "frame.number").splitlines()
    firsts: dict[str, str] = {}
    for pair in pairs:
        firsts.setdefault(*pair.split("\t"))
    theirs = their_streams(path, list(firsts)[:40])
    assert theirs
    for stream, expected in theirs.items():
        streams = [heard.records[firsts[stream]].stream(direction) for direction in (0, 1)]
        assert sorted(map(joined, streams)) == [part.removesuffix(b"<hole>") for part in expected], firsts[stream]


def joined(stream: list[object]) -> bytes:
    """A hole at the very end is known by acknowledgements alone: tshark does not always tell of it."""
    parts = [part if isinstance(part, bytes) else b"<hole>" for part in stream if part != "end"]
    return b"".join(parts).removesuffix(b"<hole>")
