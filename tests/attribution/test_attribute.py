"""Flows and calls in, answers out: what must hold whatever the app."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapng_utils.attribution.attribute import Settings, attribute
from pcapng_utils.attribution.views import FlowView, Result
from pcapng_utils.layers import UnitLog
from tests.attribution.making import EPOCH, LOCAL, REMOTE, Scene, log_of, record, requests

SCENE = requests()


def answers(scene: Scene, records: list[dict[str, Any]] | None = None, chosen: Settings | None = None) -> Result:
    return attribute(scene.flows, log_of(scene.records if records is None else records), chosen)


def share_right(scene: Scene, result: Result) -> float:
    right = [result.messages[key].operation == row for key, row in scene.truth.items()]
    return sum(right) / len(right)


@pytest.mark.parametrize("shift", [0.0, 50.0, -300.0, 4.32e7, -4.32e7])
@pytest.mark.parametrize("delay", [0.0, 5.0, 20.0])
def test_messages_get_their_calls_whatever_the_clock_and_the_delay(shift: float, delay: float) -> None:
    scene = requests(2, shift=shift, delay=delay, pause=60)
    result = answers(scene)
    assert share_right(scene, result) >= 0.97
    assert result.clock.source == "estimated"
    assert result.clock.offset == pytest.approx(shift / 1000, abs=0.02)


def told(result: Result) -> dict[tuple[str, int], int | None]:
    return {key: answer.operation for key, answer in result.messages.items()}


@settings(max_examples=12, deadline=None)
@given(shift=st.integers(-(10**8), 10**8))
def test_the_phones_clock_makes_no_difference(shift: int) -> None:
    moved = [{**item, "timestamp": item["timestamp"] + shift} for item in SCENE.records]
    assert told(answers(SCENE, moved)) == told(answers(SCENE))


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_files_order_makes_no_difference(seed: int) -> None:
    chance = random.Random(seed)
    order = sorted(
        range(len(SCENE.records)), key=lambda index: SCENE.records[index]["timestamp"] + chance.uniform(0, 4)
    )
    result = answers(SCENE, [SCENE.records[index] for index in order])
    right = sum(
        answer.operation is not None and order[answer.operation] == SCENE.truth[key]
        for key, answer in result.messages.items()
    )
    assert right >= 0.97 * len(SCENE.truth)


def test_what_was_lost_gets_no_stack_rather_than_a_wrong_one() -> None:
    chance = random.Random(4)
    kept = [index for index in range(len(SCENE.records)) if chance.random() > 0.1]
    result = answers(SCENE, [SCENE.records[index] for index in kept])
    wrong = 0
    for key, row in SCENE.truth.items():
        operation = result.messages[key].operation
        wrong += operation is not None and kept[operation] != row
    assert wrong <= 0.02 * len(SCENE.truth)


def test_what_experiment_json_says_is_refused_where_it_does_not_fit() -> None:
    result = answers(SCENE, chosen=Settings(experiment_shift=-2.9))
    assert result.clock.source == "estimated"
    assert share_right(SCENE, result) >= 0.97


def test_what_experiment_json_says_is_taken_where_the_data_are_silent() -> None:
    scene = requests(flows=1, exchanges=1, shift=-2900)
    result = answers(scene, chosen=Settings(experiment_shift=-2.9))
    assert result.clock.source == "experiment.json"
    assert share_right(scene, result) == 1.0


def test_a_given_shift_is_obeyed() -> None:
    result = answers(SCENE, chosen=Settings(time_shift=30.0, experiment_shift=0.0))
    assert (result.clock.source, result.clock.offset) == ("given", 30.0)
    assert result.attributed == 0


def test_without_calls_there_is_no_clock_and_no_answer() -> None:
    result = answers(SCENE, [record(0, remote=("198.51.100.9", 443))])
    assert result.clock.source == "none"
    assert result.none == len(SCENE.truth)
    assert {flow.origin for flow in result.flows.values()} == {"not-shown"}


def test_a_flow_without_messages_tells_which_code_opened_it() -> None:
    flow = FlowView("dark", "tcp", (LOCAL[0], 50_000), REMOTE, EPOCH * 10**6, EPOCH * 10**6, UnitLog())
    records = [*SCENE.records, record(3, port=50_000, stack=("Opener",)), record(9, port=50_000)]
    result = attribute([*SCENE.flows, flow], log_of(records))
    assert result.flows["dark"].origin == "app"
    assert result.flows["dark"].opened_by == len(SCENE.records)


def test_translated_addresses_are_joined_by_the_remote_end_and_less_surely() -> None:
    scene = requests(6, flows=1)
    surest = max(answer.confidence for answer in answers(scene).messages.values())
    scene.flows[0].local = ("10.0.0.1", 61_000)
    result = answers(scene)
    assert result.flows["flow 0"].translated
    assert share_right(scene, result) >= 0.95
    assert max(answer.confidence for answer in result.messages.values()) < surest


def test_ports_that_are_used_again_do_not_mix_their_calls() -> None:
    first, second = requests(8, flows=1), requests(9, flows=1)
    later = 60_000
    for flow in second.flows:
        flow.id = "later"
        flow.first += later * 10**6
        flow.last += later * 10**6
        units = flow.units
        assert units is not None
        for times in units.times:
            times[:] = type(times)("q", [time + later * 10**6 for time in times])
        for message in flow.messages:
            message.first += later * 10**6
            message.last += later * 10**6
    moved = [{**item, "timestamp": item["timestamp"] + later} for item in second.records]
    truth = first.truth | {("later", place): row + len(first.records) for (_, place), row in second.truth.items()}
    both = Scene([*first.flows, *second.flows], [*first.records, *moved], truth)
    assert share_right(both, answers(both)) >= 0.97


def test_messages_in_one_unit_share_its_call() -> None:
    scene = requests(1, flows=1)
    (flow,) = scene.flows
    flow.messages[2].units = flow.messages[0].units
    result = answers(scene)
    assert result.messages[flow.id, 0].shared == [flow.messages[2].entry]
    assert result.messages[flow.id, 2].shared == [flow.messages[0].entry]
    assert result.messages[flow.id, 0].operation == result.messages[flow.id, 2].operation
