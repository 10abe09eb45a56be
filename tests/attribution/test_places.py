"""An app that asks from a few places in its code, again and again, to the beat of a clock."""

from __future__ import annotations

import random

from pcapng_utils.attribution.views import Result
from pcapng_utils.layers import CLIENT, SERVER, UnitKind
from tests.attribution.making import Tape

FLOWS, EXCHANGES, PLACES = 40, 25, 20
BEAT = 60.48
"""From one request of a flow to the next, in ms."""


def polling(classes: list[str]) -> tuple[Tape, Result, list[str | None]]:
    """Flows one after another, two for each of the places, whose stacks end in `classes`; of each answer two reads look
    alike. Returns what was logged, what comes of it, and the class whose stack each answer is given."""
    tape = Tape(random.Random(1), 0.3)
    answers, given = [], list[str | None]()
    for number in range(FLOWS):
        flow = tape.flow()
        place = classes[number % PLACES]
        for exchange in range(EXCHANGES):
            time = (number * EXCHANGES + exchange) * BEAT + 0.5
            unit = tape.unit(flow, CLIENT, time, UnitKind.HEADERS)
            tape.call(flow, "write", time, ["java.net.Socket", "okhttp3.write", place], number)
            tape.message(flow, CLIENT, time, [unit], exchange)
            units = []
            for part in (1.2, 1.4):
                units.append(tape.unit(flow, SERVER, time + part, UnitKind.HEADERS))
                tape.call(flow, "read", time + part, ["java.net.Socket", "okhttp3.read", place], number)
            answers.append(tape.message(flow, SERVER, time + 1.2, units[:1], exchange))
    order, result = tape.attributed()
    for key in answers:
        operation = result.messages[key].operation
        given.append(None if operation is None else tape.calls[order[operation]][1]["data"]["stack"][-1]["class"])
    return tape, result, given


def test_of_which_code_is_known_where_it_is_not_which_of_two_like_calls_read_an_answer() -> None:
    _, _, given = polling([f"app.Screen{place}" for place in range(PLACES)])
    assert given == [f"app.Screen{number % PLACES}" for number in range(FLOWS) for _ in range(EXCHANGES)]


def test_the_call_itself_is_asked_for_where_stacks_do_not_lead_to_the_app() -> None:
    _, result, _ = polling([f"okio.Reader{place}" for place in range(PLACES)])
    sure = sum(answer.confidence > 0.9 for (_, index), answer in result.messages.items() if index % 2)
    assert sure < FLOWS * EXCHANGES / 10


def test_a_beat_that_all_flows_keep_does_not_move_the_clock() -> None:
    _, result, _ = polling(["app.Screen"] * PLACES)
    assert abs(result.clock.offset) < 0.002
