"""Openers of suites that carry a MAC, where no library at hand writes such records."""

from __future__ import annotations

import hmac
import zlib

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives.ciphers import Cipher

from pcapng_utils.tls.macked import Inflating, Mac, Null, Stream

KEY, MAC_KEY = b"k" * 16, b"m" * 20


def macked(sequence: int, content: bytes) -> tuple[bytes, bytes]:
    """Header and fragment of a record of TLS 1.2 with a MAC and no encryption."""
    prefix = sequence.to_bytes(8, "big") + b"\x17\3\3" + len(content).to_bytes(2, "big")
    fragment = content + hmac.digest(MAC_KEY, prefix + content, "sha1")
    return b"\x17\3\3" + len(fragment).to_bytes(2, "big"), fragment


def rc4_records(contents: list[bytes]) -> list[tuple[bytes, bytes]]:
    encrypt = Cipher(ARC4(KEY), None).encryptor().update
    records = [macked(number, content) for number, content in enumerate(contents)]
    return [(header, encrypt(fragment)) for header, fragment in records]


def rc4_opener() -> Stream:
    return Stream(Cipher(ARC4(KEY), None).decryptor, Mac(MAC_KEY, "sha1"))


CONTENTS = [bytes([number]) * (10 + 37 * number) for number in range(12)]


def test_stream_records_open_in_order() -> None:
    opener = rc4_opener()
    for number, (header, fragment) in enumerate(rc4_records(CONTENTS)):
        assert opener.open(number, header, fragment) == CONTENTS[number]


@pytest.mark.parametrize("lost", range(1, 9))
def test_a_stream_finds_its_place_again(lost: int) -> None:
    opener, records = rc4_opener(), rc4_records(CONTENTS)
    assert opener.open(0, *records[0]) == CONTENTS[0]
    size = sum(5 + len(fragment) for _, fragment in records[1 : 1 + lost])
    assert opener.find(1, range(12), size, *records[1 + lost]) == (lost, CONTENTS[1 + lost])
    for number in range(2 + lost, len(records)):
        assert opener.open(number, *records[number]) == CONTENTS[number]


def test_a_stream_that_cannot_know_its_place_says_so() -> None:
    opener, records = rc4_opener(), rc4_records(CONTENTS)
    assert opener.find(0, range(5), None, *records[3]) is None
    assert opener.find(0, range(5), Stream.REACH, *records[3]) is None
    wrong = sum(5 + len(fragment) for _, fragment in records[:3]) + 1
    assert opener.find(0, range(5), wrong, *records[3]) is None
    assert opener.open(0, *records[0]) == CONTENTS[0], "a search in vain leaves the place as it was"


@pytest.mark.parametrize("fragment", [b"", b"short", bytes(19)])
def test_fragments_too_short_for_a_mac_do_not_open(fragment: bytes) -> None:
    header = b"\x17\3\3" + len(fragment).to_bytes(2, "big")
    assert rc4_opener().open(0, header, fragment) is None
    assert Null(Mac(MAC_KEY, "sha1")).open(0, header, fragment) is None


def test_compressed_records_share_a_dictionary() -> None:
    deflate = zlib.compressobj()
    opener = Inflating(Null(Mac(MAC_KEY, "sha1")))
    for number, content in enumerate(CONTENTS):
        packed = deflate.compress(content) + deflate.flush(zlib.Z_SYNC_FLUSH)
        assert opener.open(number, *macked(number, packed)) == content


def test_what_does_not_inflate_does_not_open() -> None:
    opener = Inflating(Null(Mac(MAC_KEY, "sha1")))
    assert opener.open(0, *macked(0, b"no deflate stream")) is None


def test_a_record_inflates_to_no_more_than_a_record_may_hold() -> None:
    opener = Inflating(Null(Mac(MAC_KEY, "sha1")))
    content = opener.open(0, *macked(0, zlib.compress(bytes(1 << 20))))
    assert content is not None
    assert len(content) == Inflating.MAX_CONTENT
