"""Packets of the RFCs' appendices open to what the RFCs say they hold."""

from __future__ import annotations

import pytest

from pcapng_utils.layers import CLIENT, SERVER
from pcapng_utils.quic.crypto import CHACHA20_POLY1305, PacketProtection, initial_protection, retry_tag_fits
from pcapng_utils.quic.keys import OneRttKeys, open_long
from pcapng_utils.quic.packet import read_long_header
from pcapng_utils.quic.versions import QUIC_V1, QUIC_V2, PacketType, Version
from tests.quic import vectors
from tests.quic.reading import Reader, read_datagrams

V1_AND_V2 = pytest.mark.parametrize("version", [QUIC_V1, QUIC_V2], ids=["v1", "v2"])


def packet(version: Version, name: str) -> bytes:
    found = getattr(vectors, f"{'V1' if version is QUIC_V1 else 'V2'}_{name}")
    assert isinstance(found, bytes)
    return found


@V1_AND_V2
@pytest.mark.parametrize(
    ("direction", "name", "number", "payload"),
    [
        (CLIENT, "CLIENT_INITIAL", 2, vectors.CLIENT_PAYLOAD),
        (SERVER, "SERVER_INITIAL", 1, vectors.SERVER_PAYLOAD),
    ],
)
def test_initial_packets_open(version: Version, direction: int, name: str, number: int, payload: bytes) -> None:
    data = packet(version, name)
    header = read_long_header(data)
    assert header is not None
    assert (header.type, header.version, header.end) == (PacketType.INITIAL, version, len(data))
    keys = initial_protection(version, vectors.CONNECTION_ID)[direction]
    assert open_long(keys, data, 0, header.number_at, header.end, -1) == (number, payload)


@V1_AND_V2
def test_initial_packets_give_facts(version: Version) -> None:
    reader = Reader()
    datagrams = [(CLIENT, packet(version, "CLIENT_INITIAL")), (SERVER, packet(version, "SERVER_INITIAL"))]
    read_datagrams(reader, datagrams).close()
    [(tls, quic)] = reader.connections
    assert (tls.sni, tls.alpn_offered, tls.cipher) == ("example.com", ("alpn",), "TLS_AES_128_GCM_SHA256")
    assert (quic.version, quic.original_id, quic.server_id) == (version.name, "8394c8f03e515708", "f067a5502a4262b5")
    assert (quic.packets, quic.unread) == ([1, 1], [0, 0])


@V1_AND_V2
def test_retry_packets_authenticate(version: Version) -> None:
    data = packet(version, "RETRY")
    header = read_long_header(data)
    assert header is not None
    assert (header.type, header.token) == (PacketType.RETRY, b"token")
    assert retry_tag_fits(version, vectors.CONNECTION_ID, data)
    assert not retry_tag_fits(version, b"another", data)
    assert not retry_tag_fits(version, vectors.CONNECTION_ID, data[:-1] + b"\x00")


@V1_AND_V2
def test_chacha20_packets_open(version: Version) -> None:
    keys = OneRttKeys(PacketProtection(vectors.CHACHA20_SECRET, CHACHA20_POLY1305, version))
    opened = keys.open(packet(version, "CHACHA20"), 0, 1, vectors.CHACHA20_NUMBER - 1)
    assert opened == (vectors.CHACHA20_NUMBER, b"\x01")
