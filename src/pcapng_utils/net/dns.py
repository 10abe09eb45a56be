"""DNS as it passes by: which names were asked for, by whom, when, and what the answers were (RFC 1035).

One reader takes the messages of one conversation, whatever carried them: datagrams (DNS, multicast DNS, LLMNR), a
stream with length prefixes (TCP, RFC 7766; TLS, RFC 7858), or HTTPS exchanges (RFC 8484). It pairs answers with
questions by identifier and question and hands on one `DnsExchange` for each. The messages tell who is the client.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from struct import Struct
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec

from pcapng_utils.layers import CLIENT, SERVER, Problem, Report, Stamp
from pcapng_utils.net.dns_message import (
    BadMessageError,
    DnsAnswer,
    DnsMessage,
    looks_like_dns,
    looks_like_header,
    parse,
)
from pcapng_utils.net.flow import Flow

_LENGTH: Final = Struct("!H")
_HEADER_SIZE: Final = 12
_ADDRESS_TYPES: Final = ("A", "AAAA")

#: Ports whose datagrams are DNS messages as a rule, and what the exchanges say of them.
TRANSPORTS: Final = {53: "udp", 5353: "mdns", 5355: "llmnr"}


class DnsExchange(msgspec.Struct, frozen=True):
    """A question and its answer; either may be missing from the capture, never both."""

    name: str
    """What was asked for: lower case, without the final dot."""
    type: str
    client: str
    server: str
    """Addresses."""
    transport: str
    """"udp", "tcp", "tls", "https", "mdns" or "llmnr"."""
    asked: int | None
    """Time of the (first) query, in ns."""
    answered: int | None
    rcode: str | None
    """"NOERROR", "NXDOMAIN", ...; None without an answer."""
    answers: tuple[DnsAnswer, ...]
    frame: int
    """The packet with the answer, else with the query."""

    @property
    def time(self) -> int:
        """When it was asked, else when it was answered."""
        return self.asked if self.asked is not None else self.answered or 0

    def addresses(self) -> Iterator[str]:
        """What the name asked for stands for, CNAMEs followed."""
        names = {self.name}
        for answer in self.answers:
            owner = answer.name.lower()
            if owner in names and answer.type == "CNAME":
                names.add(answer.data.lower())
            elif owner in names and answer.type in _ADDRESS_TYPES:
                yield answer.data


Emit = Callable[[DnsExchange], None]


class _Query(NamedTuple):
    client: str
    server: str
    time: int
    frame: int


class DnsReader:
    """Reads the messages of one flow; a `DatagramLayer` where they are datagrams."""

    MAX_WAITING: Final = 512
    """Questions without an answer that are remembered."""

    def __init__(self, flow: Flow, emit: Emit, report: Report, transport: str | None = None) -> None:
        self._flow = flow
        self._emit = emit
        self._report = report
        self._transport = transport or TRANSPORTS.get(flow.server.port, flow.transport)
        self._waiting: dict[tuple[int, str, str], _Query] = {}

    def datagram(self, direction: int, data: bytes, time: int, frame: int) -> None:
        self.message(direction, data, time, frame)

    def message(self, direction: int, data: bytes, time: int, frame: int) -> None:
        """One message, sent in that direction of the flow; `time` is that of the packet that completed it, in ns."""
        try:
            message = parse(data)
        except BadMessageError:
            self.refuse(data, frame)
            return
        ends = self._flow.client.ip, self._flow.server.ip
        sender, receiver = ends[direction], ends[1 - direction]
        if message.response:
            self._answered(message, _Query(receiver, sender, time, frame))
        elif message.name and self._transport != "mdns":
            key = message.id, message.name.lower(), message.type
            self._waiting.setdefault(key, _Query(sender, receiver, time, frame))
            if len(self._waiting) > self.MAX_WAITING:
                self._give_up()

    def refuse(self, data: bytes, frame: int) -> None:
        """Report that a message was expected, and these bytes are none."""
        text = "A DNS message could not be read"
        self._report(Problem("dns-bad-message", text, frame, f"{len(data)} bytes", len(data), self._flow.id))

    def close(self) -> None:
        """Hand on the questions that were never answered."""
        while self._waiting:
            self._give_up()

    def _answered(self, message: DnsMessage, answer: _Query) -> None:
        name, kind, answers = message.name.lower(), message.type, message.answers
        if not name and answers:  # multicast answers do not repeat the question (RFC 6762, section 6)
            named = next((one for one in answers if one.type in _ADDRESS_TYPES), answers[0])
            name, kind = named.name.lower(), named.type
        if not name:
            return
        query = self._waiting.pop((message.id, name, kind), None)
        asked = None if query is None else query.time
        client, server, time, frame = answer
        self._emit(DnsExchange(name, kind, client, server, self._transport, asked, time, message.rcode, answers, frame))

    def _give_up(self) -> None:
        key, query = next(iter(self._waiting.items()))
        del self._waiting[key]
        _, name, kind = key
        client, server, time, frame = query
        self._emit(DnsExchange(name, kind, client, server, self._transport, time, None, None, (), frame))


class DnsStream:
    """DNS messages in a stream, each behind its length in two bytes (RFC 1035, section 4.2.2); a `ByteLayer`."""

    def __init__(self, reader: DnsReader) -> None:
        self._reader = reader
        self._buffers = (bytearray(), bytearray())
        self._lost = [False, False]

    def data(self, direction: int, data: bytes, stamp: Stamp) -> None:
        if self._lost[direction]:
            return
        buffer = self._buffers[direction]
        buffer += data
        at = 0
        while at + _LENGTH.size <= len(buffer):
            start = at + _LENGTH.size
            end = start + _LENGTH.unpack_from(buffer, at)[0]
            if end > len(buffer):
                break
            self._reader.message(direction, bytes(buffer[start:end]), stamp.last, stamp.frames[-1])
            at = end
        del buffer[:at]

    def gap(self, direction: int, size: int, stamp: Stamp) -> None:
        """Where the next message begins is not known any more."""
        self._lost[direction] = True
        self._buffers[direction].clear()

    def end(self, direction: int, stamp: Stamp | None) -> None:
        self._buffers[direction].clear()

    def close(self) -> None:
        self._reader.close()


def looks_like_dns_stream(data: bytes) -> bool | None:
    """Whether a stream begins with a DNS message behind its length; None if more bytes are needed to tell."""
    if len(data) < _LENGTH.size:
        return None
    size = _LENGTH.unpack_from(data)[0]
    message = data[_LENGTH.size : _LENGTH.size + size]
    if size < _HEADER_SIZE or (len(message) >= _HEADER_SIZE and not looks_like_header(message)):
        return False
    return looks_like_dns(message) if len(message) == size else None


def over_https(
    flow: Flow, query: bytes | None, response: bytes | None, asked: int, answered: int, frame: int, report: Report
) -> DnsExchange | None:
    """The DNS exchange in the bodies of an HTTPS exchange (RFC 8484): times in ns, `frame` that of the answer."""
    found: list[DnsExchange] = []
    reader = DnsReader(flow, found.append, report, "https")
    if query is not None:
        reader.message(CLIENT, query, asked, frame)
    if response is not None:
        reader.message(SERVER, response, answered, frame)
    reader.close()
    return found[0] if found else None


def query_in_target(target: bytes) -> bytes | None:
    """The query in the target of a GET request (RFC 8484, section 4.1): base64url in `dns`, unpadded."""
    values = parse_qs(urlsplit(target.decode("latin-1")).query).get("dns")
    if not values:
        return None
    try:
        return urlsafe_b64decode(values[0] + "=" * (-len(values[0]) % 4))
    except ValueError:
        return None
