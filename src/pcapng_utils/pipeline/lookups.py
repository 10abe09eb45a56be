"""DNS exchanges: what they say to the names, to `log._dns`, and to the connections that were opened after them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final, NamedTuple

from pcapng_utils.har.timings import iso_time, seconds
from pcapng_utils.net.dns import DnsExchange
from pcapng_utils.net.flow import Flow

#: A connection that is opened later than this after the answer (ns) had the name from a cache.
_FRESH: Final = 5_000_000_000
_REMEMBERED: Final = 20_000


class Lookup(NamedTuple):
    """When a name was asked for and answered, in ns."""

    asked: int
    answered: int


class Lookups:
    """Answers that no connection has used so far."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[tuple[str, str], Lookup] = OrderedDict()

    def add(self, exchange: DnsExchange) -> None:
        if exchange.asked is None or exchange.answered is None or exchange.answered < exchange.asked:
            return
        for address in exchange.addresses():
            self._waiting[exchange.client, address] = Lookup(exchange.asked, exchange.answered)
        while len(self._waiting) > _REMEMBERED:
            self._waiting.popitem(last=False)

    def take(self, flow: Flow) -> Lookup | None:
        """The look-up that a connection waited for: the next one to the same address did not."""
        lookup = self._waiting.get((flow.client.ip, flow.server.ip))
        if lookup is None or not 0 <= flow.first - lookup.answered <= _FRESH:
            return None
        return self._waiting.pop((flow.client.ip, flow.server.ip))


def dns_row(exchange: DnsExchange) -> dict[str, Any]:
    """A row of `log._dns`."""
    return {
        "startedDateTime": iso_time(exchange.time),
        "time": seconds(exchange.time),
        "answered": seconds(exchange.answered),
        "name": exchange.name,
        "type": exchange.type,
        "rcode": exchange.rcode,
        "answers": [{"name": one.name, "type": one.type, "ttl": one.ttl, "data": one.data} for one in exchange.answers],
        "client": exchange.client,
        "server": exchange.server,
        "transport": exchange.transport,
        "frame": exchange.frame,
    }
