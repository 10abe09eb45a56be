"""A TCP connection (RFC 9293): two halves, and what they agree on.

The usual case costs no call into this module: while `Half.quick` is true, the network layer itself hands over what
comes in order and moves `Half.next` on. Everything else comes through `Connection.packet`: handshakes, ends, resets,
whatever is out of order or lost. A reset, too, takes effect only after some packets or some time (`Half.watch`), for
segments that belong before it may still come; and not at all if its sender goes on, for others may have made it up.
"""

from __future__ import annotations

from typing import Final

from pcapng_utils.layers import CLIENT, SERVER, Problem
from pcapng_utils.net.bulkhead import close_receiver
from pcapng_utils.net.flow import Flow
from pcapng_utils.net.half import ACK, EVERYTHING, MASK, Half, distance
from pcapng_utils.net.pool import Pool

FIN: Final = 1
SYN: Final = 2
RST: Final = 4


class Connection:
    """Two halves, and what they agree on."""

    __slots__ = (
        "_cut",
        "_foreign",
        "_full",
        "_greeted",
        "_resets",
        "_stray",
        "_until_reset",
        "closed",
        "flow",
        "halves",
        "kept",
        "keys",
        "pool",
        "refused",
    )

    def __init__(self, flow: Flow, keys: tuple[bytes, bytes], pool: Pool) -> None:
        self.flow = flow
        self.keys = keys
        """Under which the network layer finds its halves."""
        self.pool = pool
        self.halves = (Half(self, flow, CLIENT, pool), Half(self, flow, SERVER, pool))
        self.halves[0].peer, self.halves[1].peer = self.halves[1], self.halves[0]
        self.kept: object = None
        self.closed = False
        """Nothing more will be handed over."""
        self.refused = False
        """The SYN was answered by a reset; it may be sent again."""
        self._greeted = False
        self._resets: dict[int, int] = {}
        """By side, the numbers behind which a believed reset leaves nothing to come (-1: unknown); once there is any,
        the end is near."""
        self._until_reset = flow.ended, flow.ended_by
        self._full = False
        self._foreign = -1
        """The last number acknowledged by a packet of an older connection between the same ports."""
        self._cut = [0, 0]
        """Bytes cut off by the capture's snaplen, and the first frame that lacked some."""
        self._stray = [0, 0]
        """The same for bytes that do not fit their stream."""

    @property
    def over(self) -> bool:
        return self.closed or self.refused

    def hold(self, time: int) -> None:
        """The first packet was no SYN: wait for one."""
        for half in self.halves:
            half.watch(self.pool.limits.hold, time, 0)

    def reuses(self, half: Half, seq: int, flags: int, size: int) -> bool:
        """Whether a packet belongs to another connection between the same ports.

        A SYN with another number does. So do, when this connection is over, a SYN-ACK with another number and bytes
        from somewhere else: the SYN before them is not in the capture."""
        if flags & (SYN | ACK) == SYN:
            return half.isn != seq if self.closed else not half.fits(seq)
        if not self.closed or half.next < 0:
            return False
        return half.isn != seq if flags & SYN else size > 0 and half.is_far(seq)

    def packet(self, half: Half, seq: int, ack: int, flags: int, size: int, data: bytes, time: int, frame: int) -> None:
        """A segment sent by `half` that carries `size` bytes, `data` being what was captured of them."""
        if self.closed:
            if half.repeats(seq, size):
                self.flow.retransmitted[half.direction] += 1
            elif size:
                self.stray(size, frame)
            return
        if self._is_of_an_older(half, seq, ack, flags):
            if size:
                self.stray(size, frame)
            return
        if flags & SYN:
            self._syn(half, seq, ack, flags, time)
            seq = seq + 1 & MASK
        else:
            self._note(half, seq, flags, time)
        if flags & ACK and not flags & RST:
            half.acked = ack
        if size and not flags & RST:  # what a reset carries explains it, and is not of the stream (RFC 9293, 3.5.2)
            half.accept(seq, size, data, time, frame)
            if self._resets:
                self._doubt_reset(half)
        if flags & FIN and half.finish(seq + size & MASK, time, frame):
            self._ended(half, "fin")
        if flags & RST:
            self._reset(half, seq, ack, flags, time, frame)
        self._settle(time)

    def settle(self) -> None:
        """Draw the consequences of an `expire`."""
        first, second = self.halves
        if self.closed:
            return
        if (first.ended and second.ended) or (self._resets and not (first.countdown and second.countdown)):
            self.close()
            return
        plain = not (self._resets or first.waiting or second.waiting)
        first.quick = plain and first.plain
        second.quick = plain and second.plain

    def close(self) -> None:
        """Hand over what waits, then close the receiver. Late packets are only counted from now on."""
        if self.closed:
            return
        for half in (self.halves[self.flow.flipped], self.halves[1 - self.flow.flipped]):
            half.close()
        self.closed = True
        if self.halves[0].ended and self.halves[1].ended:
            self.flow.ended = "fin"
        close_receiver(self.flow, self.pool.report)

    def report_totals(self) -> None:
        """Tell, once the connection can get no more packets, what was left out of it."""
        lost, frame = self._cut
        if lost:
            message = "The capture holds only the first bytes of packets; the rest of them is lost"
            self.problem("tcp-truncated-packets", message, frame, f"{lost} bytes", lost)
        lost, frame = self._stray
        if lost:
            message = "Segments that do not fit their TCP stream, far from it or behind its end, were left out"
            self.problem("tcp-stray-segments", message, frame, f"{lost} bytes", lost)

    def stray(self, size: int, frame: int) -> None:
        self._stray = [self._stray[0] + size, self._stray[1] or frame]

    def truncated(self, size: int, frame: int) -> None:
        self._cut = [self._cut[0] + size, self._cut[1] or frame]

    def overflowed(self) -> None:
        if not self._full:
            self._full = True
            message = "Too much waited for missing bytes of a TCP stream; they were given up for lost"
            self.problem("tcp-limit", message, self.flow.last_frame)

    def problem(self, kind: str, message: str, frame: int, detail: str = "", lost: int = 0) -> None:
        self.pool.report(Problem(kind, message, frame, detail, lost, self.flow.id))

    def _is_of_an_older(self, half: Half, seq: int, ack: int, flags: int) -> bool:
        """Whether a packet is no part of this connection, of which only the first SYN was seen (RFC 9293, 3.5.1).

        The other end may still hold, or wait out, one that the client has forgotten: it answers the SYN by
        acknowledging what that one sent; a reset with that number tells it so, and the SYN is sent again."""
        if flags & RST:
            return seq == self._foreign and half.peer.isn < 0
        isn = half.peer.isn
        if flags & (SYN | ACK) != ACK or isn < 0 or not half.peer.syn_seen or half.isn >= 0 or half.first_seq >= 0:
            return False
        if 0 < distance(ack, isn) <= self.pool.limits.window:
            return False
        self._foreign = ack
        return True

    def _syn(self, half: Half, seq: int, ack: int, flags: int, time: int) -> None:
        flow = self.flow
        if not half.fits(seq):
            return
        if self.refused:
            self.refused, flow.ended, flow.ended_by = False, "capture-end", None
        if half.syn_seen:
            flow.retransmitted[half.direction] += 1
            return
        half.syn_seen = True
        half.isn = seq
        if not flags & ACK:
            if flow.begun != "syn":
                self._know_direction(half, CLIENT)
            flow.begun = "syn"
            flow.syn = time if flow.syn is None else flow.syn
            if flow.established is not None:
                flow.established = max(flow.established, flow.syn)
        elif not half.peer.syn_seen and half.peer.fits(ack - 1 & MASK):
            self._know_direction(half, SERVER)
            flow.begun = "syn-ack"
            half.peer.isn = ack - 1 & MASK
            half.peer.begin(ack)
        half.begin(seq + 1 & MASK)
        if flags & ACK and not self._greeted:
            flow.established = time

    def _know_direction(self, half: Half, direction: int) -> None:
        """Correct a guess, unless bytes went up under it: then it is for the layer that reads them."""
        flow = self.flow
        told = any(flow.payload) or any(flow.lost) or any(one.ended for one in self.halves)
        if half.direction != direction and not told and flow.ended_by is None:
            flow.swap()

    def _note(self, half: Half, seq: int, flags: int, time: int) -> None:
        """What a packet without SYN tells about its half; whether it completes the handshake (RFC 9293, 3.5)."""
        if half.first_seq < 0:
            half.first_seq = seq
        if flags & ACK and not flags & RST and half.first_ack < 0:
            half.first_ack = time

    def _settle(self, time: int) -> None:
        flow = self.flow
        client = self.halves[flow.flipped]
        if not self._greeted and flow.begun != "mid-capture" and client.first_ack >= 0:
            flow.established = max(client.first_ack, flow.syn or 0)
            self._greeted = True
        for half in self.halves:
            half.watch_hole(time)
            if half.countdown:
                half.countdown -= 1
                if not half.countdown:
                    half.expire()
        self.settle()

    def _ended(self, half: Half, how: str) -> None:
        if self.flow.ended_by is None:
            self.flow.ended_by = half.direction
        if how == "rst" or self.flow.ended == "capture-end":
            self.flow.ended = "rst" if how == "rst" else "fin"

    def _reset(self, half: Half, seq: int, ack: int, flags: int, time: int, frame: int) -> None:
        if not half.resets(seq, ack, flags):
            self.problem("tcp-bad-reset", "A TCP reset with an unbelievable sequence number was ignored", frame)
            return
        if not self._resets:
            self._until_reset = self.flow.ended, self.flow.ended_by
        self._ended(half, "rst")
        if not self._greeted and not any(one.first_ack >= 0 or one.pieces for one in self.halves):
            self.refused = True
            return
        if not self._resets:
            for one in self.halves:
                one.watch(self.pool.limits.patience, time, EVERYTHING)
        self._resets[half.side] = half.furthest(seq) if half.started else -1

    def _doubt_reset(self, half: Half) -> None:
        """Who sends on behind its own reset did not send it, and the other end took no notice (RFC 5961, section 3)."""
        number = self._resets.get(half.side, -1)
        if number < 0 or not 0 < distance(half.next, number) <= self.pool.limits.window:
            return
        del self._resets[half.side]
        if not self._resets:
            self.flow.ended, self.flow.ended_by = self._until_reset
            for one in self.halves:
                one.countdown = 0
