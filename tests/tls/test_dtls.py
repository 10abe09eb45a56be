"""DTLS is told from QUIC and everything else by its records, and is listed as what it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.layers import CLIENT, SERVER
from pcapng_utils.pipeline.convert import Conversion
from pcapng_utils.pipeline.options import Options
from pcapng_utils.tls.dtls import looks_like_dtls
from tests.hostile.making import Said, write_capture
from tests.net.wire import udp
from tests.quic import vectors
from tests.quic.making import INITIAL, Talk

CORPUS = Path(os.environ.get("PCAPNG_UTILS_CORPUS", Path(__file__).parents[3] / "shared" / "captures"))
CORPUS_FLOWS = {
    "anyconnect-vpn.pcap": 1,
    "dtls_certificate.pcapng": 1,
    "dtls_certificate_fragments.pcap": 2,
    "dtls_mid_sessions.pcapng": 4,
    "dtls_old_version.pcapng": 1,
    "dtls_session_id_and_coockie_both.pcap": 1,
    "stun_dtls_rtp.pcapng": 1,
    "quic-33.pcapng": 0,
    "quic_q39.pcap": 0,
}
"""UDP conversations in which tshark sees DTLS, by capture."""


def record(kind: int, size: int, version: str = "fefd", epoch: int = 0, connection_id: bytes = b"") -> bytes:
    """RFC 6347, section 4.1; with a connection ID: RFC 9146, section 4."""
    header = bytes((kind,)) + bytes.fromhex(version) + epoch.to_bytes(2, "big") + bytes(6)
    return header + connection_id + size.to_bytes(2, "big") + b"\xa5" * size


def sealed(flags: int, size: int, connection_id: bytes = b"") -> bytes:
    """A ciphertext of DTLS 1.3 (RFC 9147, section 4) with these bits in its first byte."""
    number = bytes(2 if flags & 8 else 1)
    length = size.to_bytes(2, "big") if flags & 4 else b""
    return bytes((0x20 | flags,)) + connection_id + number + length + b"\xa5" * size


HELLO = record(22, 200)


@pytest.mark.parametrize(
    "datagram",
    [
        HELLO,
        record(22, 90, "feff"),
        record(22, 90, "fefc"),
        record(22, 90, "0100"),
        record(20, 1) + record(22, 48, epoch=1),
        record(21, 2),
        record(23, 64, epoch=1),
        record(24, 30, epoch=1),
        record(25, 64, epoch=1, connection_id=b"\1\2\3\4"),
        record(25, 64, epoch=1),
        record(26, 18),
        HELLO + sealed(0b01110, 60) + sealed(0b01110, 16),
        HELLO + sealed(0b01110, 60) + sealed(0b00010, 40),
        HELLO + sealed(0b11110, 60, b"\1\2\3\4"),
        sealed(0b01111, 60),
        sealed(0b00111, 60) + sealed(0b00111, 20),
    ],
)
def test_datagrams_made_of_records_are_dtls(datagram: bytes) -> None:
    assert looks_like_dtls(datagram)


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        HELLO[:13],
        HELLO[:-1],
        HELLO + b"more",
        HELLO + b"\x16",
        record(22, 0),
        record(19, 20),
        record(27, 20),
        record(22, 90, "0303"),
        record(25, 64, epoch=1)[:-1],
        sealed(0b01111, 15),
        sealed(0b01111, 60)[:-1],
        sealed(0b01011, 60),
        sealed(0b11111, 60, b"\1\2\3\4"),
        bytes.fromhex("16 0301 00c8") + bytes(200),
        bytes.fromhex("0001 0008 2112a442") + bytes(20),
        vectors.V1_CLIENT_INITIAL,
        vectors.V2_CLIENT_INITIAL,
        vectors.V1_RETRY,
        Talk().long(INITIAL, CLIENT, bytes(1100)),
        Talk().short(SERVER, bytes(40)),
    ],
)
def test_other_datagrams_are_not_dtls(datagram: bytes) -> None:
    assert not looks_like_dtls(datagram)


@given(st.integers(0x40, 0xFF), st.binary(max_size=60))
def test_what_begins_as_quic_does_is_never_dtls(first: int, rest: bytes) -> None:
    assert not looks_like_dtls(bytes((first,)) + rest)


@given(st.sampled_from((22, 23, 25, 0x2F, 0x3F)), st.binary(max_size=60))
def test_no_bytes_raise(first: int, rest: bytes) -> None:
    assert looks_like_dtls(bytes((first,)) + rest) in (True, False)


def conversation(folder: Path, said: list[Said], port: int = 443) -> tuple[dict[str, Any], dict[str, int]]:
    """The row of the one conversation, and how many were read or not."""
    packets = (udp(side, data, (40000, port)) for side, data in said)
    with Conversion(write_capture(folder / "x.pcap", packets), Options()) as conversion:
        conversion.read()
        (row,) = conversion.connections()
        return row, dict(conversion.counts.connections)


def test_dtls_on_the_port_of_quic_is_listed_as_dtls_that_was_not_read(tmp_path: Path) -> None:
    row, counts = conversation(tmp_path, [(CLIENT, HELLO), (SERVER, HELLO), (CLIENT, record(23, 64, epoch=1))])
    assert (row["application"], row["service"], row["decrypted"]) == ("DTLS", None, "no")
    assert row["reason"] == "DTLS, which nothing here reads"
    assert (row["packets"], row["tls"]) == ({"client": 2, "server": 1}, None)
    assert counts == {"no": 1}


def test_what_is_nothing_known_on_the_port_of_quic_may_still_be_quic(tmp_path: Path) -> None:
    row, _ = conversation(tmp_path, [(CLIENT, Talk().short(CLIENT, bytes(40)))])
    assert (row["application"], row["service"], row["decrypted"]) == ("", "QUIC", "no")


def test_dtls_may_begin_behind_other_datagrams_and_keeps_the_service_of_its_port(tmp_path: Path) -> None:
    stun = bytes.fromhex("0001 0000 2112a442") + bytes(12)
    row, _ = conversation(tmp_path, [(CLIENT, stun), (SERVER, stun), (CLIENT, HELLO)], 3478)
    assert (row["application"], row["service"]) == ("DTLS", "STUN")


@pytest.mark.parametrize("name", CORPUS_FLOWS)
def test_dtls_is_seen_where_tshark_sees_it(name: str) -> None:
    path = CORPUS / "ndpi" / name
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    with Conversion(path, Options()) as conversion:
        conversion.read()
        rows = list(conversion.connections())
    assert sum(row["application"] == "DTLS" for row in rows) == CORPUS_FLOWS[name]
