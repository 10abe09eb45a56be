"""What opens protected records.

An opener keeps what the protocol keeps from record to record (a chained IV, a keystream), not the sequence number: that
is the caller's, who has to look for it after bytes were lost.
"""

from __future__ import annotations


class Opener:
    """Opens the records of one direction under one set of keys."""

    __slots__ = ("expansion",)

    expansion: int | None
    """Bytes a record's fragment has more than its content; None where that varies."""

    def open(self, sequence: int, header: bytes, fragment: bytes) -> bytes | None:
        """The content of the next record (of TLS 1.3: TLSInnerPlaintext), None if it does not authenticate."""
        raise NotImplementedError

    def find(
        self, sequence: int, missing: range, lost: int | None, header: bytes, fragment: bytes
    ) -> tuple[int, bytes] | None:
        """Open a record that comes after lost ones: how many were lost, and its content.

        `sequence` is that of the first lost record, `missing` what the number of lost ones may be, `lost` their bytes
        on the wire (None: unknown)."""
        for count in missing:
            content = self.open(sequence + count, header, fragment)
            if content is not None:
                return count, content
        return None

    def skip(self, ciphertext: bytes) -> None:
        """Take note of ciphertext right before the next record that cannot be opened: its end may be that one's IV."""
