"""One end's byte stream, put together from its segments (RFC 9293, section 3.10.7.4), seen from the side.

A half knows the sequence number of the byte it hands over next. A segment that begins there goes straight up; one that
begins later waits among the half's pieces; one that begins earlier repeats, and only its new bytes count (the first
copy of a byte is the one that is believed).

What the capture lost must not hold up the rest for ever, and what is merely out of order must not pass for lost. So a
hole is given up when the other end has acknowledged bytes behind it and some more packets (or some time) have passed;
or when too much waits behind it; or at the end. A half whose SYN was not seen is held for as many packets: its lowest
sequence number is where it begins, unless the SYN turns up. `Half.watch` starts such a wait, `Half.expire` ends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pcapng_utils.net.bulkhead import stop_reading
from pcapng_utils.net.flow import Flow
from pcapng_utils.net.pieces import Piece, Pieces
from pcapng_utils.net.pool import Pool

if TYPE_CHECKING:
    from pcapng_utils.net.tcp import Connection

ACK: Final = 16
MASK: Final = 0xFFFFFFFF
EVERYTHING: Final = 1 << 62
"""A position behind all others."""
_HALF_SPACE: Final = 1 << 31
_UNKNOWN: Final = -1


def distance(later: int, earlier: int) -> int:
    """How far one sequence number is ahead of another (negative: behind), the nearer way around."""
    return (later - earlier + _HALF_SPACE & MASK) - _HALF_SPACE


class Half:
    """What one end of a connection sent."""

    __slots__ = (
        "_cut",
        "_doomed",
        "_fin",
        "_fin_frame",
        "_fin_time",
        "_hole",
        "_known_cost",
        "_position",
        "_stray_base",
        "_stray_next",
        "_strays",
        "_unknown_hole",
        "acked",
        "alarmed",
        "connection",
        "countdown",
        "deadline",
        "ended",
        "first_ack",
        "first_seq",
        "flow",
        "isn",
        "next",
        "peer",
        "pieces",
        "pool",
        "quick",
        "side",
        "started",
        "syn_seen",
    )
    peer: Half

    def __init__(self, connection: Connection, flow: Flow, side: int, pool: Pool) -> None:
        self.connection = connection
        self.flow = flow
        self.side = side
        self.pool = pool
        self.quick = False
        """Nothing is out of the ordinary: a segment that begins at `next` may go up without asking."""
        self.next = _UNKNOWN
        """Sequence number of the byte to hand over next; until `started`, one to count positions from."""
        self.started = False
        self.acked = _UNKNOWN
        """The last acknowledgement number that this half sent."""
        self.isn = _UNKNOWN
        self.syn_seen = False
        self.first_seq = _UNKNOWN
        """Sequence number of the first packet without SYN."""
        self.first_ack = _UNKNOWN
        """Time of the first packet that acknowledged something, SYN and RST apart."""
        self.ended = False
        """All up to the FIN was handed over or given up."""
        self.pieces = Pieces()
        self.countdown = 0
        """Packets of the connection until `expire`; 0: nothing is waited for."""
        self.deadline = 0
        self.alarmed = False
        self._position = 0
        """Place of `next` in the stream, from any origin; does not wrap."""
        self._doomed = 0
        """Holes before this position will be given up by `expire`."""
        self._fin: int | None = None
        """Position of the FIN."""
        self._fin_time = self._fin_frame = 0
        self._hole = self._cut = 0
        """Bytes given up, and bytes that their packets' captures lacked, before `next` and not yet announced."""
        self._unknown_hole = False
        self._strays = 0
        self._stray_next = self._stray_base = _UNKNOWN
        self._known_cost = 0

    @property
    def direction(self) -> int:
        return self.side ^ self.flow.flipped

    @property
    def waiting(self) -> bool:
        """Whether something has come that cannot be handed over yet."""
        return bool(self.pieces) or (self._fin is not None and not self.ended) or self.countdown > 0

    @property
    def plain(self) -> bool:
        """Whether this half would let its own packets take the short way."""
        return self._fin is None and self.first_seq >= 0 and not self._owes

    @property
    def _owes(self) -> bool:
        """Whether a gap is to be announced before the next bytes."""
        return self._hole > 0 or self._cut > 0 or self._unknown_hole

    def fits(self, isn: int) -> bool:
        """Whether a SYN with this number can be the beginning of what was seen of this half."""
        if self.isn >= 0:
            return isn == self.isn
        known = self.first_seq if self.first_seq >= 0 else self.peer.acked
        if known < 0:
            return True
        if self.started:
            return known == isn + 1 & MASK
        return 0 <= distance(known, isn + 1) < self.pool.limits.buffer

    def begin(self, seq: int) -> None:
        """The stream is known to begin with this sequence number."""
        if self.started:
            return
        if self.next < 0:
            self.next = seq
        self._start(self._place(seq))

    def watch(self, packets: int, time: int, doomed: int) -> None:
        """Wait for so many packets of the connection (or the time of `Limits`), then `expire`."""
        if not self.countdown:
            self.deadline = time + self.pool.limits.patience_time
            self._doomed = doomed
            if not self.alarmed:
                self.pool.set_alarm(self)
        self.countdown = packets
        self._doomed = max(self._doomed, doomed)

    def watch_hole(self, time: int) -> None:
        """If the other end acknowledged what is missing here, it will not be sent again: wait a little for it only."""
        if self.started and self.peer.acked >= 0 and (self.pieces or self._fin is not None) and not self.ended:
            acked = self._place(self.peer.acked)
            if acked > self._position and not self.countdown:
                self.watch(self.pool.limits.patience, time, acked)

    def expire(self) -> None:
        """Enough was waited."""
        self.countdown = 0
        if not self.started:
            self._start_unannounced()
        else:
            self.give_up(self._doomed)
        self._account()

    def accept(self, seq: int, size: int, data: bytes, time: int, frame: int) -> None:
        """`size` bytes of the stream, `data` being what was captured of them."""
        if self.next < 0:
            self.next = seq
        if not self.ended and not self._believes(seq, size, frame):
            return
        position = self._place(seq)
        end = position + size
        if self._fin is not None and end > self._fin:
            self.connection.stray(end - max(position, self._fin), frame)
            end = self._fin
        repeats = False
        if self.started and position < self._position:
            repeats = size > 1 or position != self._position - 1  # else it is a keep-alive (RFC 1122, 4.2.3.6)
            data = data[self._position - position :]
            position = self._position
        if position < end:
            size, data = end - position, data[: end - position]
            if self.started and position == self._position and not self.pieces:
                self._deliver(size, data, time, frame)
                self._check_end()
            else:
                repeats |= self.pieces.add(Piece(position, size, data, time, frame)) < size
                self._pieces_changed(time)
        if repeats:
            self.flow.retransmitted[self.direction] += 1

    def finish(self, seq: int, time: int, frame: int) -> bool:
        """A FIN that has this sequence number; whether it is believed."""
        if self.next < 0:
            self.next = seq
        position = self._place(seq)
        if abs(position - self._position) > self.pool.limits.window or position < self.pieces.end:
            return False
        if self._fin is not None or (self.started and position < self._position):
            self.flow.retransmitted[self.direction] += 1
            return False
        self._fin, self._fin_time, self._fin_frame = position, time, frame
        if self.started:
            self._check_end()
        elif not self.countdown:
            self.watch(self.pool.limits.hold, time, 0)
        return True

    def give_up(self, upto: int) -> None:
        """Go on behind the holes that lie before a position."""
        if not self.started:
            self._start_unannounced()
        while self._position < upto and not self.ended:
            first = self.pieces.first if self.pieces else self._fin
            if first is None:
                break
            self._skip(min(first, upto) - self._position)
            self._drain()
        self._account()

    def close(self) -> None:
        """Hand over what waits; nothing more will come."""
        self.countdown = 0
        self.give_up(EVERYTHING)
        if self.started and not self.ended and self._fin is None and self.peer.acked >= 0:
            unseen = distance(self.peer.acked, self.next)
            if 1 < unseen <= self.pool.limits.window:  # a single one is a FIN's as well as a byte's
                self._skip(unseen)
        if self._owes:
            self._announce(self.flow.last, self.flow.last_frame)
        self.quick = False
        self.pieces.clear()
        self._account()

    def repeats(self, seq: int, size: int) -> bool:
        """Whether a packet that came after the end brings nothing new."""
        return size > 0 and self.started and self._place(seq) < self._position

    def is_far(self, seq: int) -> bool:
        """Whether a sequence number cannot be of this stream as it stands."""
        return abs(distance(seq, self.next)) > self.pool.limits.window

    def resets(self, seq: int, ack: int, flags: int) -> bool:
        """Whether a reset is believable: near its half's stream, or the answer to the other's SYN."""
        if self.started:
            return not self.is_far(seq) or seq == self.peer.acked
        return not flags & ACK or self.peer.isn < 0 or 0 < distance(ack, self.peer.isn) <= self.pool.limits.window

    def furthest(self, seq: int) -> int:
        """The number behind all that was seen of the stream, or this one if it is behind that."""
        return self.next + max(0, self._place(seq) - self._position, self.pieces.end - self._position) & MASK

    def _place(self, seq: int) -> int:
        return self._position + (seq - self.next + _HALF_SPACE & MASK) - _HALF_SPACE

    def _start(self, position: int) -> None:
        self.next = self.next + position - self._position & MASK
        self._position = position
        self.started = True
        if self._fin is not None and self._fin < position:
            self._fin = None  # it came before the SYN, and is of a connection before this one
        if self._doomed < EVERYTHING:
            self.countdown = 0
        self.pieces.discard(position)
        self._drain()

    def _start_unannounced(self) -> None:
        """No SYN came: begin with the lowest byte seen, else where the first acknowledgement says that the half is."""
        if self.pieces or self._fin is not None:
            lowest = [place for place in (self.pieces.first, self._fin) if place is not None]
            self._start(min(lowest))
        elif self.first_seq >= 0:
            keep_alive = self.peer.acked >= 0 and distance(self.peer.acked, self.first_seq) == 1
            self.begin(self.first_seq + keep_alive & MASK)

    def _believes(self, seq: int, size: int, frame: int) -> bool:
        """Whether a segment is near its stream, or has proved by now that the stream is elsewhere."""
        window = self.pool.limits.window
        ahead = distance(seq, self.next)
        if -window <= ahead <= window:
            return True
        acked = self.peer.acked
        if self.started and acked >= 0 and abs(distance(seq, acked)) <= window < abs(distance(acked, self.next)):
            self._restart(seq)
            return True
        again = seq == self._stray_next and self.next == self._stray_base
        self._strays = self._strays + 1 if again else 1
        self._stray_next, self._stray_base = seq + size & MASK, self.next
        if self._strays > self.pool.limits.strays:
            self._restart(seq)
            return True
        self.connection.stray(size, frame)
        return False

    def _restart(self, seq: int) -> None:
        """The stream goes on far from where it was."""
        self.give_up(EVERYTHING)
        self._strays = 0
        if not self.flow.payload[self.direction] and not self.flow.lost[self.direction]:
            self.next = seq  # several SYN-ACKs came, and the client took another one than the first
        elif (ahead := distance(seq, self.next)) > 0:
            self._skip(ahead)
        else:
            self.next = seq
            self._unknown_hole = True

    def _pieces_changed(self, time: int) -> None:
        if self.started:
            self._drain()
        elif not self.countdown:
            self.watch(self.pool.limits.hold, time, 0)
        self._account()
        limits = self.pool.limits
        if self.pieces.cost > limits.buffer or self.pool.used > limits.buffers:
            self.connection.overflowed()
            self.give_up(EVERYTHING)

    def _drain(self) -> None:
        for piece in self.pieces.take(self._position):
            self._deliver(piece.size, piece.data, piece.time, piece.frame)
        if self.countdown and self.started and not self.pieces and self._doomed <= self._position:
            self.countdown = 0
        self._check_end()

    def _deliver(self, size: int, data: bytes, time: int, frame: int) -> None:
        if self._owes:
            self._announce(time, frame)
        self.next = self.next + size & MASK
        self._position += size
        direction = self.direction
        if data:
            self.flow.payload[direction] += len(data)
            receiver: Any = self.flow.receiver
            if receiver is not None:
                try:
                    receiver.segment(direction, data, time, frame)
                except Exception as error:
                    stop_reading(self.flow, error, self.pool.report)
        if len(data) < size:
            self._cut += size - len(data)
            self.flow.lost[self.direction] += size - len(data)
            self.connection.truncated(size - len(data), frame)

    def _check_end(self) -> None:
        if self._fin is None or self._position != self._fin or self.ended or not self.started:
            return
        if self._owes:
            self._announce(self._fin_time, self._fin_frame)
        self.ended = True
        receiver: Any = self.flow.receiver
        if receiver is not None:
            try:
                receiver.end(self.direction, self._fin_time, self._fin_frame)
            except Exception as error:
                stop_reading(self.flow, error, self.pool.report)

    def _skip(self, size: int) -> None:
        self.next = self.next + size & MASK
        self._position += size
        self._hole += size
        self.flow.lost[self.direction] += size

    def _announce(self, time: int, frame: int) -> None:
        """Tell of the hole before the bytes that follow."""
        hole, size, direction = self._hole, self._hole + self._cut, self.direction
        if self._unknown_hole:
            size = 0
        self._hole = self._cut = 0
        if hole or self._unknown_hole:
            self._unknown_hole = False
            sender = ("client", "server")[direction]
            self.connection.problem(
                "tcp-gap",
                "Bytes of a TCP stream are not in the capture; what was in them is lost",
                frame,
                f"{hole or 'unknown number of'} bytes sent by the {sender}",
                hole,
            )
        receiver: Any = self.flow.receiver
        if receiver is not None:
            try:
                receiver.gap(direction, size, time, frame)
            except Exception as error:
                stop_reading(self.flow, error, self.pool.report)

    def _account(self) -> None:
        self.pool.used += self.pieces.cost - self._known_cost
        self._known_cost = self.pieces.cost
