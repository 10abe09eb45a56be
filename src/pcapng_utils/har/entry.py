"""An exchange in HAR's form.

What is only known when the whole capture was read (names of hosts, whether the exchange was its connection's first,
which code sent it) is left to the writer; everything else is settled here, once, when the exchange is complete.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any, Final

import msgspec
import pybase64

from pcapng_utils.har.blobs import Blob, WriteBlob
from pcapng_utils.har.body import SMALL_BODY, BodyLimits, Content, read_body
from pcapng_utils.har.cookies import request_cookies, response_cookies
from pcapng_utils.har.text import header_text
from pcapng_utils.har.timings import Opening, Timeline, seconds
from pcapng_utils.har.url import form_params, query_string, redirect_url, request_url
from pcapng_utils.http.body import BodyFactory
from pcapng_utils.http.codings import message_codings
from pcapng_utils.http.exchange import Exchange, Header, Message, Request, Response, WebSocketLog, WebSocketMessage
from pcapng_utils.layers import CLIENT
from pcapng_utils.net.flow import Endpoint, Flow
from pcapng_utils.tls.facts import TlsFacts

_TEXT_OPCODE: Final = 1
_DATA_OPCODES: Final = frozenset({1, 2})
_CLOSE_OPCODE: Final = 8
_FORM: Final = "application/x-www-form-urlencoded"

#: Begins what stands for a text that waits in the spool; a capture cannot hold it, for it cannot be foreseen.
_MARKER: Final = secrets.token_hex()

_canonical = msgspec.json.Encoder(order="sorted")


class Entry(msgspec.Struct):
    """An entry but for what the writer adds. `request` and `response` are kept apart from the other `fields`."""

    connection: str
    client: Endpoint
    server: Endpoint
    timeline: Timeline
    opening: Opening
    opened: int
    """Time of the connection's first packet, in ns."""
    url_host: str
    processes: tuple[str, ...]
    """Apps that the capture names for the connection."""
    fields: dict[str, Any]
    request: dict[str, Any]
    response: dict[str, Any]
    blobs: dict[str, Blob] = msgspec.field(default_factory=dict)
    """Texts that wait in the spool, by the marker that stands for them."""
    first: bool = False
    """Whether it is the first exchange of its connection to be complete."""


class EntryBuilder(msgspec.Struct, frozen=True):
    """Makes entries. `write_blob` None leaves bodies out: their sizes and digests stay."""

    new_body: BodyFactory
    write_blob: WriteBlob | None
    small_body: int = SMALL_BODY
    """Bytes of a body that is a value of the entry, rather than a blob in the spool."""
    limits: BodyLimits = BodyLimits()

    def build(self, exchange: Exchange, flow: Flow, tls: TlsFacts | None) -> tuple[Entry, list[str]]:
        """The entry, and what was wrong with the exchange's bodies, a sentence each."""
        request, response = exchange.request, exchange.response
        url = request_url(request, secure=tls is not None, server=flow.server, sni=tls.sni if tls else None)
        problems: list[str] = []
        blobs: dict[str, Blob] = {}
        har_request = self._request(request, response, url, blobs, problems)
        har_response = self._response(response, url, blobs, problems)
        timeline = _timeline(request, response)
        fields: dict[str, Any] = {
            "_timestamp": seconds(timeline.begin),
            "serverIPAddress": flow.server.ip,
            "connection": flow.id,
            "_communityId": flow.community_id,
            "cache": {},
        }
        _add_extras(fields, exchange)
        entry = Entry(
            connection=flow.id,
            client=flow.client,
            server=flow.server,
            timeline=timeline,
            opening=_opening(flow, tls),
            opened=flow.first,
            url_host=_host_of(url),
            processes=tuple(flow.processes),
            fields=fields,
            request=har_request,
            response=har_response,
            blobs=blobs,
        )
        fields["_sha1Id"] = _identity(entry)
        return entry, problems

    def _request(
        self, request: Request | None, response: Response | None, url: str, blobs: dict[str, Blob], problems: list[str]
    ) -> dict[str, Any]:
        har: dict[str, Any] = {
            "method": header_text(request.method) if request else "",
            "url": url,
            "httpVersion": request.version if request else (response.version if response else ""),
            "cookies": request_cookies(request) if request else [],
            "headers": _headers(request.headers) if request else [],
            "queryString": query_string(url),
            **_wire_facts(request),
        }
        if request is None or not request.body.size:
            return har
        content, mime_type = self._content(request, problems)
        facts = {"_sha256": content.sha256, **({"_decoded": False} if content.decoded is False else {})}
        if content.text is None:
            har["_content"] = {"mimeType": mime_type, "size": content.size, **facts}
            har["_requestBodyStatus"] = "discarded:not-wanted"
            return har
        text = _text_or_marker(content, blobs)
        if content.encoding is None:
            is_form = mime_type.lower().startswith(_FORM) and isinstance(content.text, str)
            params = form_params(text) if is_form else []
            har["postData"] = {"mimeType": mime_type, "params": params, "text": text, "_size": content.size, **facts}
        else:
            har["_content"] = {"mimeType": mime_type, "size": content.size, "text": text, "encoding": "base64", **facts}
            har["_requestBodyStatus"] = "discarded:not-representable"
        return har

    def _response(
        self, response: Response | None, url: str, blobs: dict[str, Blob], problems: list[str]
    ) -> dict[str, Any]:
        har: dict[str, Any] = {
            "status": response.status if response else 0,
            "statusText": header_text(response.reason) if response else "",
            "httpVersion": response.version if response else "",
            "cookies": response_cookies(response) if response else [],
            "headers": _headers(response.headers) if response else [],
            "redirectURL": redirect_url(response, url) if response else "",
            **_wire_facts(response),
        }
        if response is None:
            har["content"] = {"mimeType": "", "size": 0, "text": ""}
            return har
        content, mime_type = self._content(response, problems)
        har["content"] = har_content = {"mimeType": mime_type, "size": content.size, "_sha256": content.sha256}
        if content.decoded:
            har_content["compression"] = content.size - response.body.size
        elif content.decoded is False:
            har_content["_decoded"] = False
        if content.text is not None:
            har_content["text"] = _text_or_marker(content, blobs)
        if content.encoding is not None:
            har_content["encoding"] = content.encoding
        return har

    def _content(self, message: Message, problems: list[str]) -> tuple[Content, str]:
        """The decoded body of a message, and its MIME type."""
        declared = message.header(b"content-type")
        content_type = header_text(declared) if declared is not None else ""
        content = read_body(
            message.body,
            message_codings(message),
            content_type,
            self.new_body,
            self.write_blob,
            small=self.small_body,
            whole=not message.incomplete,
            limits=self.limits,
        )
        message.body.discard()
        if content.problem:
            problems.append(content.problem)
        if not content_type and content.size:
            content_type = "application/octet-stream"
        return content, content_type


def _text_or_marker(content: Content, blobs: dict[str, Blob]) -> str:
    if isinstance(content.text, Blob):
        marker = f"\x00{_MARKER}{content.text.offset}\x00"
        blobs[marker] = content.text
        return marker
    return content.text or ""


def _headers(headers: list[Header]) -> list[dict[str, str]]:
    try:
        return [{"name": name.decode(), "value": value.decode()} for name, value in headers]
    except UnicodeDecodeError:
        return [{"name": header_text(name), "value": header_text(value)} for name, value in headers]


def _wire_facts(message: Message | None) -> dict[str, Any]:
    """What a message's place on the wire gives: sizes, time, frames, trailers."""
    if message is None:
        return {"headersSize": -1, "bodySize": -1, "_timestamp": None, "_rawFramesNumbers": [], "_trailers": []}
    return {
        "headersSize": message.headers_size,
        "bodySize": message.body.size,
        "_timestamp": seconds(message.first),
        "_rawFramesNumbers": sorted(set(message.frames)),
        "_trailers": _headers(message.trailers),
    }


def _opening(flow: Flow, tls: TlsFacts | None) -> Opening:
    hello, finished = (tls.hello_time, tls.finished_time) if tls else (None, None)
    return Opening(flow.syn, flow.established, hello, finished)


def _timeline(request: Request | None, response: Response | None) -> Timeline:
    return Timeline(
        *((request.first, request.last) if request else (None, None)),
        *((response.first, response.last) if response else (None, None)),
    )


def _add_extras(fields: dict[str, Any], exchange: Exchange) -> None:
    """What HAR has no field for."""
    messages = (("request", exchange.request), ("response", exchange.response))
    reasons = [
        f"{side}: {reason}"
        for side, message in (*messages, *(("interim response", interim) for interim in exchange.interim))
        for reason in (message.incomplete if message else ["not-captured"])
    ]
    if reasons:
        fields["_incomplete"] = reasons
    if exchange.stream is not None:
        fields["_streamId"] = exchange.stream
    if exchange.interim:
        fields["_interimResponses"] = [
            {"status": interim.status, "headers": _headers(interim.headers), "_timestamp": seconds(interim.first)}
            for interim in exchange.interim
        ]
    if exchange.pushed:
        fields["_pushed"] = True
    if exchange.reset:
        fields["_reset"] = exchange.reset
    if exchange.tunnel:
        fields["_tunnel"] = exchange.tunnel
    if exchange.events is not None:
        fields["_eventStream"] = [
            {"time": seconds(event.time), "event": event.event, "id": event.id, "data": event.data}
            for event in exchange.events
        ]
    if exchange.websocket is not None:
        _add_websocket(fields, exchange.websocket)


def _add_websocket(fields: dict[str, Any], log: WebSocketLog) -> None:
    """HTTP Toolkit's form; ping and pong frames apart."""
    fields["_resourceType"] = "websocket"
    fields["_webSocketMessages"] = [_websocket_message(m) for m in log.messages if m.opcode in _DATA_OPCODES]
    control = [
        _websocket_message(m) for m in log.messages if m.opcode not in _DATA_OPCODES and m.opcode != _CLOSE_OPCODE
    ]
    if control:
        fields["_webSocketControlFrames"] = control
    if log.close is not None:
        fields["_webSocketClose"] = {
            "type": "send" if log.close.direction == CLIENT else "receive",
            "code": log.close.code,
            "reason": header_text(log.close.reason),
            "time": seconds(log.close.time),
        }


def _websocket_message(message: WebSocketMessage) -> dict[str, Any]:
    encoding = {}
    try:
        if message.opcode != _TEXT_OPCODE:
            raise UnicodeError
        data = message.data.decode()
    except UnicodeError:
        data = pybase64.b64encode_as_string(message.data)
        if message.opcode == _TEXT_OPCODE:
            encoding = {"_encoding": "base64"}
    har: dict[str, Any] = {
        "type": "send" if message.direction == CLIENT else "receive",
        "opcode": message.opcode,
        "data": data,
        "time": seconds(message.stamp.first),
        **encoding,
    }
    if message.incomplete:
        har["_incomplete"] = message.incomplete
    har["_rawFramesNumbers"] = list(message.stamp.frames)
    return har


def _host_of(url: str) -> str:
    """Host of an absolute URL, lower case, without port or brackets."""
    authority = url.partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2]
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0].lower()


def _identity(entry: Entry) -> str:
    """SHA-1 of the entry's canonical JSON (sorted keys, no white space); for a body's text stands its digest."""
    request = dict(entry.request)
    for key in ("postData", "_content"):
        if key in request:
            request[key] = {name: value for name, value in request[key].items() if name not in {"text", "params"}}
    response = dict(entry.response)
    response["content"] = {name: value for name, value in response["content"].items() if name != "text"}
    canonical = _canonical.encode({**entry.fields, "request": request, "response": response})
    return hashlib.sha1(canonical, usedforsecurity=False).hexdigest()
