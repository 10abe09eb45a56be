"""Bodies as bytes, and their two forms."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from pcapng_utils.payload import Payload


def test_a_payload_knows_its_size_and_digest() -> None:
    payload = Payload(b"abc")
    assert (payload.size, payload.sha1) == (3, hashlib.sha1(b"abc").hexdigest())
    assert Payload().bytes_ == b"" and Payload().size == 0
    assert payload == Payload(b"abc") and hash(payload) == hash(Payload(b"abc"))
    assert "abc" not in repr(payload)
    with pytest.raises(AttributeError):
        payload.bytes_ = b""  # type: ignore[misc]


def test_payloads_are_joined_in_order() -> None:
    assert Payload.concat(Payload(b"a"), Payload(), Payload(b"bc")) == Payload(b"abc")
    assert Payload.concat() == Payload()


@pytest.mark.parametrize(
    ("data", "content_type", "form"),
    [
        (b"", "", {"size": 0, "text": ""}),
        (b"abc", "", {"size": 3, "text": "abc"}),
        ("ü\u00a0".encode(), "", {"size": 4, "text": "ü\u00a0"}),
        (b"\xff", "", {"size": 1, "text": "/w==", "encoding": "base64"}),
        (b"\xff", "text/plain; charset=latin-1", {"size": 1, "text": "ÿ"}),
        (b"a\x00", "", {"size": 2, "text": "YQA=", "encoding": "base64"}),
    ],
)
def test_its_form_is_text_or_base64(data: bytes, content_type: str, form: dict[str, Any]) -> None:
    assert Payload(data).to_har_dict(content_type) == form


def test_it_takes_the_place_of_a_requests_body() -> None:
    request: dict[str, Any] = {"method": "POST", "_content": {"size": 9}, "_requestBodyStatus": "x"}
    Payload(b"text").update_har_request(request, "text/plain")
    post_data = {"mimeType": "text/plain", "params": [], "text": "text", "_size": 4}
    assert request == {"method": "POST", "postData": post_data}
    Payload(b"\xff").update_har_request(request, "a/b")
    assert request == {
        "method": "POST",
        "_requestBodyStatus": "discarded:not-representable",
        "_content": {"mimeType": "a/b", "size": 1, "text": "/w==", "encoding": "base64"},
    }


def test_it_takes_the_place_of_a_responses_body() -> None:
    response: dict[str, Any] = {"status": 200, "content": {"size": 9, "compression": 4}}
    Payload(b"\xff").update_har_response(response, "a/b")
    assert response == {
        "status": 200,
        "content": {"mimeType": "a/b", "size": 1, "text": "/w==", "encoding": "base64"},
    }
