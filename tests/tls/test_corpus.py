"""Public captures: all cipher suites decrypted, and the same fingerprints and names as tshark."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pcapng_utils.layers import CLIENT, SERVER
from tests.tls.lab import Heard

CORPUS = Path(os.environ.get("PCAPNG_UTILS_CORPUS", "../shared/captures"))

pytestmark = pytest.mark.skipif(
    not CORPUS.is_dir() or shutil.which("tshark") is None, reason="no public captures, or no tshark to cut them"
)

CAPTURES = [
    "android.pcap",
    "anyconnect-vpn.pcap",
    "chrome.pcap",
    "doh.pcapng",
    "emotet.pcap",
    "iphone.pcap",
    "long_tls_certificate.pcap",
    "tls_2_reasms.pcapng",
    "tls_alert.pcap",
    "tls_certificate_too_long.pcap",
    "tls_ech.pcapng",
    "tls_esni_sni_both.pcap",
    "tls_long_cert.pcap",
    "tls_malicious_sha1.pcapng",
    "tls_1.3_unidirectional_client.pcapng",
    "tls_1.2_unidirectional_server.pcapng",
]


@dataclass
class Stream:
    """One TCP connection as tshark sees it."""

    packets: list[tuple[str, int, int, bytes]] = field(default_factory=list)
    """Sender, sequence number, frame, payload."""
    client: str = ""
    ja3: list[str] = field(default_factory=list)
    ja3s: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def hear(self, log: bytes = b"") -> Heard:
        """Feed the payloads in order; a packet that comes too early waits for those before it."""
        heard = Heard(log)
        expected: dict[int, int] = {}
        waiting: dict[int, dict[int, tuple[int, bytes]]] = {CLIENT: {}, SERVER: {}}
        for sender, sequence, frame, payload in self.packets:
            direction = CLIENT if sender == self.client else SERVER
            expected.setdefault(direction, sequence)
            waiting[direction][sequence] = frame, payload
            while expected[direction] in waiting[direction]:
                number, data = waiting[direction].pop(expected[direction])
                expected[direction] += len(data)
                heard.tls.segment(direction, data, number * 1000, number)
        heard.tls.close()
        return heard


def streams(path: Path) -> list[Stream]:
    fields = ["tcp.stream", "tcp.srcport", "ip.src", "ipv6.src", "tcp.seq_raw", "frame.number", "tcp.payload"]
    told = ["tls.handshake.ja3", "tls.handshake.ja3s", "tls.handshake.extensions_server_name"]
    arguments = [argument for name in fields + told for argument in ("-e", name)]
    lines = subprocess.run(
        ["tshark", "-r", path, "-Y", "tcp && !icmp", "-T", "fields", *arguments],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    found: dict[str, Stream] = defaultdict(Stream)
    for line in lines:
        number, port, ip4, ip6, sequence, frame, payload, ja3, ja3s, name = line.split("\t")
        stream, sender = found[number], f"{port} {ip4}{ip6}"
        if payload:
            stream.packets.append((sender, int(sequence), int(frame), bytes.fromhex(payload)))
        if ja3:
            stream.client = sender
        stream.ja3 += filter(None, ja3.split(","))
        stream.ja3s += filter(None, ja3s.split(","))
        stream.names += filter(None, name.split(","))
    return list(found.values())


@pytest.mark.parametrize("capture", CAPTURES)
def test_fingerprints_and_names_are_those_of_tshark(capture: str) -> None:
    compared = 0
    for stream in streams(CORPUS / "ndpi" / capture):
        facts = stream.hear().facts
        if stream.ja3:
            assert facts.ja3 == stream.ja3[0]
            compared += 1
        if stream.names:
            assert facts.sni == stream.names[0]
        if stream.ja3s:
            assert facts.ja3s == stream.ja3s[-1]
            compared += 1
    assert compared


def test_every_cipher_suite_is_decrypted() -> None:
    """73 requests, each under another suite of TLS 1.2, export ciphers included."""
    folder = CORPUS / "tls-keys"
    log = (folder / "all-cipher-suites.keys.txt").read_bytes()
    suites = set()
    for stream in streams(folder / "all-cipher-suites.pcapng"):
        stream.client = stream.packets[0][0]
        heard = stream.hear(log)
        assert heard.clear(CLIENT) == b"GET / HTTP/1.0\r\n\r\n", heard.facts.cipher
        assert heard.clear(SERVER).startswith(b"HTTP/1.0 200 ok"), heard.facts.cipher
        assert heard.facts.unread == [0, 0]
        assert not heard.problems
        suites.add(heard.facts.cipher)
    assert len(suites) == 73
