"""What happens to a recording on its way into a trace file, and what is demanded of the answers then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lab.experiment import Distortion


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    distortion: Distortion
    right: float | None = None
    """Demanded share of right answers, of the messages whose own call is in the trace; None: none is demanded."""
    wrong: float | None = 0.01
    """Share of wrong answers that is borne, of those given with a confidence of 0.9 or more."""
    silent: float | None = None
    """Demanded share of requests without a stack, of those whose own call is not in the trace."""


_HALF_DAY: Final = 43_200.0

SCENARIOS: Final = (
    Scenario("exact clock", Distortion(), right=0.995),
    Scenario("50 ms ahead", Distortion(offset=0.05), right=0.995),
    Scenario("300 ms behind", Distortion(offset=-0.3), right=0.995),
    Scenario("12 h ahead, 200 ppm fast", Distortion(offset=_HALF_DAY, drift=200), right=0.995),
    Scenario("12 h behind, 200 ppm slow", Distortion(offset=-_HALF_DAY, drift=-200), right=0.995),
    Scenario("5 ms delay (log-normal)", Distortion(offset=0.18, delay=0.005, tail="lognormal"), right=0.99),
    Scenario("10 ms delay (Pareto)", Distortion(offset=-0.9, drift=20, delay=0.01, tail="pareto"), right=0.99),
    Scenario("20 ms delay (exponential)", Distortion(offset=7.0, delay=0.02), right=0.99),
    Scenario("20 ms delay (log-normal)", Distortion(offset=-2.9, delay=0.02, tail="lognormal"), right=0.99),
    Scenario("20 ms delay (Pareto), 12 h behind", Distortion(offset=-_HALF_DAY, delay=0.02, tail="pareto"), right=0.99),
    Scenario("5 % lost, no delay", Distortion(offset=0.5, loss=0.05), right=0.985, silent=0.9),
    Scenario(
        "5 % lost, 10 ms delay (exponential)", Distortion(offset=60.0, delay=0.01, loss=0.05), right=0.985, silent=0.9
    ),
    Scenario(
        "5 % lost, 10 ms delay (Pareto)",
        Distortion(offset=-0.4, drift=-100, delay=0.01, tail="pareto", loss=0.05),
        right=0.985,
        silent=0.9,
    ),
    Scenario(
        "30 % lost, 10 ms delay (log-normal)",
        Distortion(offset=1.0, delay=0.01, tail="lognormal", loss=0.3),
        right=0.95,
        wrong=0.025,
    ),
    Scenario("clock set twice", Distortion(offset=0.2, delay=0.002, steps=((1.0, 1.5), (2.5, -40.0)))),
    Scenario("10 % failed calls (EAGAIN)", Distortion(offset=0.18, delay=0.005, failed=0.1)),
    Scenario("half of the reads entered early", Distortion(offset=0.18, delay=0.005, early_reads=0.5)),
    Scenario(
        "all reads entered early, no handshakes",
        Distortion(offset=0.18, delay=0.01, early_reads=1.0, silent_library=True),
        right=0.99,
    ),
    Scenario("all calls logged twice", Distortion(offset=0.18, delay=0.005, twice=1.0)),
    Scenario("file out of order by 3 ms", Distortion(offset=0.18, delay=0.005, jumble=0.003)),
    Scenario("1 % of the packets not captured", Distortion(offset=0.18, delay=0.005, capture_loss=0.01)),
    Scenario(
        "all of that, 5 % lost, 10 ms delay",
        Distortion(
            offset=-3600.0,
            drift=50,
            delay=0.01,
            tail="lognormal",
            loss=0.05,
            failed=0.05,
            early_reads=0.3,
            twice=0.3,
            jumble=0.003,
            capture_loss=0.002,
        ),
    ),
    Scenario("calls overtake one another, 10 ms delay", Distortion(offset=0.18, delay=0.01, reorder=True), wrong=None),
)
