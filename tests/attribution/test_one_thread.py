"""Clients that make all their calls from one thread and one place, whatever they send: an event loop's. Only order and
time tell their calls apart, so the very call is asked for."""

from __future__ import annotations

import random

import pytest

from pcapng_utils.attribution.views import FlowView
from pcapng_utils.layers import CLIENT, SERVER, UnitKind
from tests.attribution.making import EPOCH, Tape

WRITE, READ = ["Loop.send", "Loop.run"], ["Loop.recv", "Loop.run"]


def share_of_very_calls(tape: Tape, direction: int) -> float:
    """Of how many messages the likeliest call is the very one that carried their first byte."""
    order, result = tape.attributed()
    right = []
    for index, (_, _, key) in enumerate(tape.calls):
        if key is not None and tape.direction(key) == direction:
            answer = result.messages[key]
            row = answer.alternatives[0].operation if answer.operation is None else answer.operation
            right.append(order[row] == index)
    return right.count(True) / len(right)


def event_loop(seed: int) -> Tape:
    """It tries to read as soon as it has written, in vain; then, when something came, the header and the rest of each
    record. Nothing is logged late."""
    tape = Tape(random.Random(seed), 1e-6)
    chance = tape.chance
    for _ in range(4):
        flow = tape.flow()
        time = chance.uniform(100, 200)
        for exchange in range(40):
            key = tape.message(flow, CLIENT, time, [tape.unit(flow, CLIENT, time, UnitKind.HEADERS)], exchange)
            tape.call(flow, "write", time, WRITE, 1, key)
            tape.call(flow, "read", time + 0.05, READ, 1)
            answered = time + 4 + chance.expovariate(1 / 10)
            units = [
                tape.unit(flow, SERVER, answered, UnitKind.HEADERS),
                tape.unit(flow, SERVER, answered + 0.05, UnitKind.BODY),
            ]
            first = tape.message(flow, SERVER, answered, units, exchange)
            for key_of_read in (first, None, None, None):
                tape.call(flow, "read", answered + 0.1, READ, 1, key_of_read)
            time = answered + 1 + chance.expovariate(1 / 10)
    return tape


def test_a_read_that_is_tried_right_after_the_write_is_not_the_one_that_got_the_answer() -> None:
    assert share_of_very_calls(event_loop(5), SERVER) >= 0.95


def multiplexed(seed: int, delay: float) -> Tape:
    """HTTP/2 uploads: many records in a short time, each of one call, most of them full ones and what follows them."""
    tape = Tape(random.Random(seed), 1e-6)
    chance = tape.chance
    for _ in range(3):
        flow = tape.flow()
        time = 100.0
        begin = len(tape.calls)
        for exchange in range(80):
            time += chance.expovariate(1 / 6)
            units = [_sent(tape, flow, time, UnitKind.HEADERS, 100)]
            first = len(tape.calls) - 1
            for _ in range(chance.choice((0, 0, 1, 2, 4))):
                for size in (16_406, 31):
                    time += chance.expovariate(2)
                    units.append(_sent(tape, flow, time, UnitKind.BODY, size))
            key = tape.message(flow, CLIENT, time, units, exchange)
            tape.calls[first] = (*tape.calls[first][:2], key)
        _delay(tape, begin, delay)
    return tape


def _sent(tape: Tape, flow: FlowView, time: float, kind: int, size: int) -> int:
    tape.call(flow, "write", time, WRITE, 1)
    assert flow.units is not None
    unit = tape.unit(flow, CLIENT, time, kind)
    flow.units.sizes[CLIENT][unit] = size
    return unit


def _delay(tape: Tape, begin: int, delay: float) -> None:
    """Let the calls from `begin` on take a while to the wire, where none overtakes the one before it."""
    latest = float("inf")
    for index in range(len(tape.calls) - 1, begin - 1, -1):
        time, call, key = tape.calls[index]
        latest = min(time - tape.chance.expovariate(1 / delay), latest)
        tape.calls[index] = latest, {**call, "timestamp": EPOCH + int(latest)}, key


@pytest.mark.parametrize("seed", range(1, 7))
def test_a_sequence_of_as_many_calls_as_records_does_not_slip(seed: int) -> None:
    assert share_of_very_calls(multiplexed(seed, 20.0), CLIENT) == 1.0
