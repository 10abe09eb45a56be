"""What a body hid: the clear text of the cipher call that made it (a request) or read it (a response)."""

from __future__ import annotations

import binascii
import hashlib
import re
import weakref
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final

import pybase64

from pcapng_utils.har.pirogue_enrichment.base import HarEnrichment
from pcapng_utils.har.pirogue_enrichment.cipher_index import Bounds
from pcapng_utils.har.pirogue_enrichment.cipher_keys import KeyFinder
from pcapng_utils.har.pirogue_enrichment.cipher_log import USUAL, CipherCall, CipherLog, call_to_har
from pcapng_utils.layers import CLIENT, SERVER
from pcapng_utils.payload import Payload

_BASE64: Final = re.compile(r"[A-Za-z0-9+/_\-\s]+={0,2}\s*")


class ContentDecryption(HarEnrichment):
    """Replaces bodies by their clear text, and tells where it came from in `_decryption`."""

    ID: ClassVar[str] = "pirogue_decryption"
    MIN_LEN_ENCRYPTED_BYTES: ClassVar[int] = USUAL.min_encrypted
    MIN_LEN_DECRYPTED_BYTES: ClassVar[int] = USUAL.min_clear
    MAX_SIZE_DIFF_FRACTION: ClassVar[float] = USUAL.max_difference
    """What a call's and a body's sizes may differ by, as a part of the body's. A subclass may set all three."""

    def __init__(self, har_data: dict[str, Any], input_data_file: Path) -> None:
        super().__init__(har_data, input_data_file)
        self.decrypted = [0, 0]
        """Requests and responses that were decrypted."""
        self._keys: dict[int, bytes] = {}

    @cached_property
    def log(self) -> CipherLog:
        """The cipher calls. Raises ValueError naming the file if it is no JSON array."""
        bounds = Bounds(self.MIN_LEN_ENCRYPTED_BYTES, self.MIN_LEN_DECRYPTED_BYTES, self.MAX_SIZE_DIFF_FRACTION)
        file = self.input_data_file.open("rb")
        try:
            log = CipherLog.read(file, bounds)
        except ValueError as error:
            file.close()
            raise ValueError(f"{self.input_data_file}: not a cipher log: {error}") from None
        # Who enriches a HAR needs not know that a file is open.
        weakref.finalize(self, log.close)
        return log

    @cached_property
    def _finder(self) -> KeyFinder:
        log = self.log
        return KeyFinder(list(log.keys), log.made, log.made_at)

    def has_data(self) -> bool:
        return bool(len(self.log) or self.log.keys or self.log.malformed or self.log.truncated)

    def enrich_entry(self, har_entry: dict[str, Any]) -> None:
        self.enrich_messages(har_entry["request"], har_entry["response"])

    def enrich_messages(self, request: dict[str, Any], response: dict[str, Any]) -> None:
        """Enrich the two messages of an exchange, in place."""
        sent = request.get("postData") or request.get("_content")
        if sent is not None and self._decrypt(request, sent, CLIENT):
            self.decrypted[CLIENT] += 1
        received = response.get("content")
        if received is not None and self._decrypt(response, received, SERVER):
            self.decrypted[SERVER] += 1

    def _decrypt(self, message: dict[str, Any], content: dict[str, Any], direction: int) -> bool:
        body = body_bytes(content)
        call = self.log.find(body, direction) if body else None
        if call is None:
            return False
        clear = Payload(call.clear(direction))
        digest = {"_sha256": hashlib.sha256(clear.bytes_).hexdigest()} if "_sha256" in content else {}
        if direction == CLIENT:
            clear.update_har_request(message, content.get("mimeType", ""))
            (message.get("postData") or message["_content"]).update(digest)
        else:
            clear.update_har_response(message, content.get("mimeType", ""))
            message["content"].update(digest)
        message["_decryption"] = {
            "pid": call.pid,
            "process": call.process,
            "timestamp": call.timestamp,
            "primitiveParameters": call_to_har(call, self._key_of(call)),
            "originalBase64Content": pybase64.b64encode_as_string(body),
            "sizeDiffEncrypted": len(call.encrypted(direction)) - len(body),
            "sizeDiffDecrypted": clear.size - len(body),
        }
        return True

    def _key_of(self, call: CipherCall) -> bytes:
        if call.key:
            return call.key
        key = self._keys.get(call.index)
        if key is None:
            key = self._keys[call.index] = self._finder.find(call)
        return key


def body_bytes(content: dict[str, Any]) -> bytes:
    """The bytes of a HAR body; those of base64 text are the bytes it stands for, in any of its spellings."""
    text = content.get("text") or ""
    if content.get("encoding") == "base64":
        try:
            return pybase64.b64decode(text)
        except binascii.Error:
            return b""
    return _from_base64(text) or text.encode("utf-8", "surrogatepass")


def _from_base64(text: str) -> bytes:
    """Bytes of base64 text, standard or URL-safe, with or without padding and white space; empty if it is none."""
    if not _BASE64.fullmatch(text):
        return b""
    letters = "".join(text.split()).rstrip("=").translate({ord("-"): "+", ord("_"): "/"})
    try:
        return pybase64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
