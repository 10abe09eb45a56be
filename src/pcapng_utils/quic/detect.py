"""Whether a UDP datagram is QUIC, by its bytes alone."""

from __future__ import annotations

from pcapng_utils.quic.packet import MIN_PROTECTED, google_version, offered_versions, read_invariants, read_long_header
from pcapng_utils.quic.versions import (
    QUIC_V1,
    VERSION_NEGOTIATION,
    VERSIONS,
    is_google,
    is_greased,
    version_name,
)


def looks_like_quic(data: bytes) -> bool:
    """Whether a datagram begins with a packet of a version of QUIC that is known, or that only asks for another.

    Packets with a short header look like random bytes: those of known connections are known to `QuicRouter.knows`.
    """
    return quic_version(data) is not None


def looks_like_short_header(data: bytes) -> bool:
    """Whether a datagram may be a 1-RTT packet. One random datagram in four may: ask where a port speaks for QUIC.

    A flow so found began before the capture did; nothing in it can be read, but it can be named and counted.
    """
    return len(data) > MIN_PROTECTED and data[0] & 0xC0 == 0x40


def quic_version(data: bytes) -> str | None:
    """The version of QUIC that a datagram tells, as `QuicFacts.version` names it; None if it is none."""
    google = google_version(data) if data else None
    if google is not None:
        return google
    head = read_invariants(data)
    if head is None:
        return None
    number = head.version
    if number == VERSION_NEGOTIATION:
        names_one = any(one in VERSIONS or is_google(one) for one in offered_versions(data, head))
        return "version negotiation" if names_one else None
    if number not in VERSIONS and not is_greased(number):
        return None
    return version_name(number) if read_long_header(data, 0, QUIC_V1) is not None else None
