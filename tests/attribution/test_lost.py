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


def posts(seed: int) -> Posts:
    chance = random.Random(seed)
    made = Posts(Tape(chance, 3.0), [])
    for thread in range(1, 4):
        flow, time = made.tape.flow(), chance.uniform(0, 100)
        for _ in range(60):
            number = len(made.keys)
            code = f"Sdk{number}"
            time += chance.expovariate(1 / 30) + 1
            units = []
            for part, kind in (("headers", UnitKind.HEADERS), ("body", UnitKind.BODY)):
                units.append(made.tape.unit(flow, CLIENT, time, kind))
                made.tape.call(flow, "write", time, [*CLIENT_FRAMES[part], code], thread)
                time += 0.3
            made.keys.append(made.tape.message(flow, CLIENT, time, units, number))
            time += chance.expovariate(1 / 10) + 1
            answer = made.tape.unit(flow, SERVER, time, UnitKind.HEADERS)
            made.tape.call(flow, "read", time, ["java.net.Socket", "okhttp3.read", code], thread)
            made.tape.message(flow, SERVER, time, [answer], number)
    return made


def without(made: Posts, share: float, seed: int) -> tuple[list[tuple[str, str]], list[str], dict[str, Attribution]]:
    """Lose a share of the calls. Returns what is left of them (code and first frame but one); the codes of requests
    whose headers were written by a call that is lost, and their body by one that is not; and the answers by code."""
    chance = random.Random(seed)
    codes = [(call[1]["data"]["stack"][2]["class"], call[1]["data"]["stack"][1]["class"]) for call in made.tape.calls]
    kept = [place for place in range(len(codes)) if chance.random() >= share]
    order, result = replace(made.tape, calls=[made.tape.calls[place] for place in kept]).attributed()
    logged = [codes[kept[place]] for place in order]
    left = set(logged)
    halves = [
        f"Sdk{number}"
        for number in range(len(made.keys))
        if (f"Sdk{number}", CLIENT_FRAMES["headers"][1]) not in left and (f"Sdk{number}", "okhttp3.body") in left
    ]
    return logged, halves, {f"Sdk{number}": result.messages[key] for number, key in enumerate(made.keys)}


def test_where_many_calls_are_lost_a_request_has_the_code_that_wrote_its_body() -> None:
    logged, halves, answers = without(posts(1), 0.3, 2)
    given = {code: logged[row][0] for code in halves if (row := answers[code].operation) is not None}
    assert len(halves) >= 25
    assert len(given) >= 0.8 * len(halves)
    assert sum(code != name for code, name in given.items()) <= 1


def test_where_few_are_lost_it_is_named_and_not_given() -> None:
    logged, halves, answers = without(posts(3), 0.04, 4)
    assert len(halves) >= 4
    for code in halves:
        assert answers[code].operation is None
        assert answers[code].confidence < 0.5
    candidates = {code: answers[code].alternatives for code in halves}
    named = [code for code, others in candidates.items() if others and logged[others[0].operation][0] == code]
    assert len(named) >= len(halves) - 1


def test_a_request_without_a_body_inherits_nothing() -> None:
    made = posts(5)
    alone = made.keys[::2]
    for flow in made.tape.flows:
        for place, message in enumerate(flow.messages):
            if (flow.id, place) in alone:
                message.units = message.units[:1]
    logged, halves, answers = without(made, 0.3, 6)
    plain = [code for code in halves if made.keys[int(code[3:])] in alone]
    assert len(plain) >= 10
    wrong = [code for code in plain if (row := answers[code].operation) is not None and logged[row][0] != code]
    assert len(wrong) <= 1
