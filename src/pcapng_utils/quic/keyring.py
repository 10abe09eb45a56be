"""The keys of one connection, made when a packet asks for them.

Initial keys come from the connection ID that the client chose for the server; a Retry packet gives another one. All
others come from the handshake's secrets. Where the cipher suite is not known yet, several keys are tried, and the one
that opens a packet is kept.
"""

from __future__ import annotations

from pcapng_utils.quic.crypto import PacketProtection, initial_protection
from pcapng_utils.quic.handshake import Handshake, Level
from pcapng_utils.quic.keys import OneRttKeys, Opened, open_long
from pcapng_utils.quic.packet import LongHeader
from pcapng_utils.quic.versions import Version


class KeyRing:
    """Opens packets of all levels and both directions."""

    __slots__ = ("_found", "_handshake", "_initial", "had_some", "initial_ids", "one_rtt")

    def __init__(self, handshake: Handshake) -> None:
        self.initial_ids: list[bytes] = []
        """Connection IDs that give Initial keys, the likeliest first."""
        self.one_rtt: list[OneRttKeys | None] = [None, None]
        """By direction, once a packet was opened with them."""
        self.had_some = False
        """There were secrets in the key log for some packet that needed one."""
        self._handshake = handshake
        self._initial: dict[tuple[int, bytes], tuple[PacketProtection, PacketProtection]] = {}
        self._found: dict[tuple[Level, int, int, int | None], list[PacketProtection]] = {}

    def open_long(
        self, level: Level, direction: int, data: bytes, at: int, header: LongHeader, largest: int
    ) -> Opened | None:
        """Open an Initial, 0-RTT or Handshake packet; None if no key fits."""
        if level is Level.INITIAL:
            candidates = [self._initial_keys(header.version, one)[direction] for one in self.initial_ids]
        else:
            candidates = self._candidates(level, direction, header.version)
        for keys in candidates:
            opened = open_long(keys, data, at, header.number_at, header.end, largest)
            if opened is not None:
                candidates[:] = [keys]
                return opened
        return None

    def open_first_short(
        self, direction: int, data: bytes, at: int, number_at: int, version: Version, largest: int
    ) -> Opened | None:
        """Open the first 1-RTT packet of a direction, for which there is no `one_rtt` yet; None if no key fits."""
        for protection in self._candidates(Level.ONE_RTT, direction, version):
            keys = OneRttKeys(protection)
            opened = keys.open(data, at, number_at, largest)
            if opened is not None:
                self.one_rtt[direction] = keys
                return opened
        return None

    def forget(self) -> None:
        """The client sends its ClientHello again, which may be another one."""
        self._found.clear()

    def _candidates(self, level: Level, direction: int, version: Version) -> list[PacketProtection]:
        key = (level, direction, version.number, self._handshake.cipher_id)
        found = self._found.get(key)
        if found is None:
            found = self._handshake.protections(level, direction, version)
            if found:
                self._found[key] = found
                self.had_some = True
        return found

    def _initial_keys(self, version: Version, connection_id: bytes) -> tuple[PacketProtection, PacketProtection]:
        key = (version.number, connection_id)
        found = self._initial.get(key)
        if found is None:
            found = self._initial[key] = initial_protection(version, connection_id)
        return found
