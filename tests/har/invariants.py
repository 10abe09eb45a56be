"""What must hold of every HAR that is written, whatever it was made of.

The JSON schema of HAR says what types fields have; this says what their values may be, and how they agree.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from math import isclose
from typing import Any
from urllib.parse import urlsplit

_PARTS = ("blocked", "dns", "connect", "ssl", "send", "wait", "receive")
_VERSIONS = {*(f"HTTP/1.{minor}" for minor in range(10)), "HTTP/2", "HTTP/3", ""}
_SHA1 = re.compile(r"[0-9a-f]{40}")
_COMMUNITY_ID = re.compile(r"1:[A-Za-z0-9+/]{27}=")

#: A double of seconds since the epoch is good to a microsecond, not more.
_EXACT = 2e-6


def violations(har: dict[str, Any]) -> Iterator[str]:
    """Each breach of an invariant, as a sentence that names the entry."""
    log = har["log"]
    yield from _log_violations(log)
    connections = {row["id"]: row for row in log["_connections"]}
    for number, entry in enumerate(log["entries"]):
        where = f"entry {number} ({entry['request']['method']} {entry['request']['url'][:60]})"
        connection = connections.get(entry["connection"])
        if connection is None:
            yield f"{where}: its connection {entry['connection']} is not in _connections"
            continue
        checks = (
            _time_violations(entry),
            _entry_violations(entry, connection),
            _message_violations(entry["request"], entry, "request"),
            _message_violations(entry["response"], entry, "response"),
            _request_violations(entry["request"]),
            _response_violations(entry["response"]),
        )
        for check in checks:
            yield from (f"{where}: {breach}" for breach in check)


def _log_violations(log: dict[str, Any]) -> Iterator[str]:
    if log["version"] != "1.2" or log["pages"] != []:
        yield "not HAR 1.2, or with pages"
    starts = [entry["startedDateTime"] for entry in log["entries"]]
    if starts != sorted(starts):
        yield "entries are not in order of their starts"
    for name, ids in (
        ("_sha1Id", [entry["_sha1Id"] for entry in log["entries"]]),
        ("connection", [row["id"] for row in log["_connections"]]),
    ):
        if len(ids) != len(set(ids)):
            yield f"{name} is not unique"
    frames = [row["frames"][0] for row in log["_connections"]]
    if frames != sorted(frames):
        yield "connections are not in order of their first frames"
    counted = {row["id"]: row["exchanges"] for row in log["_connections"]}
    for entry in log["entries"]:
        counted[entry["connection"]] = counted.get(entry["connection"], 0) - 1
    if any(counted.values()):
        yield f"exchanges of connections do not add up: {counted}"
    for row in log["_problems"]:
        if row["count"] < 1 or not row["kind"] or not row["message"]:
            yield f"a problem that says nothing: {row}"


def _time_violations(entry: dict[str, Any]) -> Iterator[str]:
    parts = entry["timings"]
    if tuple(parts) != _PARTS:
        yield f"timings are {list(parts)}"
    if any(part < 0 and part != -1 for part in parts.values()):
        yield f"a negative time: {parts}"
    if min(parts["send"], parts["wait"], parts["receive"]) < 0:
        yield f"send, wait or receive is missing: {parts}"
    if parts["ssl"] > max(parts["connect"], 0):
        yield f"ssl is longer than connect: {parts}"
    total = sum(part for name, part in parts.items() if part > 0 and name != "ssl")
    if not isclose(total, entry["time"], rel_tol=1e-12, abs_tol=1e-6):
        yield f"time is {entry['time']}, its parts add up to {total}"
    start = datetime.fromisoformat(entry["startedDateTime"]).timestamp()
    before = sum(max(parts[name], 0) for name in ("blocked", "dns", "connect")) / 1000
    if abs(start + before - entry["_timestamp"]) > _EXACT:
        yield f"starts at {start}, {before} s before {entry['_timestamp']}"
    ends = [message["_timestamp"] for message in (entry["request"], entry["response"])]
    known = [end for end in ends if end is not None]
    if not known or abs(known[0] - entry["_timestamp"]) > _EXACT:
        yield f"_timestamp {entry['_timestamp']} is none of {ends}"
    if None not in ends and start + entry["time"] / 1000 < ends[1] - _EXACT:
        yield "ends before its response began"


def _entry_violations(entry: dict[str, Any], connection: dict[str, Any]) -> Iterator[str]:
    if not _SHA1.fullmatch(entry["_sha1Id"]):
        yield f"_sha1Id {entry['_sha1Id']}"
    if not _COMMUNITY_ID.fullmatch(entry["_communityId"]) or entry["_communityId"] != connection["_communityId"]:
        yield f"_communityId {entry['_communityId']}"
    if entry["serverIPAddress"] != connection["server"]["ip"]:
        yield f"server {entry['serverIPAddress']} is not that of its connection"
    first, last = connection["frames"]
    for side in ("request", "response"):
        frames = entry[side]["_rawFramesNumbers"]
        migrated = connection.get("quic", {}).get("migrations")
        if frames and not migrated and not first <= min(frames) <= max(frames) <= last:
            yield f"{side}: frames {frames[:5]} are not among those of its connection"
    response = entry["response"]
    said = response["headersSize"] > 0  # if only "000"
    if (response["status"] == 0) != (response["_timestamp"] is None) and not (said or _unknown(entry)):
        yield "status 0 and no response do not go together"
    if entry["cache"] != {}:
        yield "a cache"


def _unknown(entry: dict[str, Any]) -> bool:
    """The response came, but its headers could not be read."""
    return any(reason.startswith("response: ") for reason in entry.get("_incomplete", ()))


def _message_violations(message: dict[str, Any], entry: dict[str, Any], side: str) -> Iterator[str]:
    if message["httpVersion"] not in _VERSIONS:
        yield f"{side}: httpVersion {message['httpVersion']}"
    frames = message["_rawFramesNumbers"]
    if frames != sorted(set(frames)) or any(frame < 1 for frame in frames):
        yield f"{side}: frames are repeated, or not in order: {frames}"
    missing = message["_timestamp"] is None
    if missing != (not frames) or missing != (message["headersSize"] == -1) or missing != (message["bodySize"] == -1):
        yield f"{side}: it is missing in part"
    if not missing and message["headersSize"] < 0:
        yield f"{side}: headersSize {message['headersSize']}"
    ends = message["_communication"]
    server = ends["dst"] if side == "request" else ends["src"]
    if server["ip"] != entry["serverIPAddress"] or not all(end["host"] for end in ends.values()):
        yield f"{side}: _communication {ends}"


def _request_violations(request: dict[str, Any]) -> Iterator[str]:
    scheme, _, rest = request["url"].partition("://")
    if not scheme or not rest:
        yield "the URL is not absolute"
    try:
        query = urlsplit(request["url"]).query
    except ValueError:
        query = rest.partition("?")[2]
    if bool(request["queryString"]) and not query:
        yield "queryString without a query"
    if "postData" in request and "_content" in request:
        yield "two bodies"
    if ("_content" in request) != ("_requestBodyStatus" in request):
        yield "_content and _requestBodyStatus do not go together"
    body = request.get("postData") or request.get("_content")
    if (body is not None) != (request["bodySize"] > 0):
        yield f"bodySize {request['bodySize']} and a body do not go together"
    if body is not None:
        yield from _content_violations(body, body.get("_size", body.get("size")), request)
    if "encoding" in request.get("postData", {}):
        yield "postData is not text"


def _response_violations(response: dict[str, Any]) -> Iterator[str]:
    content = response["content"]
    yield from _content_violations(content, content["size"], response)
    if "compression" in content and content["compression"] != content["size"] - response["bodySize"]:
        yield "compression is not what was saved"
    if content["size"] and not content["mimeType"]:
        yield "a body without a type"


def _content_violations(content: dict[str, Any], size: int, message: dict[str, Any]) -> Iterator[str]:
    text = content.get("text", "")
    if size and not text and message.get("_requestBodyStatus") != "discarded:not-wanted":
        yield f"{size} bytes without text"
    if content.get("encoding", "base64") != "base64":
        yield f"encoding {content['encoding']}"
    charset = "charset" in content["mimeType"].lower()
    if "encoding" in content:
        data = base64.b64decode(text, validate=True)
    elif charset:
        return
    else:
        data = text.encode()
    if len(data) != size:
        yield f"size {size} of {len(data)} bytes"
    if "_sha256" in content and hashlib.sha256(data).hexdigest() != content["_sha256"]:
        yield "_sha256 is not that of the body"
