"""Exchanges made for tests, and the HAR that becomes of them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any, BinaryIO, TypeVar

from pcapng_utils.har.body import SMALL_BODY
from pcapng_utils.har.entry import Entry, EntryBuilder
from pcapng_utils.har.spool import Spool
from pcapng_utils.har.writer import Annotations, HarWriter
from pcapng_utils.http.body import Body
from pcapng_utils.http.exchange import Exchange, Header, Message, Request, Response
from pcapng_utils.layers import Stamp
from pcapng_utils.net.flow import Endpoint, Flow
from pcapng_utils.tls.facts import TlsFacts

M = TypeVar("M", bound=Message)

MS = 1_000_000
START = 1_700_000_000_000_000_000


def at(ms: float, frame: int = 1, *, last: float | None = None) -> Stamp:
    """Bytes that came in a packet so many ms after START (or in packets from then to `last`)."""
    first = START + round(ms * MS)
    frames = (frame,) if last is None else (frame, frame + 1)
    return Stamp(first, first if last is None else START + round(last * MS), frames, 0)


def flow(id_: str = "1", **more: Any) -> Flow:
    server = more.pop("server", Endpoint("203.0.113.7", 443))
    more.setdefault("syn", START - 30 * MS)
    more.setdefault("established", START - 20 * MS)
    return Flow(id_, "tcp", Endpoint("192.0.2.1", 40000), server, "1:id=", START - 30 * MS, int(id_), **more)


def body_of(data: bytes, spool: Spool | None = None) -> Body:
    body = Body(spool.new_file if spool else None)
    body.append(data)
    return body


def request(
    target: bytes = b"/",
    method: bytes = b"GET",
    headers: Iterable[Header] = (),
    body: bytes = b"",
    stamp: Stamp | None = None,
    **more: Any,
) -> Request:
    more.setdefault("authority", b"shop.example")
    made = Request(body_of(body), headers=[(b"Host", b"shop.example"), *headers], method=method, target=target, **more)
    return _carried(made, stamp or at(0, 4))


def response(
    status: int = 200, headers: Iterable[Header] = (), body: bytes = b"", stamp: Stamp | None = None, **more: Any
) -> Response:
    more.setdefault("reason", b"OK")
    return _carried(Response(body_of(body), headers=list(headers), status=status, **more), stamp or at(50, 6, last=60))


def _carried(message: M, stamp: Stamp) -> M:
    message.carried(stamp)
    message.headers_size = message.headers_size or 40
    return message


def exchange(req: Request | None = None, res: Response | None = None, **more: Any) -> Exchange:
    return Exchange(req, res, **more)


def builder(spool: Spool | None = None, small_body: int = SMALL_BODY) -> EntryBuilder:
    if spool is None:
        return EntryBuilder(Body, lambda pieces: _no_blobs(), small_body)
    return EntryBuilder(lambda: Body(spool.new_file), spool.write_blob, small_body)


def _no_blobs() -> Any:
    raise AssertionError("a body went to the spool")


def entry_of(
    made: Exchange, *, tls: TlsFacts | None = None, on: Flow | None = None, small_body: int = SMALL_BODY
) -> tuple[Entry, list[str]]:
    return builder(small_body=small_body).build(made, on or flow(), tls)


def har_entry(made: Exchange, *, tls: TlsFacts | None = None, on: Flow | None = None) -> dict[str, Any]:
    """The entry as it is read back from the file."""
    (entry,) = har_of([(made, on or flow(), tls)])["log"]["entries"]
    assert isinstance(entry, dict)
    return entry


def written(
    exchanges: Iterable[tuple[Exchange, Flow, TlsFacts | None]],
    *,
    small_body: int = SMALL_BODY,
    late: Annotations | None = None,
    indent: int = 2,
    ensure_ascii: bool = False,
    lists: dict[str, Iterable[dict[str, Any]]] | None = None,
    out: BinaryIO | None = None,
) -> bytes:
    """The bytes of the HAR that is made of the exchanges, unless they go to a file (`out`)."""
    spool = Spool()
    make = builder(spool, small_body)
    for made, on, tls in exchanges:
        spool.append(make.build(made, on, tls)[0])
    memory = io.BytesIO()
    writer = HarWriter(memory if out is None else out, indent=indent, ensure_ascii=ensure_ascii)
    pieces = (
        writer.entry(spool.blobs, stored, first=first, late=late or Annotations())
        for _, first, stored in spool.entries()
    )
    writer.write({"version": "1.2", "creator": {"name": "test", "version": "0"}, "pages": []}, lists or {}, pieces)
    spool.close()
    return memory.getvalue()


def har_of(exchanges: Iterable[tuple[Exchange, Flow, TlsFacts | None]], **more: Any) -> dict[str, Any]:
    har: dict[str, Any] = json.loads(written(exchanges, **more))
    return har
