"""Each form of a value is found and called by its name, and nothing is found that is not there."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Callable
from urllib.parse import quote

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapng_utils.findings.identifiers import Identifier
from pcapng_utils.findings.search import Limits, Search
from tests.findings.making import EMAIL, IDENTIFIERS, MAC, forms

LOWER = EMAIL.lower()
BARE = MAC.replace(":", "")
#: Long enough to be compressed rather than stored.
LONG = "".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(9)).encode() + b" " + EMAIL.encode()


def b64(data: bytes | str) -> bytes:
    return base64.b64encode(data.encode() if isinstance(data, str) else data)


def packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)  # the same in each process that collects the tests


def digest(name: str, text: str) -> hashlib._Hash:
    return hashlib.new(name, text.encode(), usedforsecurity=False)


@pytest.mark.parametrize(
    ("data", "identifier", "form"),
    [
        (EMAIL.encode(), "email", "plain"),
        (LOWER.encode(), "email", "plain (lower-cased)"),
        (EMAIL.upper().encode(), "email", "plain (upper-cased)"),
        (b"jANE.rOE@example.org", "email", "plain (case changed)"),
        (quote(EMAIL).encode(), "email", "plain (URL-encoded)"),
        (quote(quote(EMAIL)).encode(), "email", "plain (URL-encoded, URL-encoded)"),
        (rb'{"e":"Jane.Roe\u0040example.org"}', "email", "plain (JSON-escaped)"),
        (EMAIL.encode("utf-16-le"), "email", "plain (UTF-16)"),
        (EMAIL.encode().hex().encode(), "email", "hex"),
        (EMAIL.encode().hex().upper().encode(), "email", "hex"),
        (b64(EMAIL), "email", "base64"),
        (b64("x" + EMAIL), "email", "base64"),
        (b64("xy" + EMAIL), "email", "base64"),
        (b64(LOWER), "email", "base64 (lower-cased)"),
        (b64(EMAIL).rstrip(b"="), "email", "base64"),
        (b"?" + quote(b64(EMAIL)).encode(), "email", "base64"),
        (digest("md5", EMAIL).hexdigest().encode(), "email", "md5"),
        (digest("md5", EMAIL).hexdigest().upper().encode(), "email", "md5"),
        (digest("sha1", LOWER).hexdigest().encode(), "email", "sha1 (lower-cased)"),
        (digest("sha256", LOWER).hexdigest().encode(), "email", "sha256 (lower-cased)"),
        (b64(digest("sha256", EMAIL).digest()), "email", "sha256 (base64)"),
        (base64.urlsafe_b64encode(digest("sha256", LOWER).digest()), "email", "sha256 (base64, lower-cased)"),
        (b"\0" + digest("sha1", EMAIL).digest(), "email", "sha1 (binary)"),
        (b64(digest("md5", EMAIL).hexdigest()), "email", "md5 in base64"),
        (packed(EMAIL.encode()), "email", "plain in gzip"),
        (zlib.compress(EMAIL.encode()), "email", "plain in deflate"),
        (zstandard.compress(LONG), "email", "plain in zstd"),
        (b'{"p":"' + b64(packed(json.dumps({"e": EMAIL}).encode())) + b'"}', "email", "plain in gzip in base64"),
        (b64(b64(b64(EMAIL))), "email", "base64 in base64 in base64"),
        (base64.encodebytes(packed(LONG)), "email", "plain in gzip in base64"),
        (b"prefix_" + b64(packed(EMAIL.encode())), "email", "plain in gzip in base64"),
        (packed(EMAIL.encode()).hex().encode(), "email", "plain in gzip in hex"),
        (MAC.encode(), "mac", "plain"),
        (BARE.encode(), "mac", "plain (without separators)"),
        (BARE.upper().encode(), "mac", "plain (without separators, upper-cased)"),
        (digest("sha1", BARE.upper()).hexdigest().encode(), "mac", "sha1 (without separators, upper-cased)"),
        (digest("md5", MAC.lower()).hexdigest().encode(), "mac", "md5 (lower-cased)"),
        (b"\xff" + bytes.fromhex(BARE) + b"\xff", "mac", "binary (without separators)"),
        (b"tel=33612345678&", "phone", "plain (without separators)"),
        (b"tel=%2B33+6+12+34+56+78", "phone", "plain (URL-encoded)"),
        (digest("sha256", "33612345678").hexdigest().encode(), "phone", "sha256 (without separators)"),
        (b'"%22356938035643809%22"', "imei", "plain"),
        (b"id=8A6F2C1E4B7D4C0A9F531D2E3C4B5A69", "advertising_id", "plain (without separators, upper-cased)"),
        (b"lat=48.8566123", "latitude", "plain"),
        ("n=Zoë Müller".encode(), "name", "plain"),
        (b"n=Zo%C3%AB+M%C3%BCller", "name", "plain (URL-encoded)"),
        (b"pin=4711&", "pin", "plain"),
    ],
)  # fmt: skip
def test_each_form_has_its_name(data: bytes, identifier: str, form: str) -> None:
    assert forms(data) == {(identifier, form)}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"jane.roe@example.or",
        b"1356938035643809",
        b"3569380356438091",
        b"192.168.1.20",
        b"1192.168.1.2",
        b"5.192.168.1.2.7",
        b"47110",
        b"x4711",
        b"pin4711x",
        b"148.8566",
        b"%4711",
        b"A" * 10_000,
        bytes(range(256)) * 40,
    ],
)  # fmt: skip
def test_nothing_is_found_that_is_not_there(data: bytes) -> None:
    assert forms(data) == set()


def test_an_address_at_the_end_of_a_sentence_is_that_address() -> None:
    assert forms(b"from 192.168.1.2.") == {("ip", "plain")}


@pytest.mark.parametrize("depth", range(1, 8))
def test_codings_are_undone_to_a_depth(depth: int) -> None:
    data = EMAIL.encode()
    for _ in range(depth):
        data = data.hex().encode()
    hits, complete = Search(IDENTIFIERS, Limits(depth=4)).search(data)
    assert (len(hits) > 0) == (depth <= 5)  # the innermost needs no undoing
    assert complete


def test_a_bomb_is_left_and_that_is_told() -> None:
    layers = packed(packed(bytes(1 << 28)))
    hits, complete = Search(IDENTIFIERS, Limits(bytes=1 << 20)).search(layers + b" " + EMAIL.encode())
    assert {hit.form for hit in hits} == {"plain"}
    assert not complete


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "base64": b64,
    "url-safe base64": base64.urlsafe_b64encode,
    "gzip": packed,
    "hex": lambda data: data.hex().encode(),
    "percent": lambda data: "".join(f"%{byte:02x}" for byte in data).encode(),
    "escapes": lambda data: "".join(f"\\u{byte:04x}" for byte in data).encode() if data.isascii() else data,
}  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    before=st.binary(max_size=20),
    behind=st.binary(max_size=20),
    chain=st.lists(st.sampled_from(sorted(CODINGS)), max_size=3),
    padding=st.text("abc {}:\"'&=,", max_size=30),
)
def test_it_is_found_in_any_chain_of_codings_and_its_place_is_right(
    before: bytes, behind: bytes, chain: list[str], padding: str
) -> None:
    data = padding.encode() + b" " + EMAIL.encode() + b" " + padding.encode()
    for name in chain:
        data = CODINGS[name](data)
    whole = before + b" " + data + b" " + behind
    search = Search([Identifier("email", EMAIL)])
    hits, complete = search.search(whole)
    assert complete
    assert hits
    # Where all that was found is taken out, it is gone.
    for hit in sorted(hits, key=lambda hit: -hit.start):
        assert 0 <= hit.start < hit.end <= len(whole)
    cut = bytearray(whole)
    for hit in hits:
        cut[hit.start : hit.end] = b"\xff" * (hit.end - hit.start)
    assert search.search(bytes(cut))[0] == []


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=600))
def test_any_bytes_can_be_searched(data: bytes) -> None:
    hits, complete = Search(IDENTIFIERS).search(data)
    assert complete
    assert all(0 <= hit.start <= hit.end <= len(data) for hit in hits)
