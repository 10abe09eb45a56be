"""TLS secrets from key logs (NSS key log format, RFC 9850), and sessions remembered for their resumption.

One connection of a key log takes one entry of one dictionary: its client random leads to all its secrets, packed
behind one another. A log of a million connections so takes a few hundred bytes each.
"""

from __future__ import annotations

import hashlib
import re
from binascii import unhexlify
from collections.abc import Iterator
from typing import BinaryIO, Final

_CLIENT_GENERATIONS: Final = 0x40
_SERVER_GENERATIONS: Final = 0x80
_GENERATIONS: Final = 64
"""Traffic secrets of this number and later are not kept: they can be derived from the first."""

_LABELS: Final = {
    "CLIENT_RANDOM": 1,
    "CLIENT_EARLY_TRAFFIC_SECRET": 2,
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET": 3,
    "SERVER_HANDSHAKE_TRAFFIC_SECRET": 4,
    "EXPORTER_SECRET": 5,
    "EARLY_EXPORTER_SECRET": 6,
    "ECH_SECRET": 7,
    "ECH_CONFIG": 8,
} | {
    f"{side}_TRAFFIC_SECRET_{number}": first + number
    for side, first in (("CLIENT", _CLIENT_GENERATIONS), ("SERVER", _SERVER_GENERATIONS))
    for number in range(_GENERATIONS)
}
_CODES: Final = {label.encode(): code for label, code in _LABELS.items()} | {
    b"QUIC_" + label.encode(): code for label, code in _LABELS.items()
}
_WORD: Final = re.compile(rb"[A-Z][A-Z0-9_]*")

_MAX_PACKED: Final = 1 << 14
_MAX_SECRET: Final = 1 << 12


IN_CAPTURE: Final = "the capture"
"""The source of secrets that the capture itself carries."""


class SecretStore:
    """All secrets at hand, from all key logs, by client random and label."""

    MAX_SESSIONS: Final = 1 << 16
    """Sessions remembered for their resumption; past it, the oldest is forgotten."""

    def __init__(self) -> None:
        self.lines = 0
        """Lines that held a secret."""
        self.bad_lines = 0
        """Lines that could not be read, all sources together."""
        self.bad_lines_by_source: dict[str, int] = {}
        self._packed: dict[bytes, bytes] = {}
        self._premasters: dict[bytes, bytes] = {}
        self._sessions: dict[bytes, bytes] = {}
        self.missed_session = False
        """A session was asked for that is not remembered."""

    def __len__(self) -> int:
        """Client randoms that have a secret."""
        return len(self._packed)

    def begin(self) -> None:
        """A capture is read from its beginning, maybe not for the first time: what it said of its sessions, and what
        was wrong with the lines in it, is forgotten."""
        self._sessions.clear()
        self.missed_session = False
        self.bad_lines -= self.bad_lines_by_source.pop(IN_CAPTURE, 0)

    def add_keylog(self, text: bytes, source: str) -> None:
        """Take in key log text, whole lines of it. Blank lines, comments and labels unknown are passed over; lines
        that cannot be read are counted against `source`."""
        bad = sum(1 for line in text.splitlines() if line and not self._add_line(line))
        if bad:
            self.bad_lines += bad
            self.bad_lines_by_source[source] = self.bad_lines_by_source.get(source, 0) + bad

    def _add_line(self, line: bytes) -> bool:
        words = line.split()
        if not words or words[0].startswith(b"#"):
            return True
        if len(words) != 3 or not _WORD.fullmatch(words[0]):
            return False
        label = words[0]
        try:
            key, secret = unhexlify(words[1]), unhexlify(words[2])
        except ValueError:
            return False
        if label == b"RSA":
            return self._add_premaster(key, secret)
        if len(key) != 32 or not 0 < len(secret) <= _MAX_SECRET:
            return False
        code = _CODES.get(label)
        if code is not None:
            self._pack(key, code, secret)
            self.lines += 1
        return True

    def _add_premaster(self, prefix: bytes, premaster: bytes) -> bool:
        if len(prefix) != 8 or len(premaster) != 48:
            return False
        self._premasters[prefix] = premaster
        self.lines += 1
        return True

    def _pack(self, random: bytes, code: int, secret: bytes) -> None:
        entry = bytes((code, len(secret) >> 8, len(secret) & 0xFF)) + secret
        packed = self._packed.get(random, b"")
        if entry not in packed and len(packed) + len(entry) <= _MAX_PACKED:
            self._packed[random] = entry + packed

    def get(self, client_random: bytes, label: str) -> bytes | None:
        """The secret of that label ("CLIENT_RANDOM", "CLIENT_TRAFFIC_SECRET_0", ...; never in a QUIC_ spelling); the
        last line read counts. None if there is none."""
        packed = self._packed.get(client_random)
        code = _LABELS.get(label)
        if packed is None or code is None:
            return None
        offset, end = 0, len(packed)
        while offset < end:
            start = offset + 3
            offset = start + (packed[start - 2] << 8) + packed[start - 1]
            if packed[start - 3] == code:
                return packed[start:offset]
        return None

    def has(self, client_random: bytes) -> bool:
        """Whether there is any secret for that client random."""
        return client_random in self._packed

    @property
    def has_premasters(self) -> bool:
        """Whether any `RSA` line was read."""
        return bool(self._premasters)

    def premaster(self, encrypted: bytes) -> bytes | None:
        """The premaster secret of an `RSA` line, for the encrypted form in a ClientKeyExchange."""
        return self._premasters.get(encrypted[:8])

    def remember(self, session: bytes, master: bytes) -> None:
        """Keep the master secret of a session, by its session ID or its ticket, for connections that resume it."""
        sessions = self._sessions
        key = _session_key(session)
        sessions.pop(key, None)
        sessions[key] = master
        if len(sessions) > self.MAX_SESSIONS:
            del sessions[next(iter(sessions))]

    def recall(self, session: bytes) -> bytes | None:
        """The master secret kept for a session ID or ticket."""
        master = self._sessions.get(_session_key(session))
        self.missed_session |= master is None
        return master

    @property
    def remembers_sessions(self) -> bool:
        return bool(self._sessions)


def _session_key(session: bytes) -> bytes:
    return session if len(session) <= 32 else hashlib.sha256(session).digest()


def read_keylog(stream: BinaryIO, block_size: int = 1 << 17) -> Iterator[bytes]:
    """Blocks of whole lines for `SecretStore.add_keylog`, so that a log of any size is read in little memory.

    A line longer than a block is handed on in pieces, none of which is a line of a key log.
    """
    rest = b""
    while block := stream.read(block_size):
        block = rest + block
        cut = block.rfind(b"\n") + 1
        if not cut and len(block) < block_size:
            rest = block
            continue
        cut = cut or len(block)
        yield block[:cut]
        rest = block[cut:]
    if rest:
        yield rest
