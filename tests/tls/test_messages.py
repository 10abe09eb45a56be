"""Handshake messages: what is read, and that nothing raises."""

from __future__ import annotations

import struct
import zlib

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.tls import handshake
from pcapng_utils.tls.certificates import read_certificate
from pcapng_utils.tls.handshake import MessageReader
from pcapng_utils.tls.suites import Mode, cipher_suite, suite_name
from tests.tls import vectors

HELLO = vectors.SIMPLE[0][1][9:]
SERVER_HELLO = vectors.SIMPLE[1][1][9:]


def test_client_hello() -> None:
    hello = handshake.parse_client_hello(HELLO)
    assert hello
    assert hello.random.hex() == vectors.SIMPLE_RANDOM
    assert hello.ciphers == (0x1301, 0x1303, 0x1302)
    assert hello.versions == (0x0304,)
    assert hello.server_name == "server"
    assert hello.extensions.alpn == ()
    assert not hello.early_data


def test_server_hello() -> None:
    hello = handshake.parse_server_hello(SERVER_HELLO)
    assert hello
    assert (hello.legacy_version, hello.version, hello.cipher, hello.retry) == (0x0303, 0x0304, 0x1301, False)


def test_sslv2_client_hello() -> None:
    ciphers = bytes.fromhex("00002f 010080 000035")
    message = bytes((1, 3, 1)) + struct.pack(">HHH", len(ciphers), 0, 16) + ciphers + bytes(range(16))
    hello = handshake.parse_sslv2_client_hello(message)
    assert hello
    assert hello.ciphers == (0x2F, 0x35)
    assert hello.random == bytes(16) + bytes(range(16))
    assert hello.best_version == 0x0301


@pytest.mark.parametrize(
    ("algorithm", "compressed"),
    [
        (1, zlib.compress(b"certificate " * 90)),
        (2, brotli.compress(b"certificate " * 90)),
        (3, zstandard.compress(b"certificate " * 90)),
    ],
)
def test_compressed_certificates(algorithm: int, compressed: bytes) -> None:
    body = struct.pack(">HB", algorithm, 0) + struct.pack(">H", 1080) + len(compressed).to_bytes(3, "big") + compressed
    assert handshake.decompress_certificate(body) == b"certificate " * 90
    broken = body[:12] + bytes(len(body) - 12)
    assert len(handshake.decompress_certificate(broken)) <= 1080


@pytest.mark.parametrize("algorithm", [1, 2, 3])
def test_a_compressed_certificate_never_grows_past_what_it_announces(algorithm: int) -> None:
    zeros = bytes(50 << 20)
    compressed = {1: zlib.compress, 2: brotli.compress, 3: zstandard.compress}[algorithm](zeros)
    body = struct.pack(">HBH", algorithm, 0, 1000) + len(compressed).to_bytes(3, "big") + compressed
    assert len(handshake.decompress_certificate(body)) <= 1000


@given(st.binary(max_size=400))
def test_no_bytes_raise(body: bytes) -> None:
    for parse in (
        handshake.parse_client_hello,
        handshake.parse_sslv2_client_hello,
        handshake.parse_server_hello,
        handshake.parse_encrypted_extensions,
        handshake.decompress_certificate,
        handshake.parse_session_ticket,
    ):
        parse(body)
    for tls13 in (False, True):
        handshake.parse_certificates(body, tls13)
    hello = handshake.parse_client_hello(b"\3\3" + body)
    if hello:
        assert hello.best_version in hello.versions
        assert isinstance(hello.extensions.alpn, tuple)
        assert hello.server_name is None or hello.server_name


@given(st.data())
def test_a_damaged_certificate_still_has_its_digest(data: st.DataObject) -> None:
    der = bytearray(handshake.parse_certificates(_certificate_body(), True)[0])
    for _ in range(data.draw(st.integers(1, 4))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    certificate = read_certificate(bytes(der[: data.draw(st.integers(0, len(der)))]))
    assert len(certificate.sha256) == 64


def _certificate_body() -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import load_pem_x509_certificate

    from tests.tls.lab import identity

    with open(identity(), "rb") as file:  # noqa: PTH123
        pem = file.read()
    der = load_pem_x509_certificate(pem[pem.index(b"-----BEGIN CERT") :]).public_bytes(Encoding.DER)
    entry = len(der).to_bytes(3, "big") + der + b"\0\0"
    return b"\0" + len(entry).to_bytes(3, "big") + entry


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=40)), max_size=6), st.integers(1, 50))
def test_messages_are_the_same_however_they_are_cut(messages: list[tuple[int, bytes]], size: int) -> None:
    stream = b"".join(bytes((kind,)) + len(body).to_bytes(3, "big") + body for kind, body in messages)
    reader, read = MessageReader(), []
    for offset in range(0, len(stream), size):
        read += reader.feed(stream[offset : offset + size])
    assert read == messages
    assert not reader


def test_an_oversized_message_is_passed_over_and_the_next_one_read() -> None:
    reader = MessageReader(limit=10)
    stream = b"\x0b\0\0\x0f" + bytes(15) + b"\x14\0\0\x02ok"
    read = [message for byte in stream for message in reader.feed(bytes((byte,)))]
    assert read == [(20, b"ok")]
    assert reader.oversized == 1


@pytest.mark.parametrize(
    ("number", "name", "mode", "key_size", "mac", "schedule"),
    [
        (0x1302, "TLS_AES_256_GCM_SHA384", Mode.AEAD, 32, "", "sha384"),
        (0x1305, "TLS_AES_128_CCM_8_SHA256", Mode.AEAD, 16, "", "sha256"),
        (0xC0AE, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", Mode.AEAD, 16, "", "sha256"),
        (0xC028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", Mode.CBC, 32, "sha384", "sha384"),
        (0x0005, "TLS_RSA_WITH_RC4_128_SHA", Mode.STREAM, 16, "sha1", "sha256"),
        (0x003B, "TLS_RSA_WITH_NULL_SHA256", Mode.NULL, 0, "sha256", "sha256"),
    ],
)
def test_suites_are_read_from_their_names(
    number: int, name: str, mode: Mode, key_size: int, mac: str, schedule: str
) -> None:
    suite = cipher_suite(number)
    assert suite
    assert (suite.name, suite.bulk.mode, suite.bulk.key_size, suite.mac, suite.hash) == (
        name,
        mode,
        key_size,
        mac,
        schedule,
    )


def test_a_suite_without_a_name_goes_by_its_number() -> None:
    assert suite_name(0x1234) == "0x1234"
    assert cipher_suite(0x1234) is None
    assert cipher_suite(0x00FF) is None
    assert suite_name(0x00FF) == "TLS_EMPTY_RENEGOTIATION_INFO_SCSV"
