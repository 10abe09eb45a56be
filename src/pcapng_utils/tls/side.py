"""One direction's protection: which keys open the next record, and under which sequence number.

Keys come in epochs. TLS 1.3 has several (early data, handshake, application data and what KeyUpdates make of it), and
their ends are marked by messages that may be unreadable or lost; so the epochs to come are known beforehand, and a
record that the current one does not open is tried under the next ones. Before TLS 1.3, ChangeCipherSpec ends an epoch
in the clear.

After a loss the number of records lost is unknown. It is between bounds that their bytes give, and is found by trial;
both the trials for one record and the bytes decrypted in all of them are limited.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from msgspec import Struct

from pcapng_utils.tls import codes
from pcapng_utils.tls.handshake import MessageReader
from pcapng_utils.tls.limits import Limits
from pcapng_utils.tls.opener import Opener
from pcapng_utils.tls.records import HEADER_SIZE, MAX_FRAGMENT

_SMALLEST: Final = HEADER_SIZE + 9
"""A record with one byte (a type, in TLS 1.3) and the shortest tag."""
_LARGEST: Final = HEADER_SIZE + MAX_FRAGMENT


class Epoch(NamedTuple):
    """What protects a direction from one change of keys to the next."""

    opener: Opener
    application: bool = True
    """It carries application data."""
    update: Callable[[], Epoch | None] | None = None
    """Makes the epoch that a KeyUpdate leads to; None in epochs that have none."""


class Drift(Struct):
    """What is known of the records lost since the last one that was opened."""

    lost: int | None
    """Their bytes on the wire; None: unknown."""
    at_least: int
    at_most: int

    def grow(self, lost: int | None, at_least: int, at_most: int) -> None:
        self.lost = None if self.lost is None or lost is None else self.lost + lost
        self.at_least += at_least
        self.at_most += at_most


class Side:
    """The state of one direction."""

    __slots__ = (
        "_limits",
        "_next",
        "_trial_bytes",
        "application",
        "drift",
        "failures",
        "flowing",
        "gave_up",
        "hole",
        "messages",
        "opener",
        "passed",
        "protected",
        "ready",
        "reason",
        "sequence",
        "tls13",
        "upcoming",
    )

    def __init__(self, limits: Limits) -> None:
        self.opener: Opener | None = None
        self.sequence = 0
        """Of the next record."""
        self.tls13 = False
        """Records carry their content type inside."""
        self.protected = False
        """Records from now on are encrypted, whether they can be opened or not."""
        self.ready = False
        """Application data can be opened and handed on without further ado. Whatever stands against it clears this."""
        self.upcoming: list[Epoch] = []
        self.drift: Drift | None = None
        self.hole: int | None = None
        """Clear bytes lost since the last that were handed on (0: unknown number), None if there were none."""
        self.reason = ""
        """Why records do not open, in the terms of `TlsFacts.reason`."""
        self.messages = MessageReader(limits.message)
        self.failures = 0
        self.gave_up = False
        """No more records are tried; cleared by who says so."""
        self.passed = 0
        """Records passed over in wait for the first of `upcoming`."""
        self.flowing = False
        """Application data was read in this epoch."""
        self.application = False
        """This epoch carries application data."""
        self._next: Callable[[], Epoch | None] | None = None
        self._limits = limits
        self._trial_bytes = limits.trial_bytes

    def protect(self, epochs: list[Epoch], tls13: bool, current: bool = True) -> None:
        """Records from now on are encrypted under the first of `epochs`; or, if it is not `current`, under keys that
        are not at hand, until that one begins."""
        self.protected = True
        self.tls13 = tls13
        self.upcoming = epochs
        self.opener = None
        self._next = None
        self.failures = 0
        self.ready = False
        if not tls13:
            self.drift = None  # ChangeCipherSpec was seen, so the next record is the first
        if current:
            self.advance()

    def advance(self) -> None:
        """Go on to the next epoch; without one, nothing can be read any more."""
        if self.upcoming:
            self._enter(self.upcoming.pop(0), 0)
        else:
            self.opener = None
            self.ready = False

    def update_keys(self) -> None:
        """A KeyUpdate was read (RFC 8446, section 4.6.3)."""
        following = self._next and self._next()
        if following:
            self._enter(following, 0)

    def _enter(self, epoch: Epoch, sequence: int) -> None:
        self.opener, self.application, self._next = epoch
        self.sequence = sequence
        self.flowing = self.ready = False
        self.messages.reset()

    def lose(self, lost: int | None, records: int | None) -> None:
        """Records were lost: their bytes on the wire and their number, None where unknown."""
        self.ready = False
        self.messages.reset()
        if records is not None:
            at_least = at_most = records
        elif lost is None:
            at_least, at_most = 0, self._limits.trials
        else:
            at_least, at_most = -(-lost // _LARGEST), lost // _SMALLEST
        if self.drift is None:
            self.drift = Drift(lost, at_least, at_most)
        else:
            self.drift.grow(lost, at_least, at_most)

    def open(self, header: bytes, fragment: bytes) -> bytes | None:
        """The content of a protected record (of TLS 1.3: TLSInnerPlaintext), None if it does not open."""
        if self.drift is None and self.opener is not None:
            content = self.opener.open(self.sequence, header, fragment)
            if content is not None:
                self.sequence += 1
                self.failures = 0
                return content
        return self.recover(header, fragment)

    def recover(self, header: bytes, fragment: bytes) -> bytes | None:
        """As `open`, for a record that does not open under the current keys and the next number, or comes after lost
        ones."""
        if self.drift is not None:
            content = self._find(self.drift, header, fragment)
        else:
            content = self._find_in(self.upcoming, range(1), header, fragment)
        if content is None:
            self._fail(header, fragment)
        else:
            self.failures = 0
        return content

    def _fail(self, header: bytes, fragment: bytes) -> None:
        self.ready = False
        if self.drift is not None:
            self.drift.grow(HEADER_SIZE + len(fragment), 1, 1)
        if self.opener is None:
            self.passed += 1
            if self.passed > self._limits.passed:
                self.upcoming = []
            return
        self.sequence += self.drift is None
        self.failures += 1
        if header[0] == codes.APPLICATION_DATA and self.application:
            self.add_hole(self._content_size(len(fragment), 1) if self.drift is None else 0)
        if self.failures >= self._limits.failures:
            self.opener, self.upcoming, self.drift, self._next = None, [], None, None
            self.reason = "bad-record"
            self.gave_up = True

    def _find(self, drift: Drift, header: bytes, fragment: bytes) -> bytes | None:
        """Open the first record after a loss."""
        if self.opener is not None:
            missing = self._affordable(range(drift.at_least, drift.at_most + 1), fragment)
            found = self.opener.find(self.sequence, missing, drift.lost, header, fragment)
            if found is not None:
                count, content = found
                # Before TLS 1.3, the first record under any keys is the Finished message.
                if self.application and count > (self.sequence == 0 and not self.tls13):
                    exact = drift.lost is not None and self.flowing
                    self.add_hole(self._content_size(drift.lost or 0, count, HEADER_SIZE) if exact else 0)
                self.sequence += count + 1
                self.drift = None
                return content
        updated = self._next and self._next()
        later = [*self.upcoming, updated] if updated else self.upcoming
        return self._find_in(later, range(drift.at_most + 1), header, fragment)

    def _find_in(self, epochs: list[Epoch], missing: range, header: bytes, fragment: bytes) -> bytes | None:
        """Open a record that may be of a later epoch, and move there."""
        for number, epoch in enumerate(epochs):
            found = epoch.opener.find(0, self._affordable(missing, fragment), None, header, fragment)
            if found is not None:
                count, content = found
                if self.flowing or (epoch.application and count):
                    self.add_hole(0)
                self.upcoming = self.upcoming[number + 1 :]
                self._enter(epoch, count + 1)
                self.drift = None
                return content
        return None

    def _affordable(self, missing: range, fragment: bytes) -> range:
        """As many of the numbers as may still be tried."""
        size = len(fragment) + 1
        missing = missing[: min(self._limits.trials, self._trial_bytes // size)]
        self._trial_bytes -= size * (len(missing) - 1)
        return missing

    def add_hole(self, size: int) -> None:
        """Note that clear bytes were lost; 0: an unknown number."""
        self.ready = False
        self.hole = size if self.hole is None else size and self.hole and self.hole + size

    def _content_size(self, size: int, records: int, header: int = 0) -> int:
        """Clear bytes of so many records of application data; 0 if the cipher does not tell."""
        expansion = self.opener.expansion if self.opener else None
        return 0 if expansion is None else max(0, size - records * (header + expansion))
