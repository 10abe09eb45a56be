"""From packets to flows: finds the flow of each packet, keeps its counts, hands its bytes on.

Most packets are plain TCP or UDP in plain IP: one loop over a batch reads those with one or two `Struct` calls each,
the raw addresses and ports as they stand in the packet being the key of the flow's half. A segment in order goes to the
flow's receiver from there; other segments go to their `Connection`. Packets that are anything but plain (options,
extension headers, fragments, VLAN tags, tunnels, trailers, cut short) are taken apart by the `Decoder` first.

Which packets are one connection is decided as Wireshark does: same addresses and ports, until a SYN with another
initial sequence number (`Connection.reuses` knows a little more). A connection that is over stays known for a while,
for late packets are counted to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter, length_hint
from socket import AF_INET, AF_INET6, inet_ntop
from struct import Struct
from typing import Any, Final, Literal

from pcapng_utils.capture.events import PacketBatch
from pcapng_utils.faults import fault
from pcapng_utils.layers import DatagramLayer, Problem, Report, SegmentLayer
from pcapng_utils.net.bulkhead import close_receiver, stop_reading
from pcapng_utils.net.community import community_id
from pcapng_utils.net.decode import Decoder, DecoderLimits, IpPayload
from pcapng_utils.net.flow import Endpoint, Flow
from pcapng_utils.net.half import ACK, MASK, Half
from pcapng_utils.net.idle import Idle
from pcapng_utils.net.layouts import LAYOUTS, UNPACK_IPV6, Layout
from pcapng_utils.net.limits import Limits
from pcapng_utils.net.pool import Pool
from pcapng_utils.net.ports import sender_is_client
from pcapng_utils.net.shards import WHOLE, Shard
from pcapng_utils.net.tcp import SYN, Connection
from pcapng_utils.net.tunnels import UDP_PORTS

_TCP: Final = 6
_UDP: Final = 17
_TRAILER: Final = 32
"""Bytes behind the IP packet that are more than padding."""
_ROOM4: Final = 40
_ROOM6: Final = 60
"""IP header and the fixed part of a TCP header."""

_TCP_HEADER: Final = Struct("!4sIIH")
_UDP_HEADER: Final = Struct("!4sH2x")


_Packet = tuple[int, int, int, int, int]
OnFlow = Callable[[Flow], SegmentLayer | DatagramLayer | None]
"""Called at a flow's first packet: who gets its bytes (None: they are only counted). Client and server may still be
exchanged before the first bytes come."""
OnFlowEnd = Callable[[Flow], None]
"""Called when a flow can get no more packets, after its receiver was closed: its counts are final."""


class _Conversation:
    """UDP between two sockets."""

    __slots__ = ("cut", "cut_frame", "flow", "kept", "keys")

    def __init__(self, flow: Flow, keys: tuple[bytes, bytes]) -> None:
        self.flow = flow
        self.keys = keys
        self.kept: object = None
        self.cut = self.cut_frame = 0


class Network:
    """Feed it batches; it calls `on_flow`, the receivers, `on_flow_end`, and `report` for what is wrong."""

    def __init__(
        self,
        on_flow: OnFlow,
        on_flow_end: OnFlowEnd,
        report: Report,
        limits: Limits | None = None,
        shard: Shard = WHOLE,
        packets: DecoderLimits | None = None,
    ) -> None:
        """`shard`: which of the flows are followed. What is wrong with packets is reported in each shard alike."""
        limits = limits or Limits()
        self._shard = shard
        self._on_flow = on_flow
        self._on_flow_end = on_flow_end
        self._report = report
        self._decoder = Decoder(report, packets)
        self._pool = Pool(limits, report)
        self._halves: dict[bytes, Half] = {}
        self._sockets: dict[bytes, tuple[_Conversation, int]] = {}
        self._open: Idle[Connection] = Idle(limits.open_flows)
        self._over: Idle[Connection] = Idle(limits.closed_flows)
        self._udp: Idle[_Conversation] = Idle(limits.udp_flows)
        self._evicted = False

    def feed(self, batch: PacketBatch) -> None:
        packets = iter(batch.packets)
        while True:
            try:
                self._read(batch, packets)
                return
            except Exception as error:
                frame = batch.packets[-1 - length_hint(packets)][0]
                self._report(fault(error, "a packet was left out", frame))

    def close(self) -> None:
        """The capture is at its end: end all flows, in the order of their first packets."""
        self._decoder.close()
        entries: list[Connection | _Conversation] = [*self._open, *self._over, *self._udp]
        for entry in sorted(entries, key=attrgetter("flow.first_frame")):
            if isinstance(entry, Connection):
                self._finish(entry)
            else:
                self._finish_udp(entry)

    def _read(self, batch: PacketBatch, packets: Iterator[_Packet]) -> None:
        layout = LAYOUTS.get(batch.link_type)
        if layout is not None:
            self._read_plain(batch, packets, layout)
            return
        for packet in packets:
            if packet[1] >= self._pool.next_alarm:
                self._ring(packet[1])
            self._decode(batch, packet)

    # One loop without calls, for it is hot.
    def _read_plain(self, batch: PacketBatch, packets: Iterator[_Packet], layout: Layout) -> None:  # noqa: C901
        link_start, ip_start, header, tag4, tag6 = layout
        unpack4, unpack6, halves, pool = header.unpack_from, UNPACK_IPV6, self._halves, self._pool
        data, (mine, shards) = batch.data, self._shard
        for packet in packets:
            frame, time, start, end, wire = packet
            if time >= pool.next_alarm:
                self._ring(time)
            ip = start + ip_start
            if end - ip >= _ROOM4:
                tag, version, size, fragment, protocol, key, seq, ack, flags = unpack4(data, start + link_start)
                if version == 0x45 and tag == tag4 and not fragment & 0x3FFF:
                    body, stop = ip + 20, ip + size
                elif version >> 4 == 6 and tag == tag6 and end - ip >= _ROOM6:
                    size, protocol, key, seq, ack, flags = unpack6(data, ip)
                    body, stop = ip + 40, ip + 40 + size
                else:
                    body = stop = end + 1
                if 0 <= end - stop < _TRAILER:
                    if protocol == _TCP:
                        begin = body + (flags >> 10 & 0x3C)
                        if flags >= 0x5000 and begin <= stop:
                            if shards > 1 and (key[-1] ^ key[-3]) % shards != mine:  # `Shard.has_tcp`
                                continue
                            half = halves.get(key)
                            if (
                                half is not None
                                and half.quick
                                and flags & 0x17 == ACK
                                and (seq == half.next or begin == stop)
                            ):
                                flow = half.flow
                                direction = half.side ^ flow.flipped
                                flow.packets[direction] += 1
                                flow.bytes[direction] += wire
                                flow.last = time
                                flow.last_frame = frame
                                half.acked = ack
                                if begin < stop:
                                    half.next = seq + stop - begin & MASK
                                    flow.payload[direction] += stop - begin
                                    receiver: Any = flow.receiver
                                    if receiver is not None:
                                        try:  # costs nothing while nothing is raised
                                            receiver.segment(direction, data[begin:stop], time, frame)
                                        except Exception as error:
                                            stop_reading(flow, error, self._report)
                            else:
                                payload = data[begin:stop]
                                self._segment(key, seq, ack, flags, stop - begin, payload, wire, time, frame)
                            continue
                    elif (
                        protocol == _UDP
                        and body + 8 <= body + (seq >> 16) <= stop
                        and key[-2:] not in UDP_PORTS
                        and key[-4:-2] not in UDP_PORTS
                    ):
                        if not mine:  # `Shard.has_udp`
                            self._datagram(key, data[body + 8 : body + (seq >> 16)], 0, wire, time, frame)
                        continue
            self._decode(batch, packet)

    def _decode(self, batch: PacketBatch, packet: _Packet) -> None:
        frame, time, start, end, wire = packet
        ip = self._decoder.packet(batch.link_type, batch.data, start, end, wire, time, frame)
        if ip is None:
            return
        if ip.protocol == _TCP:
            self._decoded_tcp(ip, wire, time, frame)
        elif ip.protocol == _UDP:
            self._decoded_udp(ip, wire, time, frame)

    def _decoded_tcp(self, ip: IpPayload, wire: int, time: int, frame: int) -> None:
        captured, length, size = ip.end - ip.start, 0, 0
        if captured >= _TCP_HEADER.size:
            ports, seq, ack, flags = _TCP_HEADER.unpack_from(ip.data, ip.start)
            length = flags >> 10 & 0x3C
            size = captured + ip.missing - length
        if length < 20 or size < 0:
            message = "A TCP segment is too short for its header, or cut inside of it; it was left out"
            self._report(Problem("tcp-bad-header", message, frame))
            return
        payload = ip.data[ip.start + length : ip.end]
        key = ip.source + ip.destination + ports
        if self._shard.has_tcp(key):
            flow = self._segment(key, seq, ack, flags, size, payload, wire, time, frame)
            _note(flow, ip)

    def _decoded_udp(self, ip: IpPayload, wire: int, time: int, frame: int) -> None:
        captured = ip.end - ip.start
        if captured < _UDP_HEADER.size:
            message = "A UDP datagram is too short for its header, or cut inside of it; it was left out"
            self._report(Problem("udp-bad-header", message, frame))
            return
        ports, length = _UDP_HEADER.unpack_from(ip.data, ip.start)
        whole = captured + ip.missing
        if not _UDP_HEADER.size <= length <= whole:
            length = whole
        stop = min(ip.start + length, ip.end)
        payload = ip.data[ip.start + _UDP_HEADER.size : stop]
        missing = length - _UDP_HEADER.size - len(payload)
        if self._shard.has_udp:
            flow = self._datagram(ip.source + ip.destination + ports, payload, missing, wire, time, frame)
            _note(flow, ip)

    def _segment(
        self, key: bytes, seq: int, ack: int, flags: int, size: int, data: bytes, wire: int, time: int, frame: int
    ) -> Flow:
        half = self._halves.get(key)
        if half is None:
            half = self._open_tcp(key, flags, time, frame)
        elif half.connection.reuses(half, seq, flags, size):
            if not half.connection.over:
                half.flow.ended = "reuse"
            self._finish(half.connection)
            half = self._open_tcp(key, flags, time, frame)
        connection, flow = half.connection, half.flow
        direction = half.side ^ flow.flipped
        flow.packets[direction] += 1
        flow.bytes[direction] += wire
        flow.last, flow.last_frame = time, frame
        connection.packet(half, seq, ack, flags, size, data, time, frame)
        self._place(connection)
        return flow

    def _open_tcp(self, key: bytes, flags: int, time: int, frame: int) -> Half:
        from_client = sender_is_client(*_ports(key), "tcp")
        if flags & SYN:
            from_client = not flags & ACK
        flow, keys = _new_flow("tcp", key, from_client, time, frame)
        connection = Connection(flow, keys, self._pool)
        if not flags & SYN:
            connection.hold(time)
        self._halves[keys[1]] = connection.halves[1]
        self._halves[keys[0]] = connection.halves[0]
        self._open.add(connection)
        self._announce(flow)
        self._relieve()
        return self._halves[key]

    def _datagram(self, key: bytes, data: bytes, missing: int, wire: int, time: int, frame: int) -> Flow:
        found = self._sockets.get(key)
        if found is None:
            found = self._open_udp(key, time, frame)
        conversation, side = found
        flow = conversation.flow
        direction = side ^ flow.flipped
        flow.packets[direction] += 1
        flow.bytes[direction] += wire
        flow.last, flow.last_frame = time, frame
        flow.payload[direction] += len(data)
        if missing:
            flow.lost[direction] += missing
            conversation.cut += missing
            conversation.cut_frame = conversation.cut_frame or frame
        receiver: Any = flow.receiver
        if receiver is not None:
            try:
                receiver.datagram(direction, data, time, frame)
            except Exception as error:
                stop_reading(flow, error, self._report)
        return flow

    def _open_udp(self, key: bytes, time: int, frame: int) -> tuple[_Conversation, int]:
        flow, keys = _new_flow("udp", key, sender_is_client(*_ports(key), "udp"), time, frame)
        flow.begun = "datagram"
        conversation = _Conversation(flow, keys)
        self._sockets[keys[1]] = (conversation, 1)
        self._sockets[keys[0]] = (conversation, 0)
        self._udp.add(conversation)
        self._announce(flow)
        while (idlest := self._udp.surplus()) is not None:
            self._evict(idlest.flow)
            self._finish_udp(idlest)
        return self._sockets[key]

    def _announce(self, flow: Flow) -> None:
        try:
            flow.receiver = self._on_flow(flow)
        except Exception as error:
            self._report(fault(error, "the connection was not read", flow.first_frame, flow.id))

    def _conclude(self, flow: Flow) -> None:
        try:
            self._on_flow_end(flow)
        except Exception as error:
            self._report(fault(error, "the connection is not listed", flow.last_frame, flow.id))

    def _ring(self, time: int) -> None:
        for half in self._pool.ring(time):
            half.expire()
            half.connection.settle()
            self._place(half.connection)

    def _place(self, connection: Connection) -> None:
        """Keep a connection among those that are open or those that are over."""
        place = self._over if connection.over else self._open
        if connection.kept is place or connection.kept is None:
            return
        (self._open if connection.over else self._over).remove(connection)
        place.add(connection)
        self._relieve()

    def _relieve(self) -> None:
        while (idlest := self._over.surplus()) is not None:
            self._finish(idlest)
        while (idlest := self._open.surplus()) is not None:
            self._evict(idlest.flow)
            self._finish(idlest)

    def _evict(self, flow: Flow) -> None:
        flow.ended = "timeout"
        if not self._evicted:
            self._evicted = True
            message = "Too many flows at a time; those idle for longest were taken for ended"
            self._report(Problem("net-too-many-flows", message, flow.last_frame))

    def _finish(self, connection: Connection) -> None:
        if isinstance(connection.kept, Idle):
            connection.kept.remove(connection)
        connection.close()
        connection.report_totals()
        for key, half in zip(connection.keys, connection.halves, strict=True):
            if self._halves.get(key) is half:
                del self._halves[key]
        self._conclude(connection.flow)

    def _finish_udp(self, conversation: _Conversation) -> None:
        if isinstance(conversation.kept, Idle):
            conversation.kept.remove(conversation)
        for key in conversation.keys:
            self._sockets.pop(key, None)
        flow = conversation.flow
        if conversation.cut:
            message = "The capture holds only the first bytes of datagrams; the rest of them is lost"
            detail = f"{conversation.cut} bytes"
            self._report(
                Problem("udp-truncated-packets", message, conversation.cut_frame, detail, conversation.cut, flow.id)
            )
        close_receiver(flow, self._report)
        self._conclude(flow)


def _ports(key: bytes) -> tuple[int, int]:
    """Source and destination port in a key."""
    return int.from_bytes(key[-4:-2], "big"), int.from_bytes(key[-2:], "big")


def _new_flow(
    transport: Literal["tcp", "udp"], key: bytes, from_client: bool, time: int, frame: int
) -> tuple[Flow, tuple[bytes, bytes]]:
    """The flow of a first packet, and its keys in the direction of the client and of the server."""
    length = len(key) // 2 - 2
    source, destination = key[:length], key[length:-4]
    ports = _ports(key)
    family = AF_INET if length == 4 else AF_INET6
    ends = Endpoint(inet_ntop(family, source), ports[0]), Endpoint(inet_ntop(family, destination), ports[1])
    keys = key, destination + source + key[-2:] + key[-4:-2]
    if not from_client:
        ends, keys = ends[::-1], keys[::-1]
    identity = community_id(_TCP if transport == "tcp" else _UDP, source, ports[0], destination, ports[1])
    return Flow(str(frame), transport, *ends, identity, time, frame, time, frame), keys


def _note(flow: Flow, ip: IpPayload) -> None:
    """What only the slow path learns about a flow."""
    if ip.process:
        flow.processes[ip.process] = flow.processes.get(ip.process, 0) + 1
    if ip.uid is not None:
        flow.uids.add(ip.uid)
    if ip.tunnels and not flow.tunnels:
        flow.tunnels = ip.tunnels
