"""However the network cut, repeated and reordered the packets of a conversation, its messages are the same."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pcapng_utils.pipeline.convert import Conversion
from pcapng_utils.pipeline.options import Options
from tests.whole.editing import Packet, jumbled, read, reordered, repeated, resegmented, write

FIXTURES = Path(__file__).parent.parent / "fixtures"
WINDOW = 12
"""Packets of a flight that may overtake one another."""
JUMBLE = 4
"""Places by which a packet may be moved among those of both directions."""

#: What a message is; its times and frames are not.
MESSAGE = (
    "method",
    "url",
    "status",
    "statusText",
    "httpVersion",
    "headers",
    "cookies",
    "bodySize",
    "postData",
    "_content",
)

TCP_FIXTURES = sorted(
    folder.name
    for folder in FIXTURES.glob("*")
    if (folder / "traffic.pcap").exists() and "http3" not in folder.name and folder.name != "ipv6"
)


@cache
def packets_of(name: str) -> tuple[Packet, ...]:
    return tuple(read(FIXTURES / name / "traffic.pcap"))


@cache
def messages_of(name: str) -> list[str]:
    return messages(FIXTURES / name / "traffic.pcap", FIXTURES / name / "sslkeylog.txt")


def messages(capture: Path, keylog: Path) -> list[str]:
    """Every exchange as text, in an order that does not depend on times."""
    with Conversion(capture, Options(keylogs=(keylog,) if keylog.exists() else (), indent=0)) as conversion:
        conversion.read()
        out = io.BytesIO()
        conversion.write_to(out)
    return sorted(json.dumps(essence(entry), sort_keys=True) for entry in json.loads(out.getvalue())["log"]["entries"])


def essence(entry: dict[str, Any]) -> dict[str, Any]:
    sides = {side: {key: entry[side].get(key) for key in MESSAGE} for side in ("request", "response")}
    websocket = sorted(  # the order of each side counts, not the order between them
        ((m["type"], m["opcode"], m["data"]) for m in entry.get("_webSocketMessages", ())), key=lambda m: m[0]
    )
    events = [(e["event"], e["id"], e["data"]) for e in entry.get("_eventStream", ())]
    return {**sides, "content": entry["response"]["content"], "websocket": websocket, "events": events}


#: A renegotiation within one round trip of a loopback: the order of both sides is what tells which keys count.
UNORDERED_FIXTURES = [name for name in TCP_FIXTURES if name != "tls-changes"]

law = settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
seeds = st.integers(0, 2**32)


def check(tmp_path: Path, name: str, packets: list[Packet]) -> None:
    capture = tmp_path / "edited.pcap"
    write(capture, packets)
    assert messages(capture, FIXTURES / name / "sslkeylog.txt") == messages_of(name)


@pytest.mark.parametrize("name", TCP_FIXTURES)
@law
@given(seed=seeds)
def test_cutting_segments_elsewhere_changes_no_message(tmp_path: Path, name: str, seed: int) -> None:
    check(tmp_path, name, resegmented(packets_of(name), seed))


@pytest.mark.parametrize("name", TCP_FIXTURES)
@law
@given(seed=seeds)
def test_segments_that_overtake_one_another_or_come_twice_change_no_message(
    tmp_path: Path, name: str, seed: int
) -> None:
    check(tmp_path, name, reordered(repeated(packets_of(name), seed), seed, WINDOW))


@pytest.mark.parametrize("name", UNORDERED_FIXTURES)
@law
@given(seed=seeds)
def test_a_capture_that_jumbles_both_directions_changes_no_message(tmp_path: Path, name: str, seed: int) -> None:
    check(tmp_path, name, jumbled(packets_of(name), seed, JUMBLE))
