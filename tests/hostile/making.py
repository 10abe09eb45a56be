"""What the tests of hostile input share."""

from __future__ import annotations

_CLIENT_PORT = (40000).to_bytes(2, "big")


def on_port(packet: bytes, number: int) -> bytes:
    """A packet of `tests.net.wire`, with another port of the client."""
    at = 34 if packet[34:36] == _CLIENT_PORT else 36
    return packet[:at] + number.to_bytes(2, "big") + packet[at + 2 :]
