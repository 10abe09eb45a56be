"""The figures as text: docs/attribution-bench.md."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from benchmarks.attribution.captured import JUDGED, Group
from benchmarks.attribution.scenarios import Scenario
from benchmarks.attribution.tally import Tally
from benchmarks.attribution.trial import Trial

Results = Mapping[str, Sequence[tuple[Scenario, Trial]]]
"""Trials, by the name of their load."""

CLIENTS: Final = ("threads", "asyncio")
"""By what is right: with threads, any call of the code that sent the request; of one thread, the very call."""
_ENOUGH: Final = 100
_CALIBRATED: Final = 0.05


def judged(tallies: Iterable[Mapping[Group, Tally]]) -> Tally:
    return Tally.of(by_group[group] for by_group in tallies for group in JUDGED if group in by_group)


def of_group(group: Group, tallies: Iterable[Mapping[Group, Tally]]) -> Tally:
    return Tally.of(by_group[group] for by_group in tallies if group in by_group)


def _trials(results: Results, scenario: Scenario, client: str = "") -> list[Trial]:
    return [
        trial
        for load, trials in results.items()
        if load.startswith(client)
        for one, trial in trials
        if one.name == scenario.name
    ]


def scenario_table(results: Results, scenarios: Sequence[Scenario]) -> Iterator[str]:
    yield "| scenario | messages | nearest: right | wrong | none | alignment: right | wrong | none |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for scenario in scenarios:
        trials = _trials(results, scenario)
        near = judged(trial.nearest for trial in trials)
        ours = judged(trial.alignment for trial in trials)
        yield f"| {scenario.name} | {ours.present:,} | {_shares(near)} | {_shares(ours)} |"


def client_table(results: Results, scenarios: Sequence[Scenario]) -> Iterator[str]:
    """Alignment: right, by what the stacks can tell and by kind of message."""
    columns = list(itertools.product(CLIENTS, sorted(JUDGED, reverse=True)))
    yield "| scenario | " + " | ".join(f"{client}: {group}s" for client, group in columns) + " |"
    yield "| --- |" + " ---: |" * len(columns)
    for scenario in scenarios:
        tallies = [
            of_group(group, (trial.alignment for trial in _trials(results, scenario, client)))
            for client, group in columns
        ]
        yield f"| {scenario.name} | " + " | ".join(_percent(tally.share(tally.right)) for tally in tallies) + " |"


def _shares(tally: Tally) -> str:
    return " | ".join(_percent(tally.share(count)) for count in (tally.right, tally.wrong, tally.none))


def doubt_table(results: Results, scenarios: Sequence[Scenario], client: str) -> Iterator[str]:
    yield "| scenario | answers ≥ 0.9 | of them wrong | requests not logged | without a stack | same code | wrong |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for scenario in scenarios:
        trials = _trials(results, scenario, client)
        ours = judged(trial.alignment for trial in trials)
        asked = of_group("request", (trial.alignment for trial in trials))
        silent = [asked.missing_none, asked.missing_right, asked.missing_wrong]
        shares = " | ".join(_percent(count / asked.missing) if asked.missing else "" for count in silent)
        yield f"| {scenario.name} | {ours.sure:,} | {_percent(ours.surely_wrong)} | {asked.missing:,} | {shares} |"


def observer_table(results: Results, scenarios: Sequence[Scenario]) -> Iterator[str]:
    """Requests of the clients with one thread: alignment against all that could be known."""
    yield "| scenario | right | could be | not logged, without a stack | could be | answers ≥ 0.9, wrong | could be |"
    yield "| --- |" + " ---: |" * 6
    for scenario in scenarios:
        trials = [trial for trial in _trials(results, scenario) if trial.observer is not None]
        if trials:
            ours = of_group("request", (trial.alignment for trial in trials))
            best = Tally.of(trial.observer for trial in trials if trial.observer is not None)
            shares = [(one.share(one.right), one.silent, one.surely_wrong) for one in (ours, best)]
            cells = [share for pair in zip(*shares, strict=True) for share in pair]
            yield f"| {scenario.name} | " + " | ".join(map(_percent, cells)) + " |"


def load_table(results: Results, scenarios: Sequence[Scenario]) -> Iterator[str]:
    loads = list(results)
    yield "| scenario | " + " | ".join(loads) + " |"
    yield "| --- |" + " ---: |" * len(loads)
    for scenario in scenarios:
        cells = []
        for load in loads:
            trials = [trial for one, trial in results[load] if one.name == scenario.name]
            tally = judged(trial.alignment for trial in trials)
            cells.append(_percent(tally.share(tally.right)))
        yield f"| {scenario.name} | " + " | ".join(cells) + " |"


def group_table(results: Results, scenarios: Sequence[Scenario]) -> Iterator[str]:
    groups: list[Group] = ["request", "HTTP/1.1 response", "HTTP/2 response", "WebSocket message"]
    yield "| scenario | " + " | ".join(f"{group}s" for group in groups) + " |"
    yield "| --- |" + " ---: |" * len(groups)
    for scenario in scenarios:
        cells = []
        for group in groups:
            trials = _trials(results, scenario)
            tally = of_group(group, (trial.alignment for trial in trials))
            cells.append(_percent(tally.share(tally.right)))
        yield f"| {scenario.name} | " + " | ".join(cells) + " |"


def ordered(results: Results, client: str) -> Tally:
    """All that is judged of a client, of the scenarios in which a socket's calls keep their order."""
    return judged(
        trial.alignment
        for load, trials in results.items()
        for scenario, trial in trials
        if load.startswith(client) and not scenario.distortion.reorder
    )


def calibration_table(tally: Tally) -> Iterator[str]:
    yield "| confidence | answers | mean confidence | right |"
    yield "| --- | ---: | ---: | ---: |"
    for number, (count, right, confidence) in enumerate(tally.tenths):
        if count:
            mean, share = confidence / count, right / count
            yield f"| {number / 10:.1f} to {(number + 1) / 10:.1f} | {count:,.0f} | {mean:.3f} | {share:.3f} |"


def verdicts(results: Results, scenarios: Sequence[Scenario]) -> Iterator[tuple[bool, str]]:
    """Each demand: whether it is met, and a sentence with what was found."""
    for client, scenario in itertools.product(CLIENTS, scenarios):
        if trials := _trials(results, scenario, client):
            for good, text in _verdicts(scenario, [trial.alignment for trial in trials]):
                yield good, f"{client}, {scenario.name}{text}"
    for client in CLIENTS:
        for number, (count, right, confidence) in enumerate(ordered(results, client).tenths):
            if count >= _ENOUGH:
                off = right / count - confidence / count
                yield (
                    abs(off) <= _CALIBRATED,
                    f"{client}, confidence from {number / 10:.1f}: right {off:+.3f} of the mean confidence, "
                    f"within {_CALIBRATED} demanded",
                )


def _verdicts(scenario: Scenario, aligned: Sequence[Mapping[Group, Tally]]) -> Iterator[tuple[bool, str]]:
    """The demands of one client in one scenario."""
    for group in sorted(JUDGED, reverse=True) if scenario.right is not None else ():
        one = of_group(group, aligned)
        if one.present and scenario.right is not None:
            share = one.share(one.right)
            yield (
                share >= scenario.right,
                f", {group}s: {_percent(share)} right, {_percent(scenario.right)} demanded",
            )
    asked = of_group("request", aligned)
    if scenario.silent is not None and asked.missing:
        yield (
            asked.silent >= scenario.silent,
            f": {_percent(asked.silent)} of the requests whose call is missing have no stack, "
            f"{_percent(scenario.silent)} demanded",
        )
    if scenario.wrong is not None:
        wrong = judged(aligned).surely_wrong
        yield (
            wrong <= scenario.wrong,
            f": {_percent(wrong)} of the answers given with 0.9 or more are wrong, "
            f"at most {_percent(scenario.wrong)} demanded",
        )


def clock_lines(results: Results) -> Iterator[str]:
    """Trials whose clock was not found to within 50 ms."""
    for load, trials in results.items():
        for scenario, trial in trials:
            error = trial.clock.offset - scenario.distortion.offset
            if abs(error) > 0.05 and not scenario.distortion.steps:
                yield f"{load}, {scenario.name}: clock found {error:+.3f} s from the truth"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
