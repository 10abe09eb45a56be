"""Identifiers, and entries that carry them."""

from __future__ import annotations

from typing import Any

import pybase64

from pcapng_utils.findings.finder import Finding, IdentifierFinder
from pcapng_utils.findings.identifiers import Identifier

EMAIL = "Jane.Roe@example.org"
MAC = "a4:5E:60:c1:02:9f"
IDENTIFIERS = (
    Identifier("email", EMAIL),
    Identifier("mac", MAC),
    Identifier("imei", "356938035643809"),
    Identifier("phone", "+33 6 12 34 56 78"),
    Identifier("advertising_id", "8a6f2c1e-4b7d-4c0a-9f53-1d2e3c4b5a69"),
    Identifier("ip", "192.168.1.2"),
    Identifier("pin", "4711"),
    Identifier("latitude", "48.8566"),
    Identifier("name", "Zoë Müller"),
)
FINDER = IdentifierFinder(IDENTIFIERS)


def entry(
    url: str = "https://example.org/",
    *,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
    answer: bytes | None = None,
    answer_headers: dict[str, str] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """An entry whose bodies are text where they can be."""
    request: dict[str, Any] = {
        "method": "POST",
        "url": url,
        "headers": _pairs(headers),
        "cookies": [],
        "queryString": [],
    }
    if body is not None:
        content = _content(body)
        request["_content" if "encoding" in content else "postData"] = content
    response = {"status": 200, "headers": _pairs(answer_headers), "cookies": [], "content": _content(answer or b"")}
    return {"request": request, "response": response, **fields}


def _pairs(headers: dict[str, str] | None) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in (headers or {}).items()]


def _content(data: bytes) -> dict[str, Any]:
    try:
        text = data.decode()
        if "\0" in text:
            raise UnicodeError
    except UnicodeError:
        return {"mimeType": "", "size": len(data), "text": pybase64.b64encode_as_string(data), "encoding": "base64"}
    return {"mimeType": "text/plain", "size": len(data), "text": text}


def forms(data: bytes) -> set[tuple[str, str]]:
    """Names and forms of what is found in a body."""
    return {(finding.identifier, finding.form) for finding in FINDER.find(entry(body=data))}


def found(item: dict[str, Any]) -> list[Finding]:
    return FINDER.find(item)
