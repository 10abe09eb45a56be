"""How far the TLS layer goes for one connection."""

from __future__ import annotations

from typing import Final

from msgspec import Struct


class Limits(Struct, frozen=True):
    message: int = 1 << 20
    """Bytes of the longest handshake message that is kept."""
    scan: int = 1 << 17
    """Bytes searched for the next record's header after a loss, before the direction is given up."""
    held: int = 1 << 18
    """Bytes of the client's records that wait for the server's answer, which says how to read them."""
    early: int = 64
    """Records of the server that wait for the client's first, where the capture has them in the wrong order."""
    failures: int = 16
    """Records in a row that do not open, before no more are tried."""
    passed: int = 4096
    """Records passed over while the first one of keys that are at hand is waited for."""
    trials: int = 4096
    """Sequence numbers tried for one record after a loss."""
    trial_bytes: int = 1 << 26
    """Bytes decrypted in such trials, in all, by direction."""
    alerts: int = 16
    """Alerts kept."""


DEFAULT_LIMITS: Final = Limits()
