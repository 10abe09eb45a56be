"""What a capture yields: batches of packets, secrets, names."""

from __future__ import annotations

from typing import NamedTuple

from pcapng_utils.layers import Problem


class Packet(NamedTuple):
    """Where one packet is in its batch's buffer."""

    frame: int
    """Number in the capture, from 1."""
    time: int
    """ns since the Unix epoch."""
    start: int
    end: int
    """The captured bytes are `batch.data[start:end]`."""
    wire_length: int
    """Bytes the packet had on the wire; more than `end - start` where it was cut (snaplen)."""


class PacketBatch(NamedTuple):
    """Successive packets of one link type. A plain 5-tuple in the form of `Packet` stands for each packet."""

    data: bytes
    link_type: int
    """LINKTYPE_ value (https://www.tcpdump.org/linktypes.html)."""
    packets: list[tuple[int, int, int, int, int]]


class Secrets(NamedTuple):
    """TLS secrets carried in the capture (pcapng Decryption Secrets Block, type TLS key log): NSS key log text."""

    text: bytes


class ResolvedName(NamedTuple):
    """A name from a pcapng Name Resolution Block."""

    address: str
    name: str


CaptureEvent = PacketBatch | Secrets | ResolvedName | Problem
