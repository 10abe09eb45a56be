"""Captures, edited."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from lab.edit import Capture

FIXTURE = Path(__file__).parents[1] / "fixtures" / "http1" / "traffic.pcap"


@pytest.fixture(scope="module")
def capture() -> Capture:
    return Capture.read(FIXTURE)


def test_what_was_not_edited_is_written_as_it_was(capture: Capture, tmp_path: Path) -> None:
    capture.write(tmp_path / "same")
    assert (tmp_path / "same").read_bytes() == FIXTURE.read_bytes()


def test_losses_are_about_as_many_as_asked_for_and_the_same_for_a_seed(capture: Capture) -> None:
    lossy = capture.lossy(0.2, 1)
    assert len(lossy.packets) == pytest.approx(0.8 * len(capture.packets), rel=0.1)
    assert lossy == capture.lossy(0.2, 1) != capture.lossy(0.2, 2)


def test_repeated_packets_stand_beside_their_first(capture: Capture) -> None:
    repeated = capture.repeated(0.3, 1).packets
    assert tuple(dict.fromkeys(repeated)) == tuple(dict.fromkeys(capture.packets))
    assert len(repeated) == pytest.approx(1.3 * len(capture.packets), rel=0.1)


def test_reordering_moves_packets_within_the_window_and_loses_none(capture: Capture) -> None:
    reordered = capture.reordered(0.3, 5, 1).packets
    assert Counter(reordered) == Counter(capture.packets)
    assert reordered != capture.packets
    moves = [reordered.index(packet) - number for number, packet in enumerate(capture.packets)]
    assert max(moves) <= 5


def test_a_late_beginning_and_short_packets(capture: Capture) -> None:
    edited = capture.begun_late(10).snapped(60).packets
    assert [packet.wire_length for packet in edited] == [packet.wire_length for packet in capture.packets[10:]]
    assert max(len(packet.data) for packet in edited) == 60


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "no").write_bytes(b"no capture at all, of 24 bytes and more")
    with pytest.raises(ValueError, match="not a little-endian pcap"):
        Capture.read(tmp_path / "no")
