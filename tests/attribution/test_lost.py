"""Requests whose own call was not logged: what the other calls of the same request still tell."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from pcapng_utils.attribution.views import Attribution
from pcapng_utils.layers import CLIENT, SERVER, UnitKind
from tests.attribution.making import Tape

CLIENT_FRAMES = {"headers": ["java.net.Socket", "okhttp3.Http1.headers"], "body": ["java.net.Socket", "okhttp3.body"]}


@dataclass
class Posts:
    """Requests with a body, headers and body written by a call each; some threads, a connection each."""

    tape: Tape
    keys: list[tuple[str, int]]
    """The requests' messages, in the order of their numbers; the code of each is `Sdk` and its number."""


def posts(seed: int, delay: float = 3.0, pause: float = 30.0) -> Posts:
    """`delay` and `pause`, between two requests: means, in ms."""
    chance = random.Random(seed)
    made = Posts(Tape(chance, delay), [])
    for thread in range(1, 4):
        flow, time = made.tape.flow(), chance.uniform(0, 100)
        for _ in range(60):
            number = len(made.keys)
            code = f"Sdk{number}"
            time += chance.expovariate(1 / pause) + 1
            units = []
            for part, kind in (("headers", UnitKind.HEADERS), ("body", UnitKind.BODY)):
                units.append(made.tape.unit(flow, CLIENT, time, kind))
                made.tape.call(flow, "write", time, [*CLIENT_FRAMES[part], code], thread)
                time += 0.3
            made.keys.append(made.tape.message(flow, CLIENT, time, units, number))
            time += chance.expovariate(3 / pause) + 1
            answer = made.tape.unit(flow, SERVER, time, UnitKind.HEADERS)
            made.tape.call(flow, "read", time, ["java.net.Socket", "okhttp3.read", code], thread)
            made.tape.message(flow, SERVER, time, [answer], number)
    return made


@dataclass
class Rest:
    """What is left of a log, and what comes of it."""

    logged: list[tuple[str, str]]
    """Of each record: its code, and the frame below it."""
    halves: list[str]
    """Codes of requests whose headers were written by a call that is lost, and their body by one that is not."""
    requests: dict[str, Attribution]
    answers: dict[str, Attribution]

    def code(self, answer: Attribution) -> str | None:
        return None if answer.operation is None else self.logged[answer.operation][0]


def without(made: Posts, share: float, seed: int) -> Rest:
    """Lose a share of the calls."""
    chance = random.Random(seed)
    codes = [(call[1]["data"]["stack"][2]["class"], call[1]["data"]["stack"][1]["class"]) for call in made.tape.calls]
    kept = [place for place in range(len(codes)) if chance.random() >= share]
    order, result = replace(made.tape, calls=[made.tape.calls[place] for place in kept]).attributed()
    logged = [codes[kept[place]] for place in order]
    left = set(logged)
    rest = Rest(logged, [], {}, {})
    for number, (flow, place) in enumerate(made.keys):
        code = f"Sdk{number}"
        rest.requests[code], rest.answers[code] = result.messages[flow, place], result.messages[flow, place + 1]
        if (code, CLIENT_FRAMES["headers"][1]) not in left and (code, CLIENT_FRAMES["body"][1]) in left:
            rest.halves.append(code)
    return rest


def test_where_many_calls_are_lost_a_request_has_the_code_that_wrote_its_body() -> None:
    rest = without(posts(1), 0.3, 2)
    given = {code: found for code in rest.halves if (found := rest.code(rest.requests[code])) is not None}
    assert len(rest.halves) >= 25
    assert len(given) >= 0.8 * len(rest.halves)
    assert sum(code != found for code, found in given.items()) <= 1


def test_where_few_are_lost_it_is_named_and_not_given() -> None:
    rest = without(posts(3), 0.04, 4)
    assert len(rest.halves) >= 4
    named = 0
    for code in rest.halves:
        request = rest.requests[code]
        assert request.operation is None
        assert request.confidence < 0.5
        assert all(rest.logged[other.operation][0] != code for other in request.alternatives)
        named += request.inferred is not None and rest.logged[request.inferred.operation][0] == code
    assert named >= len(rest.halves) - 1


def test_a_request_without_a_body_inherits_nothing() -> None:
    made = posts(5)
    alone = made.keys[::2]
    for flow in made.tape.flows:
        for place, message in enumerate(flow.messages):
            if (flow.id, place) in alone:
                message.units = message.units[:1]
    rest = without(made, 0.3, 6)
    plain = [code for code in rest.halves if made.keys[int(code[3:])] in alone]
    assert len(plain) >= 10
    assert sum(rest.code(rest.requests[code]) not in (None, code) for code in plain) <= 1


def test_the_answer_is_read_by_who_wrote_the_body() -> None:
    seen = right = 0
    for seed in range(1, 5):
        rest = without(posts(seed, delay=10, pause=8), 0.3, seed + 50)
        read = {code for code, frame in rest.logged if frame == "okhttp3.read"}
        halves = [code for code in rest.halves if code in read]
        seen += len(halves)
        right += sum(rest.code(rest.answers[code]) == code for code in halves)
    assert seen >= 80
    assert right >= 0.7 * seen
