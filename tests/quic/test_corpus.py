"""Public captures, against tshark."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from pcapng_utils.layers import CLIENT, SERVER
from tests.quic.reading import read_capture

CORPUS = Path(os.environ.get("PCAPNG_UTILS_CORPUS", Path(__file__).parents[3] / "shared" / "captures"))
NDPI = CORPUS / "ndpi"

pytestmark = pytest.mark.skipif(not NDPI.is_dir(), reason="the public captures are not at hand")
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")

NAMED = [*sorted(path.name for path in NDPI.glob("quic[-_][!q]*")), "doq.pcapng", "doq_adguard.pcapng", "sites.pcapng"]

VERSIONS = {
    "quic-23.pcap": "draft-23",
    "quic-24.pcap": "draft-24",
    "quic-27.pcap": "draft-27",
    "quic-28.pcap": "draft-27",
    "quic-29.pcap": "draft-29",
    "quic-33.pcapng": "QUIC v1",
    "quic-34.pcap": "draft-34",
    "quic-forcing-vn-with-data.pcapng": "QUIC v1",
    "quic-mvfst-22.pcap": "mvfst (draft-22)",
    "quic-mvfst-22_decryption_error.pcap": "mvfst (draft-22)",
    "quic-mvfst-27.pcapng": "mvfst (draft-27)",
    "quic-mvfst-exp.pcap": "mvfst (experimental)",
    "quic-v2.pcapng": "QUIC v2",
    "quic_t50.pcap": "T050",
    "quic_t51.pcap": "T051",
    "quic_q39.pcap": "Q039",
    "quic_q43.pcap": "Q043",
    "quic_q46.pcap": "Q046",
    "quic046.pcap": "Q046",
    "quic_q50.pcap": "Q050",
    "gquic.pcap": "Q050",
    "doq.pcapng": "draft-32",
}


def tshark(path: Path, display_filter: str, *fields: str) -> list[list[str]]:
    command = ["tshark", "-r", str(path), "-Y", display_filter, "-T", "fields"]
    for name in fields:
        command += ["-e", name]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.split("\t") for line in output.splitlines()]


@needs_tshark
@pytest.mark.parametrize("name", NAMED)
def test_server_names_are_those_of_tshark(name: str) -> None:
    path = NDPI / name
    # tshark names each packet with a ClientHello; a client repeats it until it is answered.
    rows = tshark(
        path, "quic && tls.handshake.extensions_server_name", "udp.stream", "tls.handshake.extensions_server_name"
    )
    expected = Counter(dict.fromkeys((stream, server_name) for stream, server_name in rows))
    found = Counter(tls.sni for tls, _ in read_capture(path).connections if tls.sni is not None)
    assert found == Counter(server_name for _, server_name in expected)


@pytest.mark.parametrize(("name", "version"), VERSIONS.items())
def test_versions_are_named(name: str, version: str) -> None:
    [(tls, quic)] = read_capture(NDPI / name).connections
    assert quic.version == version
    if version.startswith("Q0"):
        assert tls.reason == "unknown-version"


@needs_tshark
@pytest.mark.parametrize("name", ["quic-v2.pcapng", "quic-33.pcapng", "doq.pcapng"])
def test_stream_bytes_are_those_of_tshark(name: str) -> None:
    path = NDPI / name
    expected: dict[tuple[int, int], bytes] = {}
    rows = tshark(path, "quic.stream_data", "udp.srcport", "quic.stream.stream_id", "quic.stream_data")
    client_port = rows and tshark(path, "quic", "udp.srcport")[0][0]
    for port, ids, data in rows:
        direction = CLIENT if port == client_port else SERVER
        for stream_id, chunk in zip(ids.split(","), data.split(","), strict=True):
            # Every stream of these captures fits one frame, which is repeated.
            expected[int(stream_id), direction] = bytes.fromhex(chunk)
    reader = read_capture(path)
    [(tls, quic)] = reader.connections
    [streams] = reader.streams
    assert streams.data == expected
    assert expected
    assert (tls.decrypted, quic.unread, tls.reason) == ([True, True], [0, 0], "")
    assert not reader.problems


def test_a_version_that_was_refused_is_followed_by_one_that_was_not() -> None:
    [(tls, quic)] = read_capture(NDPI / "quic-forcing-vn-with-data.pcapng").connections
    assert (quic.version_negotiation, quic.retry, quic.first_version) == (True, True, "greased 0xbabababa")
    assert tls.alpn_offered[0] == "h3"


@pytest.mark.parametrize("name", [path.name for path in NDPI.glob("*fuzz*")])
def test_fuzzed_captures_do_no_harm(name: str) -> None:
    read_capture(NDPI / name)
