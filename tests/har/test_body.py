"""Bodies, decoded and in HAR's form; small ones as values, large ones through the spool."""

from __future__ import annotations

import base64
import gzip
import hashlib
import itertools
import json
import zlib
from collections.abc import Iterable

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pcapng_utils.har import body as module
from pcapng_utils.har.blobs import Blob
from pcapng_utils.har.body import BodyLimits, Content, read_body
from pcapng_utils.http.body import Body


class Blobs:
    """What was written for large bodies."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, pieces: Iterable[bytes]) -> Blob:
        start = len(self.data)
        self.data += b"".join(pieces)
        return Blob(start, len(self.data) - start)

    def text(self, content: Content) -> str | None:
        if not isinstance(content.text, Blob):
            return content.text
        start, length = content.text
        text: str = json.loads(b'"' + self.data[start : start + length] + b'"')
        return text


def in_pieces(data: bytes, size: int) -> Body:
    body = Body()
    for start in range(0, len(data), size):
        body.append(data[start : start + size])
    return body


def both(
    data: bytes, codings: list[str], content_type: str, piece: int = 1 << 16, *, whole: bool = True
) -> list[tuple[int, str, str | None, str | None, bool | None, str]]:
    """The body read as a small one, and as a large one."""
    seen = []
    for small in (1 << 20, -1):
        blobs = Blobs()
        content = read_body(in_pieces(data, piece), codings, content_type, Body, blobs.write, small=small, whole=whole)
        assert isinstance(content.text, Blob) == (small < 0)
        text = blobs.text(content) or None
        seen.append((content.size, content.sha256, text, content.encoding, content.decoded, content.problem))
    return seen


TYPES = ("", "text/plain", "text/html; charset=iso-8859-1", "text/plain; charset=utf-16", "a/b; charset=shift_jis")


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=40) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace")),
    st.sampled_from(TYPES),
    st.integers(1, 7),
)
@example("é".encode(), "", 1)
@example(b"\xc3", "", 1)
@example(b"a\x00", "text/plain; charset=utf-16", 1)
def test_large_bodies_equal_small_ones(data: bytes, content_type: str, piece: int) -> None:
    small, large = both(data, [], content_type, piece)
    if not data:
        large = (*large[:3], None, *large[4:])
    assert small == large
    assert small[:2] == (len(data), hashlib.sha256(data).hexdigest())
    assert small[3] != "base64" or base64.b64decode(small[2] or "") == data


@pytest.mark.parametrize(
    ("codings", "coded"),
    [
        (["gzip"], gzip.compress),
        (["deflate"], zlib.compress),
        (["br"], brotli.compress),
        (["zstd"], zstandard.compress),
        (["gzip", "br"], lambda data: brotli.compress(gzip.compress(data))),
    ],
)
def test_codings_are_undone_in_both(codings: list[str], coded: object) -> None:
    assert callable(coded)
    data = ("line %d\n" * 3000 % tuple(range(3000))).encode()
    small, large = both(coded(data), codings, "text/plain", 1000)
    assert small == large == (len(data), hashlib.sha256(data).hexdigest(), data.decode(), None, True, "")


def test_a_body_that_fails_to_decode_is_kept_as_it_was() -> None:
    data = gzip.compress(b"secret" * 1000)[:-4]
    small, large = both(data, ["gzip"], "text/plain", 10)
    assert small == large
    assert small[0] == len(data) and small[3] == "base64" and small[4] is False and "gzip" in small[5]


def test_of_a_body_cut_short_what_can_be_decoded_is_kept() -> None:
    data = gzip.compress(bytes(range(65, 91)) * 1000)[:-10]
    small, large = both(data, ["gzip"], "text/plain", 10, whole=False)
    assert small == large
    assert small[2] is not None and small[2].startswith("ABCDEFGHIJKLMNOPQRSTUVWXYZAB") and small[4] is True
    assert small[5]


def test_bodies_that_are_not_wanted_leave_their_sizes_and_digests() -> None:
    for small in (1 << 20, -1):
        content = read_body(in_pieces(gzip.compress(b"text"), 5), ["gzip"], "", Body, None, small=small)
        assert content == Content(4, hashlib.sha256(b"text").hexdigest(), decoded=True)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_bomb_is_stopped_at_the_limit(coding: str) -> None:
    coded = {"gzip": gzip.compress, "br": brotli.compress, "zstd": zstandard.compress}[coding](bytes(1 << 24))
    held: list[Body] = []

    def new_body() -> Body:
        held.append(Body())
        return held[-1]

    content = read_body(in_pieces(coded, 1 << 16), [coding], "", new_body, Blobs().write, limits=BodyLimits(1 << 20))
    assert (content.size, content.decoded) == (len(coded), False)
    assert str(1 << 20) in content.problem
    assert all(body.size <= 1 << 20 for body in held)


@given(st.lists(st.binary(max_size=9), max_size=9))
def test_base64_of_pieces_is_that_of_the_whole(pieces: list[bytes]) -> None:
    whole = b"".join(itertools.chain(pieces))
    assert b"".join(module._base64_pieces(pieces)) == base64.b64encode(whole)
