"""tshark as an oracle for packets: how many there are, when, and what their innermost IP header says."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from pcapng_utils.capture.events import PacketBatch
from pcapng_utils.capture.reader import CaptureReader
from pcapng_utils.layers import Problem
from pcapng_utils.net.decode import Decoder

CORPUS = Path(os.environ.get("PCAPNG_UTILS_CORPUS", Path(__file__).parents[2] / "../shared/captures"))
TSHARK = shutil.which("tshark")

_IP = ("ip.src", "ip.dst", "ip.proto", "ipv6.src", "ipv6.dst")
_PORTS = ("udp.srcport", "udp.dstport", "tcp.srcport", "tcp.dstport")
_FRAGMENT = ("ip.flags.mf", "ip.frag_offset", "ipv6.fraghdr.offset")
_FIELDS = ("frame.time_epoch", "frame.protocols", *_IP, *_PORTS, *_FRAGMENT)


class Seen(NamedTuple):
    """A packet, as told by either side."""

    time: int
    source: str
    destination: str
    ports: tuple[int, int] | None
    """Of TCP or UDP."""


def ours(path: Path) -> tuple[list[Seen], list[Problem]]:
    """Every packet of the capture, decoded; those without IP have no addresses."""
    seen: list[Seen] = []
    problems: list[Problem] = []
    decoder = Decoder(problems.append)
    with path.open("rb") as source:
        for event in CaptureReader(source, path.name):
            if isinstance(event, PacketBatch):
                seen += _decoded(decoder, event)
            elif isinstance(event, Problem):
                problems.append(event)
    decoder.close()
    return seen, problems


def _decoded(decoder: Decoder, batch: PacketBatch) -> Iterator[Seen]:
    for frame, time, start, end, wire in batch.packets:
        ip = decoder.packet(batch.link_type, batch.data, start, end, wire, time, frame)
        if ip is None:
            yield Seen(time, "", "", None)
            continue
        ports = None
        if ip.protocol in (6, 17) and ip.end - ip.start >= 4:
            head = ip.data[ip.start : ip.start + 4]
            ports = (int.from_bytes(head[:2]), int.from_bytes(head[2:]))
        yield Seen(time, str(ip_address(ip.source)), str(ip_address(ip.destination)), ports)


def tsharks(path: Path) -> list[Seen]:
    """The same by tshark."""
    arguments = [str(TSHARK), "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=a", "-E", "separator=/t"]
    for field in _FIELDS:
        arguments += ["-e", field]
    output = subprocess.run(arguments, capture_output=True, text=True, check=False).stdout
    return [_row(line.split("\t")) for line in output.splitlines()]


def _row(cells: list[str]) -> Seen:
    time, layers, *values = cells
    seconds, _, fraction = time.partition(".")
    ns = int(seconds) * 1_000_000_000 + int(fraction.ljust(9, "0"))
    of = dict(zip(_FIELDS[2:], (value.split(",") if value else [] for value in values), strict=True))
    path = layers.split(":")
    # An ICMP error holds the beginning of another packet, which is none of the capture's.
    for icmp in ("icmp", "icmpv6"):
        if icmp in path:
            path = path[: path.index(icmp)]
    depth = [at for at, layer in enumerate(path) if layer in ("ip", "ipv6")]
    if not depth:
        return Seen(ns, "", "", None)
    version = path[depth[-1]]
    nth = path.count(version) - 1
    source, destination = of[f"{version}.src"], of[f"{version}.dst"]
    waits = path[depth[-1] + 1 :] in (["data"], ["ipv6.fraghdr", "data"]) and any(
        value not in ("0", "False") for field in _FRAGMENT for value in of[field]
    )
    if waits or len(destination) <= nth:
        # A fragment of a datagram that is not whole yet, or half a header.
        return Seen(ns, "", "", None)
    ports = None
    for transport in ("tcp", "udp"):
        if transport in path[depth[-1] :] and of[f"{transport}.srcport"]:
            nth_port = path.count(transport) - 1
            ports = (int(of[f"{transport}.srcport"][nth_port]), int(of[f"{transport}.dstport"][nth_port]))
            break
    return Seen(ns, str(ip_address(source[nth])), str(ip_address(destination[nth])), ports)
