"""Which values single out a device or a person: from what lies beside a capture, and from what the analyst knows.

`device.json` has hundreds of properties, most of which thousands of phones share. The names of those that one phone
alone has are known; of what they hold, placeholders (zeros, "unknown", the MAC address that Android shows to apps) are
left out, for they single out nobody.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from pcapng_utils.errors import InputError, unreadable

ADVERTISING_ID: Final = "advertising_id"

LEAST_LENGTH: Final = 4
"""Characters of a value that is looked for: shorter ones are found everywhere."""

_WORDS: Final = (
    "imei", "meid", "imsi", "iccid", "serial", "androidid", "gsfid", "deviceid", "subscriberid", "uuid", "udid",
    "macaddr", "wifimac", "btmac", "bdaddr", "ipaddr", "phonenumber", "msisdn", "line1number", "account", "email",
    "username", "advertisingid", "hostname", "ssid", "bluetoothname",
)  # fmt: skip
"""In the name of a property, without what separates its words."""
_WHOLE_WORDS: Final = frozenset({"mac", "ip", "ipv4", "ipv6", "esn", "phone", "gaid", "aaid", "adid", "idfa", "mail"})
"""Words of a name that mean this alone."""
_PERSONAL: Final = ("account", "email", "username")
"""Names whose values need no digit."""

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+\d*|\d+")
_LISTED: Final = re.compile(r"\s*[,;]\s*")
_LEAST_OF_DEVICE: Final = 5
_SHARED: Final = frozenset(
    {
        "02:00:00:00:00:00",  # what Android shows to apps for a MAC address
        "9774d56d682e549c",  # an Android ID that a whole series of phones had
        "0123456789abcdef",
        "1234567890",
        "012345678912345",
    }
)
_DEEPEST: Final = 8


class Identifier(NamedTuple):
    """A value to look for."""

    name: str
    value: str


def read_identifiers(device: Path | None, ad_ids: Path | None, named: Path | None) -> list[Identifier]:
    """The identifiers of all files there are, each value once: under the analyst's name for it, where there is one.

    Raises InputError if a file cannot be read or is not what it should be.
    """
    found: list[Identifier] = []
    if named is not None:
        found += _named(named)
    if ad_ids is not None:
        found += _advertising_ids(_text(ad_ids))
    if device is not None:
        found += _of_device(device)
    first: dict[str, Identifier] = {}
    for identifier in found:
        first.setdefault(identifier.value.lower(), identifier)
    return list(first.values())


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig", "replace")
    except OSError as error:
        raise unreadable(path, error) from None


def _named(path: Path) -> Iterator[Identifier]:
    """Lines `name=value`; empty ones and those that begin with # are passed over."""
    for number, line in enumerate(_text(path).splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if not (equals and name and value):
            raise InputError(f"{path}, line {number}: name=value was expected.")
        if len(value) < LEAST_LENGTH:
            raise InputError(
                f"{path}, line {number}: {name} has fewer than {LEAST_LENGTH} characters: it would be found everywhere."
            )
        yield Identifier(name, value)


def _advertising_ids(text: str) -> Iterator[Identifier]:
    for line in text.splitlines():
        value = line.strip().strip("\"'")
        if len(value) >= _LEAST_OF_DEVICE and not _singles_out_nobody(value):
            yield Identifier(ADVERTISING_ID, value)


def _of_device(path: Path) -> Iterator[Identifier]:
    text = _text(path)
    if not text.strip():
        return
    try:
        properties = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"{path}: JSON with a device's properties was expected ({error}).") from None
    yield from of_properties(_flat(properties))


def of_properties(properties: Iterable[tuple[str, str]]) -> Iterator[Identifier]:
    """Of a device's properties, by name, those that single it out."""
    for name, value in properties:
        words = [word.lower() for word in _WORD.findall(name)]
        joined = "".join(words)
        if not (any(word in joined for word in _WORDS) or _WHOLE_WORDS.intersection(words)):
            continue
        personal = any(word in joined for word in _PERSONAL)
        for part in [value.strip()] if personal else _LISTED.split(value.strip()):
            if _is_candidate(part, personal=personal):
                yield Identifier(name, part)


def _is_candidate(value: str, *, personal: bool) -> bool:
    if len(value) < _LEAST_OF_DEVICE or value.startswith("/") or _singles_out_nobody(value):
        return False
    return personal or any(character.isdigit() for character in value)


def _singles_out_nobody(value: str) -> bool:
    letters = [character for character in value.lower() if character.isalnum()]
    if len(set(letters)) <= 1 or value.lower() in _SHARED:
        return True
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified or address.is_multicast


def _flat(properties: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Names and values; those of objects inside are joined with dots."""
    if isinstance(properties, dict) and depth < _DEEPEST:
        for name, value in properties.items():
            yield from _flat(value, f"{prefix}.{name}" if prefix else str(name), depth + 1)
    elif isinstance(properties, list) and depth < _DEEPEST:
        for value in properties:
            yield from _flat(value, prefix, depth + 1)
    elif isinstance(properties, str | int | float) and not isinstance(properties, bool):
        yield prefix, str(properties)
