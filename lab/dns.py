"""Real DNS, small: a server for the lab's names, and a client that asks it over UDP, so that captures hold answers."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from lab.network import SERVER_ADDRESSES, Host
from lab.servers.process import python, running

SERVER: Final = SERVER_ADDRESSES[-1]
PORT: Final = 53
TTL: Final = 300

_PATIENCE: Final = 5.0
_MAX_MESSAGE: Final = 4096


@contextlib.contextmanager
def serving(host: Host, zone: Mapping[str, str], directory: Path) -> Iterator[None]:
    """A DNS server at SERVER that knows the addresses of `zone`, and of nothing else."""
    entries = [f"{name}={address}" for name, address in zone.items()]
    with running(host, python("lab.dns", *entries), directory / "dns.log"):
        _wait_until_answering(host, next(iter(zone)))
        yield


class Resolver:
    """Asks SERVER once for each name; threads may share it."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._lock = threading.Lock()

    def __call__(self, name: str) -> str:
        """The first IPv4 address of `name`; an address is its own name."""
        if name.replace(".", "").isdigit():
            return name
        with self._lock:
            if name not in self._known:
                self._known[name] = _ask(name)
            return self._known[name]


def _ask(name: str) -> str:
    query = dns.message.make_query(name, dns.rdatatype.A)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(_PATIENCE)
        sock.sendto(query.to_wire(), (SERVER, PORT))
        response = dns.message.from_wire(sock.recv(_MAX_MESSAGE))
    for rrset in response.answer:
        if rrset.rdtype == dns.rdatatype.A:
            return str(rrset[0].address)
    raise LookupError(f"the lab's DNS server knows no address of {name!r}")


def _wait_until_answering(host: Host, name: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    with host.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.1)
        sock.connect((SERVER, PORT))
        query = dns.message.make_query(name, dns.rdatatype.A).to_wire()
        while time.monotonic() < deadline:
            try:
                sock.send(query)
                sock.recv(_MAX_MESSAGE)
            except OSError:  # nothing listens yet, or nothing has been said yet
                time.sleep(0.02)
            else:
                return
    raise TimeoutError("the lab's DNS server does not answer")


def answer(query: dns.message.Message, zone: Mapping[str, str]) -> dns.message.Message:
    """What the server says to `query`: A records alone; an empty answer to other types, NXDOMAIN to other names."""
    response = dns.message.make_response(query)
    response.flags |= dns.flags.AA | dns.flags.RA
    question = query.question[0]
    address = zone.get(question.name.to_text(omit_final_dot=True).lower())
    if address is None:
        response.set_rcode(dns.rcode.NXDOMAIN)
    elif question.rdtype == dns.rdatatype.A:
        response.answer.append(dns.rrset.from_text(question.name, TTL, "IN", "A", address))
    return response


def main(entries: list[str]) -> None:
    zone = dict(entry.split("=", 1) for entry in entries)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((SERVER, PORT))
        while True:
            data, client = sock.recvfrom(_MAX_MESSAGE)
            sock.sendto(answer(dns.message.from_wire(data), zone).to_wire(), client)


if __name__ == "__main__":
    main(sys.argv[1:])
