"""The versions of QUIC, and what differs between them on the wire.

Three things differ between the versions that can be read: the salt from which Initial keys are derived, the labels of
the key derivation, and the two bits that tell the long header's packet types apart. All the rest is common to them.
Sources: RFC 9001 (v1), RFC 9369 (v2), drafts 22 to 34 of draft-ietf-quic-tls, the public sources of mvfst (Meta) and
of QUICHE (Google). Google's older versions (Q0xx) have a handshake of their own: they are named, not read.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace


class PacketType(IntEnum):
    """Packets with a long header (RFC 9000, section 17.2), in the order of version 1's type bits."""

    INITIAL = 0
    ZERO_RTT = 1
    HANDSHAKE = 2
    RETRY = 3


_V1_TYPES: Final = (PacketType.INITIAL, PacketType.ZERO_RTT, PacketType.HANDSHAKE, PacketType.RETRY)
_V2_TYPES: Final = (PacketType.RETRY, PacketType.INITIAL, PacketType.ZERO_RTT, PacketType.HANDSHAKE)


class Version(Struct, frozen=True):
    """A version whose packets can be read."""

    number: int
    name: str
    salt: bytes
    """Salt of HKDF-Extract for the Initial secrets (RFC 9001, section 5.2)."""
    retry_key: bytes = b""
    """AES-128-GCM key of the Retry Integrity Tag (RFC 9001, section 5.8); empty: Retry has none, or it is unknown."""
    retry_nonce: bytes = b""
    label: bytes = b"quic "
    """What the labels of the key derivation begin with (RFC 9001, section 5.1; RFC 9369, section 3.3.2)."""
    types: tuple[PacketType, PacketType, PacketType, PacketType] = _V1_TYPES
    """Packet type by the long header's two type bits."""
    google_frames: bool = False
    """Frames are numbered as in Google QUIC."""


_DRAFT_22_SALT: Final = bytes.fromhex("7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a")
_DRAFT_23: Final = Version(
    0xFF000017,
    "draft-23",
    bytes.fromhex("c3eef712c72ebb5a11a7d2432bb46365bef9f502"),
)
_DRAFT_25: Final = replace(
    _DRAFT_23,
    retry_key=bytes.fromhex("4d32ecdb2a2133c841e4043df27d4430"),
    retry_nonce=bytes.fromhex("4d1611d05513a552c587d575"),
)
_DRAFT_29: Final = Version(
    0xFF00001D,
    "draft-29",
    bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899"),
    bytes.fromhex("ccce187ed09a09d05728155a6cb96be1"),
    bytes.fromhex("e54930f97f2136f0530a8c1c"),
)
QUIC_V1: Final = Version(
    1,
    "QUIC v1",
    bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"),
    bytes.fromhex("be0c690b9f66575a1d766b54e368c84e"),
    bytes.fromhex("461599d35d632bf2239825bb"),
)
QUIC_V2: Final = Version(
    0x6B3343CF,
    "QUIC v2",
    bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"),
    bytes.fromhex("8fb4b01b56ac48e260fbcbcead7ccc92"),
    bytes.fromhex("d86969bc2d7c6d9990efb04a"),
    b"quicv2 ",
    _V2_TYPES,
)
_T050: Final = Version(
    0x54303530, "T050", bytes.fromhex("7ff579e5acd072915580304c43a2367c60488310"), google_frames=True
)
_T051: Final = replace(
    _T050, number=0x54303531, name="T051", salt=bytes.fromhex("7a4edef4e7ccee5fa4506c19124fc8ccda6e033d")
)

_MVFST_22: Final = Version(0xFACEB001, "mvfst (draft-22)", _DRAFT_22_SALT)
_MVFST_27: Final = replace(_DRAFT_25, number=0xFACEB002, name="mvfst (draft-27)")
_MVFST_EXPERIMENT: Final = replace(_DRAFT_25, number=0xFACEB00E, name="mvfst (experimental)")


def _drafts(first: int, last: int, like: Version) -> list[Version]:
    return [replace(like, number=0xFF000000 | draft, name=f"draft-{draft}") for draft in range(first, last + 1)]


VERSIONS: Final[dict[int, Version]] = {
    version.number: version
    for version in (
        QUIC_V1,
        QUIC_V2,
        *_drafts(22, 22, replace(_DRAFT_23, salt=_DRAFT_22_SALT)),
        *_drafts(23, 24, _DRAFT_23),
        *_drafts(25, 28, _DRAFT_25),
        *_drafts(29, 32, _DRAFT_29),
        *_drafts(33, 34, QUIC_V1),
        _MVFST_22,
        _MVFST_27,
        _MVFST_EXPERIMENT,
        _T050,
        _T051,
    )
}
"""The versions that can be read, by number."""

READABLE_NAMES: Final = frozenset(version.name for version in VERSIONS.values())

_ONE_OF_EACH_SALT: Final = (QUIC_V1, _DRAFT_29, _DRAFT_25, QUIC_V2, _MVFST_22)
"""What to try on a version that is not known, the likeliest first."""

VERSION_NEGOTIATION: Final = 0
"""The version field of a Version Negotiation packet (RFC 9000, section 17.2.1)."""


def is_greased(number: int) -> bool:
    """Whether the version is one of those reserved to provoke version negotiation (RFC 9000, section 15)."""
    return number & 0x0F0F0F0F == 0x0A0A0A0A


def is_google(number: int) -> bool:
    """Whether the version is one of Google's with a handshake of its own: Q0 and two digits."""
    text = number.to_bytes(4, "big")
    return text[:2] == b"Q0" and text[2:].isdigit()


def version_name(number: int) -> str:
    """The version in words: "QUIC v1", "draft-29", "T051", "Q046", "greased 0x1a2a3a4a", "0xff0000aa"."""
    known = VERSIONS.get(number)
    if known is not None:
        return known.name
    if is_google(number):
        return number.to_bytes(4, "big").decode("ascii")
    if number & 0xFFFFFF00 == 0xFACEB000:
        return f"mvfst 0x{number:08x}"
    return f"greased 0x{number:08x}" if is_greased(number) else f"0x{number:08x}"


def candidates(number: int) -> tuple[Version, ...]:
    """The versions whose Initial keys may fit a first packet with this version number.

    A client that forces version negotiation protects its first Initial with the keys of a version that it really
    speaks: which one, only trying can tell.
    """
    known = VERSIONS.get(number)
    if known is not None:
        return (known,)
    if is_google(number):
        return ()
    name = version_name(number)
    return tuple(replace(version, number=number, name=name) for version in _ONE_OF_EACH_SALT)
