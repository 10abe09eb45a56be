"""DNS exchanges as rows of `log._dns`, and the look-ups that connections wait for as they are opened."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

from pcapng_utils.har.timings import iso_time, seconds
from pcapng_utils.har.waits import FRESH, Lookup
from pcapng_utils.net.dns import DnsExchange

_REMEMBERED: Final = 20_000


class FreshLookups:
    """Answers that no connection has used so far: `Waits` for those who cannot wait for the end."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[tuple[str, str], Lookup] = OrderedDict()

    def add(self, client: str, address: str, lookup: Lookup) -> None:
        self._waiting[client, address] = lookup
        while len(self._waiting) > _REMEMBERED:
            self._waiting.popitem(last=False)

    def take(self, client: str, server: str, opened: int) -> Lookup | None:
        """The look-up that a connection waited for which was opened at that time (ns)."""
        lookup = self._waiting.get((client, server))
        if lookup is None or not 0 <= opened - lookup.answered <= FRESH:
            return None
        return self._waiting.pop((client, server))


def lookup_of(exchange: DnsExchange) -> Lookup | None:
    """None if there was no answer, or no question before it."""
    if exchange.asked is None or exchange.answered is None or exchange.answered < exchange.asked:
        return None
    return Lookup(exchange.asked, exchange.answered)


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
