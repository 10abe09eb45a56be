"""Reads as clients really make them: logged when they begin to wait, two to a record, and not for what the TLS library
does on its own."""

from __future__ import annotations

import random

import pytest

from pcapng_utils.attribution.views import FlowView
from pcapng_utils.layers import CLIENT, SERVER, UnitKind
from tests.attribution.making import Tape

CLIENT_FLIGHT = (UnitKind.CHANGE_CIPHER_SPEC, UnitKind.FINISHED)
SERVER_FLIGHT = (UnitKind.HANDSHAKE, UnitKind.CHANGE_CIPHER_SPEC, UnitKind.HANDSHAKE, UnitKind.FINISHED)
TICKETS = (UnitKind.HANDSHAKE, UnitKind.HANDSHAKE)


def opened(tape: Tape, thread: int, time: float, took: float) -> FlowView:
    """A connection whose handshake ends after so many ms; of the client's part the first write alone is logged."""
    flow = tape.flow()
    tape.call(flow, "write", time, ["ssl.wrap", "client.connect", f"Sdk{thread}"], thread)
    tape.unit(flow, CLIENT, time, UnitKind.CLIENT_HELLO)
    for kind in CLIENT_FLIGHT:
        tape.unit(flow, CLIENT, time + took, kind)
    return flow


def synchronous(seed: int, delay: float) -> Tape:
    """Threads that open a connection for a few requests each; of a handshake one write is logged, and no read."""
    tape = Tape(random.Random(seed), delay)
    chance = tape.chance
    for thread in range(30):
        time = chance.uniform(100, 3_000)
        flow = opened(tape, thread, time, 4)
        for kind in SERVER_FLIGHT:
            tape.unit(flow, SERVER, time + 2, kind)
        for kind in TICKETS:
            tape.unit(flow, SERVER, time + 6, kind)
        time += 7
        for exchange in range(3):
            app = ["client.exchange", f"Sdk{thread}_{exchange}"]
            key = tape.message(flow, CLIENT, time, [tape.unit(flow, CLIENT, time, UnitKind.HEADERS)], exchange)
            tape.call(flow, "write", time, ["ssl.write", "client.sendHeaders", *app], thread, key)
            answered = time + 1 + chance.expovariate(1 / 30)
            units = [
                tape.unit(flow, SERVER, answered, UnitKind.HEADERS),
                tape.unit(flow, SERVER, answered + 0.2, UnitKind.BODY),
            ]
            key = tape.message(flow, SERVER, answered, units, exchange)
            tape.call(flow, "read", time + 0.1, ["ssl.read", "client.readHeaders", *app], thread, key)
            tape.call(flow, "read", answered + 0.1, ["ssl.read", "client.readBody", *app], thread)
            time = answered + 5 + chance.expovariate(1 / 60)
    return tape


def sockets_kept_open(seed: int, delay: float) -> Tape:
    """Each thread opens a connection, asks for a WebSocket and sends messages on it; what else is sent of a handshake
    than the first write is not logged."""
    tape = Tape(random.Random(seed), delay)
    chance = tape.chance
    for thread in range(24):
        time = chance.uniform(100, 3_000)
        flow = opened(tape, thread, time, 1.5)
        time += 2
        key = tape.message(flow, CLIENT, time, [tape.unit(flow, CLIENT, time, UnitKind.HEADERS)], 0)
        tape.call(flow, "write", time, ["ssl.write", "client.send", f"Sdk{thread}"], thread, key)
        time += chance.expovariate(1 / 8)
        for message in range(6):
            time += chance.choice((0.1, 0.1, 8.0)) + chance.expovariate(1)
            tape.unit(flow, CLIENT, time, UnitKind.BODY)
            tape.call(flow, "write", time, ["ssl.write", "client.send", f"Sdk{thread}_{message}"], thread)
    return tape


def share_right(tape: Tape, direction: int) -> float:
    """How many messages get a call of their own code."""
    order, result = tape.attributed()
    right = []
    for _, wanted, key in tape.calls:
        if key is not None and tape.direction(key) == direction:
            row = result.messages[key].operation
            code = wanted["data"]["stack"][-1]
            right.append(row is not None and tape.calls[order[row]][1]["data"]["stack"][-1] == code)
    return right.count(True) / len(right)


@pytest.mark.parametrize("delay", [2.0, 10.0])
@pytest.mark.parametrize("direction", [CLIENT, SERVER])
def test_handshakes_that_are_not_logged_do_not_make_the_log_seem_to_lose_calls(delay: float, direction: int) -> None:
    assert share_right(synchronous(3, delay), direction) >= 0.98


@pytest.mark.parametrize("delay", [5.0, 10.0, 20.0])
def test_a_request_does_not_seem_lost_because_the_end_of_the_handshake_is(delay: float) -> None:
    assert share_right(sockets_kept_open(5, delay), CLIENT) == 1.0


def reader_loop(seed: int) -> tuple[Tape, list[int]]:
    """One thread that always waits for the next record, of which it reads the header first: as JSSE under HTTP/2."""
    tape = Tape(random.Random(seed), 8.0)
    chance = tape.chance
    flow = tape.flow()
    time = ready = 100.0
    headers: list[int] = []
    for exchange in range(120):
        time += chance.expovariate(1 / 40)
        key = tape.message(flow, CLIENT, time, [tape.unit(flow, CLIENT, time, UnitKind.HEADERS)], 2 * exchange)
        tape.call(flow, "write", time, ["Socket.write", "Http2Writer.headers", "App"], 1, key)
        time += 3 + chance.expovariate(1 / 5)
        units = []
        for kind in (UnitKind.HEADERS, UnitKind.BODY, UnitKind.BODY):
            units.append(tape.unit(flow, SERVER, time, kind))
            first = len(tape.calls)
            tape.call(flow, "read", ready, ["Socket.read", "Record.header", "Reader"], 2)
            tape.call(flow, "read", time, ["Socket.read", "Record.rest", "Reader"], 2)
            if kind == UnitKind.HEADERS:
                headers.append(first)
            ready = time = time + 0.1
        tape.message(flow, SERVER, time, units, 2 * exchange + 1)
    return tape, headers


def test_a_reader_that_waits_for_each_record_is_not_taken_for_one_that_fails() -> None:
    tape, headers = reader_loop(4)
    order, result = tape.attributed()
    answers = [
        result.messages["flow 0", place].operation
        for place, message in enumerate(tape.flows[0].messages)
        if message.direction == SERVER
    ]
    right = [row is not None and order[row] - first in (0, 1) for row, first in zip(answers, headers, strict=True)]
    assert sum(right) >= 0.95 * len(right)


def dense(seed: int, delay: float) -> Tape:
    """Eight threads that take three open connections in turn without a pause: every few ms the same happens again."""
    tape = Tape(random.Random(seed), delay)
    chance = tape.chance
    flows = [tape.flow() for _ in range(3)]
    idle, free = [100.0] * len(flows), [100.0 + thread for thread in range(8)]
    for exchange in range(240):
        thread, place = min(range(8), key=free.__getitem__), min(range(3), key=idle.__getitem__)
        flow, time = flows[place], max(free[thread], idle[place]) + chance.uniform(0.3, 1.5)
        app = ["client.exchange", f"Sdk{exchange}"]
        key = tape.message(flow, CLIENT, time, [tape.unit(flow, CLIENT, time, UnitKind.HEADERS)], exchange)
        tape.call(flow, "write", time, ["ssl.write", "client.sendHeaders", *app], thread, key)
        answered = time + 1 + chance.expovariate(1.0)
        complete = answered + chance.expovariate(0.5)
        units = [
            tape.unit(flow, SERVER, answered, UnitKind.HEADERS),
            tape.unit(flow, SERVER, complete, UnitKind.BODY),
        ]
        key = tape.message(flow, SERVER, answered, units, exchange)
        tape.call(flow, "read", answered + 0.1, ["ssl.read", "client.receive", *app], thread, key)
        tape.call(flow, "read", complete + 0.1, ["ssl.read", "client.receive", *app], thread)
        idle[place] = free[thread] = complete + 0.3
    return tape


@pytest.mark.parametrize("delay", [0.2, 0.5, 5.0])
@pytest.mark.parametrize("direction", [CLIENT, SERVER])
def test_dense_and_regular_traffic_is_not_taken_for_its_neighbours(delay: float, direction: int) -> None:
    assert share_right(dense(3, delay), direction) == 1.0
