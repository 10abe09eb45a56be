"""Apps that send to a beat, or that ran before the capture began: clocks off by a whole period seem as good."""

from __future__ import annotations

import random

import pytest

from pcapng_utils.attribution.views import Result
from pcapng_utils.layers import CLIENT, SERVER, UnitKind
from pcapng_utils.pipeline.joining import JoinedTrace
from pcapng_utils.pipeline.options import Options
from pcapng_utils.pipeline.traced import TracedFlows
from tests.attribution.making import Tape, log_of

FLOWS, PERIOD = 4, 1000.0


class Beacons:
    """Some connections, on each of them a request a second; the code of each is another."""

    def __init__(self, seed: int, jitter: float, *, handshakes: bool = True, delay: float = 1.0) -> None:
        self.chance = random.Random(seed)
        self.tape = Tape(self.chance, delay)
        self.keys: dict[tuple[str, int], str] = {}
        for number in range(FLOWS):
            flow = self.tape.flow()
            begin = 100 + 170.0 * number
            if handshakes:
                for time, kind in ((begin, UnitKind.CLIENT_HELLO), (begin + 5, UnitKind.FINISHED)):
                    self.tape.unit(flow, CLIENT, time, kind)
                    self.tape.call(flow, "write", time, ["java.net.Socket", "tls.handshake", "App"], number)
            for beat in range(60):
                time = begin + (beat + 1) * PERIOD + self.chance.uniform(0, jitter)
                self.exchange(number, time, f"App{number}.{beat}", beat)

    def exchange(self, number: int, time: float, code: str, beat: int) -> None:
        flow = self.tape.flows[number]
        for direction, event, at in ((CLIENT, "write", time), (SERVER, "read", time + 30)):
            unit = self.tape.unit(flow, direction, at, UnitKind.HEADERS)
            self.keys[self.tape.message(flow, direction, at, [unit], beat)] = code
            self.tape.call(flow, event, at, ["java.net.Socket", f"okhttp3.{event}", code], number)

    def before(self, beats: int) -> None:
        """The app ran, and the trace was taken, before the capture began."""
        earlier = Tape(self.chance, 1.0, self.tape.flows)
        for number, flow in enumerate(earlier.flows):
            for beat in range(beats, 0, -1):
                time = 100 + 170.0 * number - (beat - 1) * PERIOD
                earlier.call(flow, "write", time, ["java.net.Socket", "okhttp3.write", f"Old{number}.{beat}"], number)
        self.tape.calls[:0] = earlier.calls

    def attributed(self, begin: float = float("-inf"), end: float = float("inf")) -> tuple[Result, int, int]:
        """What comes of the calls logged in a part of the time, and how many messages have the right code, and a wrong
        one."""
        self.tape.calls = [call for call in self.tape.calls if begin <= call[0] <= end]
        order, result = self.tape.attributed()
        right = wrong = 0
        for key, code in self.keys.items():
            operation = result.messages[key].operation
            if operation is not None:
                given = self.tape.calls[order[operation]][1]["data"]["stack"][2]["class"]
                right, wrong = right + (given == code), wrong + (given != code)
        return result, right, wrong


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("jitter", [0.0, 3.0, 10.0])
def test_a_beat_is_not_taken_for_another(seed: int, jitter: float) -> None:
    result, right, wrong = Beacons(seed, jitter).attributed()
    assert (right, wrong) == (2 * FLOWS * 60, 0)
    assert abs(result.clock.offset) < 0.003


@pytest.mark.parametrize("begin", [20_000, 45_000])
def test_a_trace_that_begins_late_keeps_the_clock(begin: float) -> None:
    result, right, wrong = Beacons(1, 40.0).attributed(begin, begin + 15_000)
    assert abs(result.clock.offset) < 0.003
    assert wrong == 0
    assert right > 2 * FLOWS * 13


@pytest.mark.parametrize("seed", range(4))
def test_calls_from_before_the_capture_do_not_make_a_clock_that_was_set(seed: int) -> None:
    beacons = Beacons(seed, 30.0, handshakes=False)
    beacons.before(60)
    result, right, wrong = beacons.attributed()
    assert result.clock.steps == 0
    assert (right, wrong) == (2 * FLOWS * 60, 0)


def test_nothing_is_given_where_clocks_cannot_be_told_apart() -> None:
    result, right, wrong = Beacons(1, 0.0, delay=0.01).attributed(20_000)
    assert result.clock.sureness < 0.5
    assert (right, wrong) == (0, 0)
    assert all(answer.confidence < 0.5 for answer in result.messages.values())


def test_it_is_said_where_clocks_cannot_be_told_apart() -> None:
    tape = Beacons(1, 0.0, delay=0.01).tape
    records = [call[1] for call in sorted(tape.calls, key=lambda call: call[0]) if call[0] > 20_000]
    traced = TracedFlows()
    traced.flows = tape.flows
    traced.keys = {flow.id: [(index, "request") for index in range(len(flow.messages))] for flow in tape.flows}
    (problem,) = JoinedTrace(log_of(records), traced, Options()).problems
    assert problem.kind == "clock-ambiguous"
    assert "phone minus router" in problem.detail
