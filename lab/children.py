"""Processes of the lab, which end with it, however it ends."""

from __future__ import annotations

from collections.abc import Sequence


def bound(command: Sequence[str]) -> list[str]:
    """`command`, killed by the kernel when the thread that started it is no more (prctl's PR_SET_PDEATHSIG)."""
    return ["setpriv", "--pdeathsig", "KILL", "--", *command]
