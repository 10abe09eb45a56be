"""What a capture was silent about: connections that were not read, packets that are not in it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple, Self

Rows = Iterable[dict[str, Any]]


class Unread(NamedTuple):
    """What of a capture was not read, and so is not in what a command found."""

    connections: int
    """All of them."""
    states: Counter[str]
    """The same by `decrypted`: "yes", "partly", "no"."""
    lost: list[str]
    """What was wrong with the capture itself, a sentence each."""

    @classmethod
    def of(cls, connections: Rows, problems: Rows) -> Self:
        from pcapng_utils.har.problems import lost_packets

        states = Counter(str(row.get("decrypted")) for row in connections)
        return cls(states.total(), states, lost_packets(problems))

    def sentences(self) -> list[str]:
        """What is to be said beside a result that covers only what was read."""
        said = []
        if not self.connections:
            said.append("No connections are listed: how many were not read is not known.")
        elif number := self.states["no"] + self.states["partly"]:
            part = f" ({self.states['partly']:,} of them in part)" if self.states["partly"] else ""
            verb = "was" if number == 1 else "were"
            said.append(
                f"{number:,} of {self.connections:,} connections {verb} not read{part}, and may have carried anything: "
                "`pcapng-utils connections --undecrypted` says why."
            )
        return [*said, *self.lost]


def say(command: str, sentences: Iterable[str]) -> None:
    """Say on standard error what a result does not cover."""
    from pcapng_utils.cli.terminal import printable

    for sentence in sentences:
        print(f"pcapng-utils {command}: {printable(sentence)}", file=sys.stderr)  # noqa: T201
