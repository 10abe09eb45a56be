"""Opening packets: header protection off, packet number decoded, payload decrypted; through key updates."""

from __future__ import annotations

from typing import Final

from pcapng_utils.quic.crypto import PacketProtection
from pcapng_utils.quic.numbers import decode_packet_number

Opened = tuple[int, bytes]
"""Packet number and payload."""

_FORM_LONG: Final = 0x0F
_FORM_SHORT: Final = 0x1F
"""Bits of the first byte that header protection covers (RFC 9001, section 5.4.1)."""
_KEY_PHASE: Final = 0x04


def _unmask(mask: bytes, covered: int, data: bytes, start: int, number_at: int) -> tuple[int, int, int, bytes]:
    """First byte, size of the packet number, truncated packet number, and the header that the AEAD covers."""
    first = data[start] ^ (mask[0] & covered)
    size = (first & 3) + 1
    behind = number_at + size
    truncated = int.from_bytes(data[number_at:behind], "big") ^ int.from_bytes(mask[1 : size + 1], "big")
    header = bytes((first,)) + data[start + 1 : number_at] + truncated.to_bytes(size, "big")
    return first, size, truncated, header


def open_long(keys: PacketProtection, data: bytes, start: int, number_at: int, end: int, largest: int) -> Opened | None:
    """Open the packet with a long header at `data[start:end]`; None if the keys do not fit.

    `largest`: the largest packet number read so far in this packet number space and direction, -1 if none.
    """
    mask = keys.mask(data[number_at + 4 : number_at + 20])
    _, size, truncated, header = _unmask(mask, _FORM_LONG, data, start, number_at)
    number = decode_packet_number(truncated, size, largest)
    payload = keys.open(number, header, data[number_at + size : end])
    return None if payload is None else (number, payload)


class OneRttKeys:
    """The 1-RTT keys of one direction, which follow its key updates (RFC 9001, section 6).

    A packet whose key phase bit is not the current one belongs to the next keys, or, if it comes late, to those before.
    Each packet costs two trials at most; where the capture lost whole phases, further ones are tried once in a while.
    """

    MAX_SKIPPED: Final = 8
    """Key updates that may have happened unseen."""

    __slots__ = ("_current", "_failures", "_next", "_phase", "_previous", "_since", "updates")

    def __init__(self, keys: PacketProtection) -> None:
        self.updates = 0
        """How many key updates were followed."""
        self._current = keys
        self._previous: PacketProtection | None = None
        self._next: PacketProtection | None = None
        self._phase = 0
        self._since = 0
        self._failures = 0

    def open(self, data: bytes, start: int, number_at: int, largest: int) -> Opened | None:
        """Open the packet with a short header that fills `data` from `start`; None if no key fits."""
        if len(data) < number_at + 20:
            return None
        current = self._current
        mask = current.mask(data[number_at + 4 : number_at + 20])
        first, size, truncated, header = _unmask(mask, _FORM_SHORT, data, start, number_at)
        number = decode_packet_number(truncated, size, largest)
        ciphertext = data[number_at + size :]
        if first & _KEY_PHASE == self._phase:
            payload = current.open(number, header, ciphertext)
            if payload is not None:
                return number, payload
            return self._skip(first, number, header, ciphertext)
        if self._previous is not None and number < self._since:
            payload = self._previous.open(number, header, ciphertext)
            return None if payload is None else (number, payload)
        if self._next is None:
            self._next = current.updated()
        payload = self._next.open(number, header, ciphertext)
        if payload is None:
            return self._skip(first, number, header, ciphertext)
        self._advance(self._next, number, 1)
        return number, payload

    def _advance(self, keys: PacketProtection, number: int, steps: int) -> None:
        self._previous = self._current if steps == 1 else None
        self._current = keys
        self._next = None
        self._since = number
        self._phase ^= _KEY_PHASE * (steps & 1)
        self._failures = 0
        self.updates += steps

    def _skip(self, first: int, number: int, header: bytes, ciphertext: bytes) -> Opened | None:
        """Try the keys of later phases, on the 1st, 2nd, 4th, 8th, ... packet that could not be opened."""
        self._failures += 1
        if self._failures & (self._failures - 1):
            return None
        keys, phase = self._current, self._phase
        for steps in range(1, self.MAX_SKIPPED + 1):
            keys = keys.updated()
            phase ^= _KEY_PHASE
            if first & _KEY_PHASE == phase:
                payload = keys.open(number, header, ciphertext)
                if payload is not None:
                    self._advance(keys, number, steps)
                    return number, payload
        return None
