"""JA3, JA3S, JA4: published examples."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from pcapng_utils.tls.fingerprint import ja3, ja3s, ja4
from pcapng_utils.tls.handshake import ClientHello, Extension, Extensions, ServerHello


def hexes(text: str) -> list[int]:
    return [int(number, 16) for number in text.split(",")]


def list16(numbers: list[int]) -> bytes:
    return struct.pack(f">H{len(numbers)}H", 2 * len(numbers), *numbers)


CIPHERS = hexes("1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035")
KINDS = hexes("001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015")
SIGNATURES = hexes("0403,0804,0401,0503,0805,0501,0806,0601")
DATA = {
    0x0010: b"\x00\x03\x02h2",
    0x000D: list16(SIGNATURES),
    0x002B: b"\x06\x9a\x9a\x03\x04\x03\x03",
}
FOXIO = ClientHello(
    version=0x0303,
    random=bytes(32),
    session_id=b"",
    ciphers=(0x2A2A, *CIPHERS),
    compressions=b"\0",
    extensions=Extensions([Extension(0x5A5A, b""), *(Extension(kind, DATA.get(kind, b"")) for kind in KINDS)]),
)
"""The hello that FoxIO's description of JA4 takes apart."""


def with_alpn(alpn: bytes) -> ClientHello:
    """FoxIO's hello with another first protocol."""
    data = struct.pack(">HB", len(alpn) + 1, len(alpn)) + alpn
    return replace(
        FOXIO, extensions=Extensions(Extension(kind, data if kind == 16 else old) for kind, old in FOXIO.extensions)
    )


def without(*kinds: int) -> ClientHello:
    return replace(FOXIO, extensions=Extensions(item for item in FOXIO.extensions if item.type not in kinds))


def test_ja4_of_the_published_example() -> None:
    assert ja4(FOXIO) == "t13d1516h2_8daaf6152771_e5627efa2ab1"
    assert ja4(FOXIO, "q") == "q13d1516h2_8daaf6152771_e5627efa2ab1"


def test_ja4_without_signature_algorithms() -> None:
    bare = replace(
        FOXIO, extensions=Extensions(Extension(k, b"" if k == 0x000D else data) for k, data in FOXIO.extensions)
    )
    assert ja4(bare).endswith("_6d807ffa2a79")


@pytest.mark.parametrize(
    ("alpn", "ends"),
    [
        (b"http/1.1", "h1"),
        (b"x", "xx"),
        (b"", "00"),
        (b"\xab", "ab"),
        (b"\xab\xcd", "ad"),
        (b"\x30\xab", "3b"),
        (b"\x30\x31\xab\xcd", "3d"),
        (b"\x30\xab\xcd\x31", "01"),
    ],
)
def test_ja4_ends_of_the_first_protocol(alpn: bytes, ends: str) -> None:
    assert ja4(with_alpn(alpn)).split("_")[0] == f"t13d1516{ends}"


def test_ja4_of_a_hello_that_offers_nothing() -> None:
    empty = ClientHello(0x0301, bytes(32), b"", (), b"\0", Extensions())
    assert ja4(empty) == "t10i000000_000000000000_000000000000"


def test_ja4_tells_hosts_from_addresses() -> None:
    assert ja4(without(0)).startswith("t13i1515h2_8daaf6152771_")
    assert ja4(without(0)).endswith("_e5627efa2ab1")


def test_ja3_of_the_published_examples() -> None:
    groups, formats = Extension(10, list16([23, 24, 25])), Extension(11, b"\x01\x00")
    hello = ClientHello(
        769,
        bytes(32),
        b"",
        (47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4),
        b"\0",
        Extensions([Extension(0, b""), groups, formats]),
    )
    assert ja3(hello) == "ada70206e40642a3e4461f35503241d5"
    bare = ClientHello(769, bytes(32), b"", (4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99), b"\0", Extensions())
    assert ja3(bare) == "de350869b8c85de67a350c8d186f11e6"


def test_ja3_leaves_grease_out() -> None:
    clean = replace(FOXIO, ciphers=tuple(CIPHERS), extensions=Extensions(FOXIO.extensions[1:]))
    assert ja3(FOXIO) == ja3(clean)


def test_ja3s_of_a_well_known_answer() -> None:
    hello = ServerHello(771, bytes(32), b"", 0x1302, 0, Extensions([Extension(43, b""), Extension(51, b"")]))
    assert ja3s(hello) == "15af977ce25de452b96affa2addb1036"
