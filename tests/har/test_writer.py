"""The HAR file: one document whatever its form, whole or not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapng_utils.har.writer import Annotations
from pcapng_utils.http.exchange import Exchange, WebSocketLog, WebSocketMessage
from pcapng_utils.layers import CLIENT, SERVER
from pcapng_utils.net.flow import Flow
from pcapng_utils.tls.facts import TlsFacts
from tests.har.making import at, exchange, flow, har_of, request, response, written

Row = tuple[Exchange, Flow, TlsFacts | None]


def rows(*bodies: bytes) -> list[Row]:
    return [
        (exchange(request(b"/%d" % i, stamp=at(i, i + 1)), response(body=body)), flow(str(i + 1)), None)
        for i, body in enumerate(bodies)
    ]


BODIES = (b"", b"plain", "größer 日本 🎉".encode() * 40, bytes(range(256)) * 3, b'quotes " \\ and \r\n\t', b"x" * 500)


@pytest.mark.parametrize("indent", [0, 1, 2, 4])
@pytest.mark.parametrize("ensure_ascii", [False, True])
@pytest.mark.parametrize("small_body", [0, 100, 1 << 18])
def test_the_document_is_the_same_in_every_form(indent: int, ensure_ascii: bool, small_body: int) -> None:
    plain = har_of(rows(*BODIES))
    text = written(rows(*BODIES), indent=indent, ensure_ascii=ensure_ascii, small_body=small_body)
    assert json.loads(text) == plain
    assert text.isascii() == ensure_ascii
    assert [entry["response"]["content"].get("text") for entry in plain["log"]["entries"]][:2] == ["", "plain"]


@pytest.mark.parametrize("ensure_ascii", [False, True])
def test_a_file_gets_what_any_other_stream_gets(tmp_path: Path, ensure_ascii: bool) -> None:
    bodies = (*BODIES, bytes(range(256)) * 4096, "größer 日本 🎉".encode() * 20_000)
    text = written(rows(*bodies), ensure_ascii=ensure_ascii, small_body=0)
    with (tmp_path / "out.har").open("wb") as file:
        written(rows(*bodies), ensure_ascii=ensure_ascii, small_body=0, out=file)
    assert (tmp_path / "out.har").read_bytes() == text


def test_indented_it_is_what_the_standard_library_writes() -> None:
    lists: dict[str, Any] = {"_connections": [{"id": "1", "tls": None}], "_tlsErrors": []}
    text = written(rows(*BODIES), lists=lists)
    assert text.decode() == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"


def test_not_indented_each_entry_has_a_line_of_its_own() -> None:
    lines = written(rows(*BODIES), indent=0).splitlines()
    entries = [line for line in lines if line.startswith(b'{"startedDateTime"')]
    assert len(entries) == len(BODIES)
    assert len(lines) < len(BODIES) + 12


def test_an_empty_document_is_one() -> None:
    assert har_of([])["log"]["entries"] == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=60) | st.binary(max_size=60).map(lambda b: b.decode("latin-1")), max_size=4))
def test_any_text_comes_back_from_the_spool_and_from_escapes(texts: list[str]) -> None:
    bodies = [text.encode("utf-8", "surrogatepass") * 3 for text in texts]
    plain = har_of(rows(*bodies))
    for small_body in (0, 1 << 18):
        assert json.loads(written(rows(*bodies), ensure_ascii=True, small_body=small_body)) == plain


def test_a_character_cut_by_the_reading_of_the_spool_is_escaped_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    from pcapng_utils.har.blobs import Blobs

    body = "aé日🎉".encode() * 30
    plain = har_of(rows(body))
    for size in range(1, 12):
        original = Blobs.read

        def in_pieces(self: Any, blob: Any, piece_size: int = size, read: Any = original) -> Any:
            return read(self, blob, piece_size)

        monkeypatch.setattr(Blobs, "read", in_pieces)
        assert json.loads(written(rows(body), ensure_ascii=True, small_body=0)) == plain
        monkeypatch.undo()


def test_what_is_known_late_is_added_where_it_belongs() -> None:
    late = Annotations(request={"_a": 1}, response={"_b": {"c": None}}, entry={"_d": [1, 2]})
    (entry,) = har_of(rows(b"x"), late=late)["log"]["entries"]
    assert (entry["request"]["_a"], entry["response"]["_b"], entry["_d"]) == (1, {"c": None}, [1, 2])


def test_websocket_messages_get_their_own_additions() -> None:
    log = WebSocketLog(
        [WebSocketMessage(side, 1, b"x", at(i, i), (i,)) for i, side in enumerate((CLIENT, SERVER, CLIENT))]
    )
    made = exchange(request(), response(101), websocket=log)
    late = Annotations(websocket=[{"_s": 1}, {}])
    (entry,) = har_of([(made, flow(), None)], late=late)["log"]["entries"]
    assert [message.get("_s") for message in entry["_webSocketMessages"]] == [1, None, None]


def test_a_header_that_looks_like_a_place_holder_is_left_alone() -> None:
    sent = request(headers=[(b"X", b'"\x00' + bytes(range(32)) + b'0\x00"'), (b"Y", b"\x000\x00")])
    row = (exchange(sent, response(body=b"large" * 100)), flow(), None)
    (entry,) = har_of([row], small_body=0)["log"]["entries"]
    assert entry["request"]["headers"][2]["value"] == "\x000\x00"
    assert entry["response"]["content"]["text"] == "large" * 100
