"""Captures cut short, with bits flipped, with packets lost or out of order: a HAR in which all is well, or a sentence.

The invariants of tests/har hold of every HAR, whatever was done to the capture.
"""

from __future__ import annotations

import io
import json
import os
import random
import struct
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pcapng_utils.errors import InputError
from pcapng_utils.pipeline.convert import Conversion
from pcapng_utils.pipeline.options import Options
from tests.har.invariants import violations
from tests.whole.editing import Packet, jumbled, read, write

FIXTURES = Path(__file__).parent.parent / "fixtures"
LONG = bool(os.environ.get("PCAPNG_UTILS_LONG_TESTS"))
STEP = 97
CUTS = 4
"""Places at which a fixture is cut in the short version of the test, of all those that are `STEP` bytes apart."""
ROUNDS = 40 if LONG else 2
NAMES = sorted(folder.name for folder in FIXTURES.iterdir() if folder.is_dir())
EDITABLE = [name for name in NAMES if name != "formats-pcapng"]
"""Captures that `tests.whole.editing` reads and writes. Of those, the connections of "http3-changes" go over several
pairs of ports, by which connections are told apart here."""


@cache
def capture_of(name: str) -> bytes:
    return next((FIXTURES / name).glob("traffic.*")).read_bytes()


def convert(path: Path, name: str) -> dict[str, Any]:
    """The HAR of a damaged fixture. Raises InputError."""
    keylog = FIXTURES / name / "sslkeylog.txt"
    out = io.BytesIO()
    with Conversion(path, Options(keylogs=(keylog,) if keylog.exists() else (), indent=0)) as conversion:
        conversion.read()
        conversion.write_to(out)
    har: dict[str, Any] = json.loads(out.getvalue())
    assert list(violations(har)) == []
    return har


def check(path: Path, name: str, data: bytes) -> dict[str, Any] | None:
    path.write_bytes(data)
    try:
        return convert(path, name)
    except InputError as error:
        assert str(path) in str(error)
        return None


@pytest.mark.parametrize("name", NAMES)
def test_cut_short(tmp_path: Path, name: str) -> None:
    data = capture_of(name)
    places = range(0, len(data), STEP)
    chosen = places if LONG else [0, *random.Random(name).sample(places, CUTS)]
    header = 24 if name != "formats-pcapng" else 28
    for place in chosen:
        har = check(tmp_path / "x.pcap", name, data[:place])
        assert har is not None or place < header, f"cut at {place}"


@pytest.mark.parametrize("name", NAMES)
def test_bits_flipped(tmp_path: Path, name: str) -> None:
    rng = random.Random(name)
    for _ in range(ROUNDS):
        data = bytearray(capture_of(name))
        for _ in range(rng.choice((1, 20, 400))):
            data[rng.randrange(24, len(data))] ^= 1 << rng.randrange(8)
        check(tmp_path / "x.pcap", name, bytes(data))


@pytest.mark.parametrize("name", EDITABLE)
def test_packets_shuffled_and_dropped(tmp_path: Path, name: str) -> None:
    rng = random.Random(name)
    packets = read(FIXTURES / name / "traffic.pcap")
    for _ in range(ROUNDS):
        kept = [packet for packet in packets if rng.random() < rng.choice((0.5, 0.9, 0.99))]
        moved = rng.sample(kept, len(kept)) if rng.random() < 0.3 else jumbled(kept, rng.getrandbits(32), 30)
        write(tmp_path / "x.pcap", moved)
        convert(tmp_path / "x.pcap", name)


class Place(NamedTuple):
    """Where a packet belongs, and where in it the payload begins."""

    ports: frozenset[int]
    payload: int


_IPV4, _IPV6 = b"\x08\x00", b"\x86\xdd"
_TCP, _UDP = 6, 17


def place_of(packet: Packet) -> Place | None:
    """None for what is neither TCP nor UDP, and for DNS: others take their names and times from it."""
    data = packet.data
    if data[12:14] == _IPV4:
        protocol, start = data[23], 14 + (data[14] & 15) * 4
    elif data[12:14] == _IPV6:
        protocol, start = data[20], 54
    else:
        return None
    if protocol not in {_TCP, _UDP}:
        return None
    ports = frozenset(struct.unpack_from("!HH", data, start))
    if 53 in ports:
        return None
    return Place(ports, start + (8 if protocol == _UDP else (data[start + 12] >> 4) * 4))


def flipped(data: bytes, payload: int, rng: random.Random) -> list[bytes]:
    """Bits of the payload are other ones."""
    changed = bytearray(data)
    for _ in range(8 if len(data) > payload else 0):
        changed[rng.randrange(payload, len(data))] ^= 1 << rng.randrange(8)
    return [bytes(changed)]


def dropped(data: bytes, payload: int, rng: random.Random) -> list[bytes]:
    return [data] if rng.random() < 0.7 else []


def cut(data: bytes, payload: int, rng: random.Random) -> list[bytes]:
    return [data[: rng.randint(payload - 6, len(data))]]


def repeated_with_other_bytes(data: bytes, payload: int, rng: random.Random) -> list[bytes]:
    return [data, *flipped(data, payload, rng)]


Damage = Callable[[bytes, int, random.Random], list[bytes]]


@pytest.mark.parametrize("damage", [flipped, dropped, cut, repeated_with_other_bytes])
@pytest.mark.parametrize("name", [name for name in EDITABLE if name != "http3-changes"])
def test_the_connections_that_were_not_damaged_come_out_unchanged(tmp_path: Path, name: str, damage: Damage) -> None:
    rng = random.Random(name)
    packets = [(packet, place_of(packet)) for packet in read(FIXTURES / name / "traffic.pcap")]
    flows = sorted({place.ports for _, place in packets if place is not None}, key=sorted)
    whole = convert(FIXTURES / name / "traffic.pcap", name)
    for _ in range(ROUNDS // 2):
        victims = set(rng.sample(flows, max(1, len(flows) // 3)))
        edited = [
            replace(packet, data=data)
            for packet, place in packets
            for data in (damage(packet.data, place.payload, rng) if place and place.ports in victims else [packet.data])
        ]
        write(tmp_path / "x.pcap", edited)
        damaged = convert(tmp_path / "x.pcap", name)
        ports = {max(flow) for flow in victims}
        assert sound(damaged, ports) == sound(whole, ports)


def sound(har: dict[str, Any], ports: set[int]) -> list[str]:
    """Entries of connections whose client has none of these ports, without the numbers of frames, and without names of
    addresses, which connections tell of one another."""
    entries = [
        {**entry, "connection": None, "_sha1Id": None}
        for entry in deepcopy(har["log"]["entries"])
        if entry["request"]["_communication"]["src"]["port"] not in ports
    ]
    for entry in entries:
        for side in ("request", "response"):
            message = entry[side]
            del message["_rawFramesNumbers"]
            for end in message["_communication"].values():
                del end["host"]
        for message in entry.get("_webSocketMessages", ()):
            message.pop("_rawFramesNumbers", None)
    return sorted(json.dumps(entry, sort_keys=True) for entry in entries)
