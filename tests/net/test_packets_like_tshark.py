"""Real captures: as many packets as tshark finds, at the same times, from and to the same addresses and ports.

A handful of captures that differ in kind; all of them with PCAPNG_UTILS_FULL=1 (a minute).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.net.oracle import CORPUS, TSHARK, ours, tsharks

pytestmark = pytest.mark.skipif(TSHARK is None or not CORPUS.is_dir(), reason="needs tshark and the corpus")

TYPICAL = (
    "fritap/weather6_apiapi_h2_plaintext.pcapng",
    "ndpi/6in4tunnel.pcap",
    "ndpi/dlt_ppp.pcap",
    "ndpi/fuzz-2006-06-26-2594.pcap",
    "ndpi/fuzz-2021-10-13.pcap",
    "ndpi/gre.pcapng",
    "ndpi/ip_fragmented_garbage.pcap",
    "ndpi/ipv6_in_gtp.pcap",
    "ndpi/quic-fuzz-overflow.pcapng",
    "ndpi/quic-v2.pcapng",
    "ndpi/stun_dtls_rtp.pcapng",
    "pcapdroid/invalid_or_unsupported.pcap",
    "pcapdroid/metadata.pcap",
)

EXPLAINED = {
    # The EtherType says IPv4, the version 6: tshark reads on as IPv6, whose first extension header is then too long.
    "fuzz-2006-06-26-2594.pcap": {669},
    # A first fragment that is cut, of the same datagram as frame 6: tshark shows the ports of frame 6 alone.
    "invalid_or_unsupported.pcap": {10},
}


def captures() -> list[str]:
    if os.environ.get("PCAPNG_UTILS_FULL"):
        return sorted(str(path.relative_to(CORPUS)) for path in CORPUS.glob("*/*.pcap*"))
    return list(TYPICAL)


@pytest.mark.parametrize("name", captures())
def test_packets_are_those_that_tshark_finds(name: str) -> None:
    path = CORPUS / name
    found, _ = ours(path)
    expected = tsharks(path)
    assert len(found) == len(expected) > 0
    pairs = enumerate(zip(found, expected, strict=True), 1)
    different = {frame: pair for frame, pair in pairs if pair[0] != pair[1]}
    assert different.keys() == EXPLAINED.get(Path(name).name, set()), different
