"""Between the spool and the writer: what waits there is examined (labels, findings, redaction) as it is written."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pybase64

from pcapng_utils.har.blobs import Blob, Blobs
from pcapng_utils.har.spool import StoredEntry
from pcapng_utils.har.writer import Annotations
from pcapng_utils.pipeline.options import Options

if TYPE_CHECKING:
    from pcapng_utils.findings.examination import Examination

_encode = msgspec.json.Encoder().encode


def examination_of(options: Options, capture: Path) -> Examination:
    """The examination that the options ask for. Raises InputError if a file that was named cannot be used."""
    from pcapng_utils.findings.examination import examination
    from pcapng_utils.findings.identifiers import read_identifiers

    return examination(
        identifiers=read_identifiers(options.device, options.ad_ids, options.identifiers),
        trackers=options.trackers,
        system_frames=options.system_frames,
        rules=options.rules,
        redaction_key=_key(capture) if options.redact else None,
    )


def _key(capture: Path) -> bytes:
    """The capture's own key for pseudonyms; one that nobody will have again where the capture can be read but once."""
    from pcapng_utils.findings.redaction import key_of

    return key_of(capture) if capture.is_file() else secrets.token_bytes(32)


def examine(
    examination: Examination, number: int, stored: StoredEntry, late: Annotations, blobs: Blobs
) -> tuple[StoredEntry, Annotations]:
    """An entry as it is to be written, and what is to be added to it. `number`: its place among those written."""
    entry = {
        **msgspec.json.decode(stored.fields),
        **late.entry,
        "request": {**msgspec.json.decode(stored.request), **late.request},
        "response": {**msgspec.json.decode(stored.response), **late.response},
    }
    if not examination.reads_content:
        late.entry["_sdk"] = examination.label(entry)
        return stored, late
    for message, addition in zip(entry.get("_webSocketMessages", ()), late.websocket, strict=False):
        message.update(addition)
    examination.entry(number, entry, _large_bodies(entry, stored, blobs))
    request, response = _encode(entry.pop("request")), _encode(entry.pop("response"))
    kept = [(marker, blob) for marker, blob in stored.blobs if marker in request or marker in response]
    examined = msgspec.structs.replace(stored, fields=_encode(entry), request=request, response=response, blobs=kept)
    return examined, Annotations()


def _large_bodies(entry: dict[str, Any], stored: StoredEntry, blobs: Blobs) -> dict[str, Iterator[bytes]]:
    """The bodies that wait on disk, by their markers: texts as the inside of a JSON string."""
    waiting = {msgspec.json.decode(marker): blob for marker, blob in stored.blobs}
    large = {}
    request, response = entry["request"], entry["response"]
    for content in (request.get("postData"), request.get("_content"), response.get("content")):
        blob = waiting.get((content or {}).get("text"))
        if content and blob is not None:
            large[content["text"]] = _pieces(blobs, blob, base64=content.get("encoding") == "base64")
    return large


def _pieces(blobs: Blobs, blob: Blob, *, base64: bool) -> Iterator[bytes]:
    pieces = blobs.read(blob)  # each but the last of a length that base64 can be cut at
    return map(pybase64.b64decode, pieces) if base64 else pieces
