"""The stand-in for the wrapper of tshark."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from pcapng_utils.tshark import Tshark


def test_what_is_obeyed_and_what_is_the_default_needs_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = Tshark("/usr/bin/tshark", hash_algo="sha256", hosts_file=Path("hosts"), timeout=60.0)
    assert (made.hash_algo, made.hosts_file) == ("sha256", Path("hosts"))


@pytest.mark.parametrize(
    "options",
    [
        {"tshark_cmd": "tshark4"},
        {"name_resolution": False},
        {"display_filter": "http2"},
        {"protocol_match_filter": "http"},
        {"tcp_reassemble_out_of_order": False},
        {"timeout": 5.0},
    ],
)
def test_what_tuned_tshark_is_warned_about(options: dict[str, Any]) -> None:
    with pytest.warns(UserWarning, match=next(iter(options))) as caught:
        Tshark(**options)
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_a_warning_tells_all_at_once() -> None:
    with pytest.warns(UserWarning, match="display_filter, timeout") as caught:
        Tshark(display_filter="x", timeout=1.0)
    assert len(caught) == 1


def test_its_settings_are_named_but_for_the_command() -> None:
    with pytest.raises(TypeError):
        Tshark("tshark", "sha1")  # type: ignore[call-arg]
