"""Takes identifiers, cookies and credentials out of a HAR that is to be shared: a pseudonym stands for each.

One value has one pseudonym throughout a file, in whatever form it was sent, so that what was sent twice can still be
seen to be the same. Pseudonyms are keyed: nobody who does not have the key can try values until one fits. What was
replaced is searched again, until nothing is found; a part for which that does not come about is replaced as a whole.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import pybase64

from pcapng_utils.errors import unreadable
from pcapng_utils.findings.credentials import hide_header, hide_in_text, is_secret_name
from pcapng_utils.findings.identifiers import Identifier
from pcapng_utils.findings.places import Json, Large, body_of, is_base64, websocket_data
from pcapng_utils.findings.search import Hit, Search

_PURPOSE: Final = b"pcapng-utils: pseudonyms of a redacted file\0"
_PREFIX: Final = "REDACTED-"
_SECRET: Final = "secret"  # noqa: S105 - a word, not one
_DIGITS: Final = 10
_PSEUDONYM: Final = re.compile(rf"{_PREFIX}\w+-[0-9a-f]{{{_DIGITS}}}(?:\.{_PREFIX}\w+-[0-9a-f]{{{_DIGITS}}})*")
_ROUNDS: Final = 8
_REMEMBERED: Final = 20_000
_SMALL: Final = 1024
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_]+")

_HEADER_LISTS: Final = frozenset({"headers", "_trailers"})
_PAIR_LISTS: Final = frozenset({"queryString", "params"})
_BODIES: Final = frozenset({"content", "_content", "postData"})
_MESSAGE_LISTS: Final = frozenset({"_webSocketMessages", "_webSocketControlFrames"})
_IDS: Final = frozenset({"_sha1Id", "shared"})
"""Digests of exchanges, which could be computed again with a value that is guessed."""


def key_of(capture: Path) -> bytes:
    """A key that the input alone gives: the same file has the same pseudonyms on each run, other files have others.

    Raises InputError if the file cannot be read.
    """
    digest = hashlib.sha256(_PURPOSE)
    try:
        with capture.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    except OSError as error:
        raise unreadable(capture, error) from None
    return digest.digest()


class Redactor:
    """Redacts entries and rows, in place."""

    def __init__(self, identifiers: Sequence[Identifier], key: bytes) -> None:
        self._search = Search(identifiers)
        self._key = key
        self._memory: dict[str, str] = {}
        self._by_key = {
            **dict.fromkeys(_HEADER_LISTS, self._headers),
            **dict.fromkeys(_PAIR_LISTS, self._pairs),
            **dict.fromkeys(_MESSAGE_LISTS, self._messages),
            **dict.fromkeys(_IDS, self._ids),
            "cookies": self._cookies,
            "_decryption": self._decryption,
        }
        if any(_is_address(identifier.value) for identifier in identifiers):
            self._by_key["_communityId"] = self._ids  # made of addresses: it can be tried out

    def entry(self, entry: Json, large: Large | None = None) -> None:
        """Redact an entry. `large`: bodies that are not in it, by the text that stands for each; they are left out."""
        for message in (entry["request"], entry.get("response") or {}):
            for name in _BODIES.intersection(message):
                self._body(message, message[name], large or {})
        self.row(entry)

    def row(self, row: Json) -> None:
        """Redact all texts of a JSON object."""
        for name, value in row.items():
            special = self._by_key.get(name)
            row[name] = special(value) if special is not None and value else self._value(name, value)

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            if name in _BODIES:
                return self._outside_of_text(value)
            self.row(value)
        elif isinstance(value, list):
            return [self._value(name, item) for item in value]
        return value

    def text(self, text: str) -> str:
        """A text without identifiers and credentials."""
        known = self._memory.get(text)
        if known is not None:
            return known
        redacted = self._clean(hide_in_text(text, self._hide).encode("utf-8", "surrogatepass"))
        result = redacted.decode("utf-8", "surrogatepass")
        if len(text) <= _SMALL:
            if len(self._memory) >= _REMEMBERED:
                self._memory.clear()
            self._memory[text] = result
        return result

    def data(self, data: bytes) -> bytes:
        """Bytes without identifiers and credentials."""
        try:
            return self.text(data.decode()).encode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return self._clean(data)

    def _clean(self, data: bytes) -> bytes:
        """Bytes without identifiers."""
        for number in range(_ROUNDS):
            hits, complete = self._search.search(data)
            if not complete:
                break
            if not hits:
                return data
            data = self._replaced(data, hits, everywhere=number > 0)
        return self._pseudonym("unsearchable", data).encode()

    def _replaced(self, data: bytes, hits: Iterable[Hit], *, everywhere: bool) -> bytes:
        """`everywhere`: also where the same bytes stand elsewhere (copies of nested data are found but once)."""
        pieces: list[bytes] = []
        copies: dict[bytes, bytes] = {}
        end = 0
        for start, stop, identifiers in _merged(hits):
            pseudonym = ".".join(self._pseudonym(one.name, one.value.lower().encode()) for one in identifiers).encode()
            copies[data[start:stop]] = pseudonym
            pieces += (data[end:start], pseudonym)
            end = stop
        replaced = b"".join((*pieces, data[end:]))
        for copy, pseudonym in copies.items() if everywhere else ():
            replaced = replaced.replace(copy, pseudonym)
        return replaced

    def _hide(self, secret: str) -> str:
        """A secret's pseudonym; one that is an identifier, as a whole, stays: it has a pseudonym of its own."""
        if _PSEUDONYM.fullmatch(secret):
            return secret
        data = secret.encode("utf-8", "surrogatepass")
        hits, _ = self._search.search(data)
        if any(hit.start == 0 and hit.end == len(data) for hit in hits):
            return secret
        return self._pseudonym(_SECRET, data)

    def _pseudonym(self, name: str, value: bytes) -> str:
        digits = hmac.digest(self._key, value, "sha256").hex()[:_DIGITS]
        return f"{_PREFIX}{_NOT_IN_NAMES.sub('_', name)}-{digits}"

    def _headers(self, headers: Any) -> Any:
        for header in headers:
            name, value = header.get("name") or "", header.get("value") or ""
            header["value"] = self.text(hide_header(name, value, self._hide))
            header["name"] = self.text(name)
        return headers

    def _pairs(self, pairs: Any) -> Any:
        for pair in pairs:
            name, value = pair.get("name") or "", pair.get("value") or ""
            pair["value"] = self.text(self._hide(value) if value and is_secret_name(name) else value)
            pair["name"] = self.text(name)
        return pairs

    def _cookies(self, cookies: Any) -> Any:
        for cookie in cookies:
            cookie["value"] = self._hide(cookie["value"]) if cookie.get("value") else ""
            cookie["name"] = self.text(cookie.get("name") or "")
        return cookies

    def _messages(self, messages: Any) -> Any:
        """WebSocket messages: their data are bytes where they are written in base64."""
        for message in messages:
            data = websocket_data(message)
            redacted = self.data(data)
            message["data"] = (
                pybase64.b64encode_as_string(redacted)
                if is_base64(message)
                else redacted.decode("utf-8", "surrogatepass")
            )
            self._rest(message, "data")
        return messages

    def _rest(self, row: Json, done: str) -> None:
        """Redact everything in a row but what was done."""
        rest = {name: value for name, value in row.items() if name != done}
        self.row(rest)
        row.update(rest)

    def _ids(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._ids(item) for item in value]
        return hmac.digest(self._key, str(value).encode(), "sha256").hex()[:40] if value else value

    def _decryption(self, decryption: Any) -> Any:
        """With the key, what was encrypted is as good as clear: neither key nor original stays."""
        decryption = dict(decryption)
        parameters = dict(decryption.get("primitiveParameters") or {})
        if parameters.get("key"):
            parameters["key"] = self._hide(str(parameters["key"]))
        decryption["primitiveParameters"] = parameters
        original = decryption.get("originalBase64Content")
        if original:
            pseudonym = self._pseudonym(_SECRET, str(original).encode())
            decryption["originalBase64Content"] = pybase64.b64encode_as_string(pseudonym.encode())
        return decryption

    def _body(self, message: Json, content: Json, large: Large) -> None:
        """Redact a body's text; its digest goes with what it was a digest of."""
        text = content.get("text")
        if not text:
            return
        if text in large:
            content["text"] = ""
            content["_redacted"] = "left out: too large to be searched"
        elif content.get("encoding") == "base64":
            redacted = self.data(data := body_of(content))
            if redacted == data:
                return
            content["text"] = pybase64.b64encode_as_string(redacted)
        else:
            content["text"] = self.text(text)
            if content["text"] == text:
                return
        content.pop("_sha256", None)

    def _outside_of_text(self, content: Json) -> Json:
        self._rest(content, "text")
        return content


def _merged(hits: Iterable[Hit]) -> list[tuple[int, int, list[Identifier]]]:
    """Places in order, those that overlap as one, with the identifiers that stand there."""
    merged: list[tuple[int, int, list[Identifier]]] = []
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end)):
        if merged and hit.start < merged[-1][1]:
            start, end, identifiers = merged[-1]
            if hit.identifier not in identifiers:
                identifiers.append(hit.identifier)
            merged[-1] = (start, max(end, hit.end), identifiers)
        else:
            merged.append((hit.start, hit.end, [hit.identifier]))
    return merged


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True
