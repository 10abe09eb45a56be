"""A body as bytes, and its two forms in HAR: text, or base64 where it is not text."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NotRequired, TypedDict

import pybase64

from pcapng_utils.har.text import body_text


class HARPayloadDict(TypedDict):
    """A body as HAR has it."""

    size: int
    text: str
    encoding: NotRequired[Literal["base64"]]


@dataclass(frozen=True)
class Payload:
    """Immutable bytes of a body, after all codings were undone."""

    bytes_: bytes = b""

    def __repr__(self) -> str:
        return f"Payload(size={self.size}, sha1={self.sha1})"

    @property
    def size(self) -> int:
        return len(self.bytes_)

    @cached_property
    def sha1(self) -> str:
        """Hex digest."""
        return hashlib.sha1(self.bytes_, usedforsecurity=False).hexdigest()

    @classmethod
    def concat(cls, *payloads: Payload) -> Payload:
        """One payload of several, in order."""
        return cls(b"".join(payload.bytes_ for payload in payloads))

    def to_har_dict(self, mimetype: str = "") -> HARPayloadDict:
        """`size` and `text`; `encoding` "base64" where the bytes are no text in the charset of `mimetype`."""
        text = body_text(self.bytes_, mimetype)
        if text is not None:
            return {"size": self.size, "text": text}
        return {"size": self.size, "text": pybase64.b64encode_as_string(self.bytes_), "encoding": "base64"}

    def update_har_request(self, request: dict[str, Any], mimetype: str) -> None:
        """Make this the body of a HAR request, in place: `postData`, or `_content` where it is not text."""
        for key in ("postData", "_content", "_requestBodyStatus"):
            request.pop(key, None)
        content = self.to_har_dict(mimetype)
        if "encoding" in content:
            request["_requestBodyStatus"] = "discarded:not-representable"
            request["_content"] = {"mimeType": mimetype, **content}
        else:
            request["postData"] = {
                "mimeType": mimetype,
                "params": [],
                "text": content["text"],
                "_size": content["size"],
            }

    def update_har_response(self, response: dict[str, Any], mimetype: str) -> None:
        """Make this the body of a HAR response, in place."""
        response["content"] = {"mimeType": mimetype, **self.to_har_dict(mimetype)}
