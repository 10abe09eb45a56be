"""Which name stood for an address, when, and for whom.

Names come from a hosts file (which is obeyed), from what was seen (DNS answers, SNI) and from the capture's own name
resolution blocks (which are a last resort: they do not say when). What was seen counts from then on, and is asked for
by time, so that the answer does not depend on when the question is put.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import OrderedDict
from operator import itemgetter
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Final, NamedTuple

from pcapng_utils.net.dns import DnsExchange


class _Seen(NamedTuple):
    time: int
    client: str
    name: str


_time = itemgetter(0)


class Names:
    MAX_ADDRESSES: Final = 100_000
    MAX_NAMES: Final = 256
    """Of one address: the oldest are forgotten."""

    def __init__(self) -> None:
        self._hosts: dict[str, str] = {}
        self._blocks: dict[str, str] = {}
        self._seen: OrderedDict[str, list[_Seen]] = OrderedDict()

    def learn_hosts(self, text: str) -> None:
        """The text of a hosts file; the first name of an address's first line is taken."""
        for line in text.splitlines():
            address, *names = line.partition("#")[0].split() or [""]
            if names and (key := canonical(address)):
                self._hosts.setdefault(key, names[0])

    def learn_block(self, address: str, name: str) -> None:
        """From a Name Resolution Block."""
        if len(self._blocks) < self.MAX_ADDRESSES and (key := canonical(address)):
            self._blocks.setdefault(key, name)

    def learn_dns(self, exchange: DnsExchange) -> None:
        """The name that was asked for stands for all addresses in the answer, through whatever CNAMEs."""
        if exchange.answered is not None and exchange.type != "PTR":
            for address in exchange.addresses():
                self.learn(address, exchange.name, exchange.answered, exchange.client)

    def learn(self, address: str, name: str, time: int, client: str) -> None:
        """`client` was told, or said itself (SNI), at `time` (ns) that this is the address of `name`."""
        key = canonical(address)
        if not key or not name:
            return
        seen = self._seen.setdefault(key, [])
        if seen and seen[-1][1:] == (client, name) and seen[-1].time <= time:
            return
        insort(seen, _Seen(time, client, name), key=_time)
        if len(seen) > self.MAX_NAMES:
            del seen[0]
        if len(self._seen) > self.MAX_ADDRESSES:
            self._seen.popitem(last=False)

    def lookup(self, address: str, client: str | None = None, time: int | None = None) -> str | None:
        """The name of an address for a client at a time (ns; None: at the end).

        The hosts file's; else the last one that this client, or else anybody, was seen to use for it before; else that
        of a Name Resolution Block."""
        key = canonical(address)
        if key in self._hosts:
            return self._hosts[key]
        seen = self._seen.get(key, [])
        before = seen if time is None else seen[: bisect_right(seen, time, key=_time)]
        for one in reversed(before):
            if one.client == client:
                return one.name
        return before[-1].name if before else self._blocks.get(key)


def canonical(address: str) -> str:
    """An address in its one spelling; an IPv4-mapped one as IPv4; empty if it is none."""
    family = AF_INET6 if ":" in address else AF_INET
    try:
        raw = inet_pton(family, address)
    except (OSError, ValueError):
        return ""
    if raw.startswith(_MAPPED) and len(raw) == 16:
        return inet_ntop(AF_INET, raw[12:])
    return inet_ntop(family, raw)


_MAPPED: Final = bytes(10) + b"\xff\xff"
