"""The least recently active goes first, at whatever cost to those that were active."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.net.flow import Endpoint, Flow
from pcapng_utils.net.idle import Idle


@dataclass(eq=False)
class Entry:
    flow: Flow
    kept: object = None


def entry(frame: int) -> Entry:
    end = Endpoint("", 0)
    return Entry(Flow(str(frame), "tcp", end, end, "", 0, frame, last_frame=frame))


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(1, 5))
def test_least_recently_active_first(steps: list[int], limit: int) -> None:
    """A step under 3 is a new entry, else activity of one of those there."""
    idle: Idle[Entry] = Idle(limit)
    model: list[Entry] = []
    for frame, step in enumerate(steps):
        if step < 3 or not model:
            model.append(entry(frame))
            idle.add(model[-1])
            expected = model.pop(0) if len(model) > limit else None
            assert idle.surplus() is expected
        else:
            active = model.pop(step % len(model))
            active.flow.last_frame = frame
            model.append(active)
    assert sorted(one.flow.first_frame for one in idle) == sorted(one.flow.first_frame for one in model)


def test_what_was_removed_leaves_memory() -> None:
    idle: Idle[Entry] = Idle(10)
    for frame in range(10_000):
        one = entry(frame)
        idle.add(one)
        idle.remove(one)
    assert idle.count == 0
    assert len(idle._heap) <= 1025
