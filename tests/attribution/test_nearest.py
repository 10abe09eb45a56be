"""The call nearest in time, as pcapng-utils 1.1 chose it."""

from __future__ import annotations

import pytest

from pcapng_utils.attribution.nearest import NearestCalls
from pcapng_utils.layers import CLIENT, SERVER
from pcapng_utils.net.community import community_id_of
from tests.attribution.making import EPOCH, LOCAL, REMOTE, log_of, record

FLOW = community_id_of("tcp", LOCAL, REMOTE)


def nearest(times: list[float], moment: float, event: str = "write") -> int | None:
    direction = CLIENT if event == "write" else SERVER
    return NearestCalls(log_of([record(time, event) for time in times])).find(
        FLOW, direction, round((EPOCH + moment) * 1000)
    )


@pytest.mark.parametrize(
    ("times", "moment", "found"),
    [
        ([0, 10, 20], 11, 1),
        ([0, 10, 20], 15, 1),  # equally near: the earlier one
        ([20, 0, 10], 16, 0),  # in the order of times, not of the file
        ([10, 10, 10], 12, 2),  # at or before the moment: the last in the file
        ([10, 10, 10], 8, 0),  # behind it: the first
        ([], 5, None),
    ],
)
def test_nearest(times: list[float], moment: float, found: int | None) -> None:
    assert nearest(times, moment) == found


@pytest.mark.parametrize(
    ("event", "time", "inside"),
    [
        ("write", -5000, True), ("write", -5001, False), ("write", 2000, True), ("write", 2001, False),
        ("read", -2000, True), ("read", -2001, False), ("read", 5000, True), ("read", 5001, False),
    ],
)  # fmt: skip
def test_the_ends_of_the_windows_are_inside(event: str, time: float, inside: bool) -> None:
    assert (nearest([time], 0, event) == 0) is inside


def test_calls_of_another_direction_or_flow_do_not_count() -> None:
    calls = NearestCalls(log_of([record(0, "read"), record(0, "write", port=1)]))
    assert calls.find(FLOW, CLIENT, EPOCH * 1000) is None
    assert calls.has_calls(FLOW, SERVER)
    assert not calls.has_calls(FLOW, CLIENT)


def test_the_calls_that_1_1_knew_alone() -> None:
    log = log_of([record(0, "writev"), record(40, "sendto")])
    assert NearestCalls(log, "seed").find(FLOW, CLIENT, EPOCH * 1000) == 1
    assert NearestCalls(log).find(FLOW, CLIENT, EPOCH * 1000) == 0
