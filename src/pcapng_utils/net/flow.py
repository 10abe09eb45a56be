"""A flow: one TCP connection, or one UDP conversation between two sockets."""

from __future__ import annotations

from typing import Literal, NamedTuple

from msgspec import Struct, field

from pcapng_utils.layers import DatagramLayer, SegmentLayer


class Endpoint(NamedTuple):
    ip: str
    port: int


class Flow(Struct, eq=False):
    """Who talked to whom, when, and how much; kept up to date by the network layer while packets come."""

    id: str
    """The number of its first packet in the capture, as text: unique, and the place to look it up."""
    transport: Literal["tcp", "udp"]
    client: Endpoint
    server: Endpoint
    """As far as known: from SYN, else from ports; the layer above corrects it by what it reads (`swap`)."""
    community_id: str
    first: int
    """Time of the first packet, in ns."""
    first_frame: int
    last: int = 0
    last_frame: int = 0
    packets: list[int] = field(default_factory=lambda: [0, 0])
    """Packets by direction (CLIENT, SERVER)."""
    bytes: list[int] = field(default_factory=lambda: [0, 0])
    """Bytes of whole frames on the wire, by direction (what tshark's frame.len adds up to)."""
    payload: list[int] = field(default_factory=lambda: [0, 0])
    """Bytes of payload handed on (TCP: of the stream, repeats left out), by direction."""
    syn: int | None = None
    """Time of the client's SYN, in ns."""
    established: int | None = None
    """Time of the packet that completed the TCP handshake (the client's ACK; else the SYN-ACK), in ns."""
    begun: Literal["syn", "syn-ack", "mid-capture", "datagram"] = "mid-capture"
    ended: Literal["fin", "rst", "timeout", "reuse", "capture-end"] = "capture-end"
    ended_by: int | None = None
    """Direction of the first FIN or RST."""
    lost: list[int] = field(default_factory=lambda: [0, 0])
    """Bytes of the stream that the capture does not hold, by direction."""
    retransmitted: list[int] = field(default_factory=lambda: [0, 0])
    """Packets that repeated bytes already seen, by direction."""
    processes: dict[str, int] = field(default_factory=dict)
    """Apps named by PCAPdroid trailers or PKTAP headers, and how many packets named each."""
    uids: set[int] = field(default_factory=set)
    tunnels: tuple[str, ...] = ()
    """What the packets were wrapped in, outermost first: "gre", "vxlan", "gtp-u", "ip-in-ip", ..."""
    receiver: SegmentLayer | DatagramLayer | None = None
    """Who gets the flow's bytes; None: they are only counted. Read anew for each packet: once a layer knows what the
    flow carries, it may put a deeper one in its place. None again once it was closed."""
    flipped: int = 0
    """1 if client and server were exchanged an odd number of times: turns a side into a direction by exclusive or."""

    def swap(self) -> None:
        """Exchange client and server: what was read shows that the other side is the client."""
        self.client, self.server = self.server, self.client
        self.flipped ^= 1
        for pair in (self.packets, self.bytes, self.payload, self.lost, self.retransmitted):
            pair.reverse()
        if self.ended_by is not None:
            self.ended_by = 1 - self.ended_by
