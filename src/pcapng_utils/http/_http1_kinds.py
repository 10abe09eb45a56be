"""What is different about requests and responses to a reader of HTTP/1.x: the start line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, NamedTuple, TypeVar

from pcapng_utils.http.body import Body
from pcapng_utils.http.exchange import Message, Request, Response
from pcapng_utils.http.startline import parse_request_line, parse_status_line
from pcapng_utils.layers import CLIENT, SERVER

M = TypeVar("M", bound=Message)


class Kind(NamedTuple, Generic[M]):
    """What is different about the messages of a direction."""

    direction: int
    new: Callable[[Body], M]
    read_start_line: Callable[[M, bytes], bool]
    """Fills in what the line says; False: it is no start line."""


def _read_request_line(request: Request, line: bytes) -> bool:
    found = parse_request_line(line)
    if found is not None:
        request.method, request.target, request.version = found
    return found is not None


def _read_status_line(response: Response, line: bytes) -> bool:
    found = parse_status_line(line)
    if found is not None:
        response.version, response.status, response.reason = found
    return found is not None


REQUESTS: Final = Kind(CLIENT, Request, _read_request_line)
RESPONSES: Final = Kind(SERVER, Response, _read_status_line)
