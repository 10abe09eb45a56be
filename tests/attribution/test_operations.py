"""Reading a socket trace: whatever the file is like, its calls are found, and what cannot be understood is counted."""

from __future__ import annotations

import io
import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.attribution.json_array import ArrayReader
from pcapng_utils.attribution.operations import NEITHER, NO_STACK, FlowKey, OperationLog, direction_of
from pcapng_utils.layers import CLIENT, SERVER
from tests.attribution.making import LOCAL, REMOTE, encoded, log_of, record


@pytest.mark.parametrize(
    ("event", "direction"),
    [
        *((name, CLIENT) for name in ("write", "writev", "send", "sendto", "sendmsg", "sendmmsg", "sendfile")),
        *((name, SERVER) for name in ("read", "readv", "recv", "recvfrom", "recvmsg", "recvmmsg")),
        ("connect", NEITHER),
        ("close", NEITHER),
    ],
)
def test_every_call_that_moves_bytes_has_a_direction(event: str, direction: int) -> None:
    assert direction_of(event) == direction


def test_addresses_are_compared_in_their_plain_form() -> None:
    log = log_of([record(0)])
    assert log.flows == [FlowKey("tcp", LOCAL, REMOTE)]


def test_equal_stacks_are_kept_once() -> None:
    log = log_of([record(time, stack=("a", "b")) for time in range(5)] + [record(9, stack=None)])
    assert list(log.stack_ids) == [0] * 5 + [NO_STACK]
    assert len(log.stacks) == 1


def test_a_record_is_found_again_in_the_file() -> None:
    records = [record(time, stack=(f"C{time}", 'q"uote\\')) for time in range(20)]
    log = log_of(records)
    assert [log.record(index) for index in range(20)] == records


def test_a_call_logged_under_two_names_is_one() -> None:
    log = log_of([record(5, "send"), record(5, "sendto"), record(6, "sendto")])
    assert list(log.directions) == [CLIENT, NEITHER, CLIENT]
    assert log.repeated == 1


def test_two_calls_of_one_name_in_one_millisecond_are_two() -> None:
    assert list(log_of([record(5), record(5)]).directions) == [CLIENT, CLIENT]


def test_calls_out_of_order_are_given_in_the_order_of_their_times() -> None:
    log = log_of([record(9), record(3), record(6), record(3)])
    assert log.by_flow()[FlowKey("tcp", LOCAL, REMOTE)][CLIENT] == [1, 3, 2, 0]


@pytest.mark.parametrize("indent", [None, 1])
@given(share=st.floats(0.01, 0.999))
def test_a_file_cut_short_is_read_as_far_as_it_goes(indent: int | None, share: float) -> None:
    records = [record(time) for time in range(8)]
    text = json.dumps(records, indent=indent).encode()
    cut = text[: max(int(share * len(text)), 1)]
    whole = sum(1 for size in range(1, 9) if len(json.dumps(records[:size], indent=indent).rstrip("\n ]")) <= len(cut))
    log = OperationLog.read(io.BytesIO(cut))
    assert len(log) == whole
    assert log.truncated


def test_damaged_records_cost_only_themselves() -> None:
    good = [json.dumps(record(time)) for time in range(3)]
    bad = ['{"type": "socket_trace_log", "timestamp": "soon", "data": {}}', '{"type": "socket_trace_log"}']
    log = OperationLog.read(io.BytesIO(f"[{good[0]},{bad[0]},{good[1]},{bad[1]},{good[2]}]".encode()))
    assert log.malformed == 2
    assert [index for index, direction in enumerate(log.directions) if direction == CLIENT] == [0, 2, 4]


def test_keys_in_another_order_are_read_alike() -> None:
    records = [record(time) for time in range(4)]
    turned = [dict(reversed(item.items())) if index % 2 else item for index, item in enumerate(records)]
    assert list(log_of(turned).times) == list(log_of(records).times)


@pytest.mark.parametrize("text", [b"nothing", b'{"a": 1}', b"[1, 2]", b'[{"a": 1}, {"b": 2}]'])
def test_what_is_no_trace_is_an_error_that_names_the_file(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "socket_trace.json"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=r"socket_trace\.json: not a socket trace"):
        OperationLog.open(path)


@pytest.mark.parametrize("text", [b"", b"  ", b"[]", b"\xef\xbb\xbf[]\n"])
def test_an_empty_trace_has_no_calls(text: bytes) -> None:
    assert len(OperationLog.read(io.BytesIO(text))) == 0


@given(cuts=st.lists(st.integers(0, 3000), max_size=6))
def test_how_the_bytes_come_in_makes_no_difference(cuts: list[int]) -> None:
    text = encoded([record(time, stack=("}, {", '"type":')) for time in range(9)])
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    reader = ArrayReader()
    pieces = [
        piece
        for first, end in itertools.pairwise(bounds)
        for block in reader.feed(text[first:end])
        for piece in block.pieces()
    ]
    pieces += [piece for block in reader.finish() for piece in block.pieces()]
    assert [json.loads(piece) for _, piece in pieces] == json.loads(text)
    assert all(text[offset : offset + len(piece)] == piece for offset, piece in pieces)


def test_sockets_without_both_ends_are_counted() -> None:
    odd = record(1)
    odd["data"]["dest_ip"] = None
    log = log_of([record(0), odd, record(2, socket_type="unix")])
    assert log.without_flow == 2
    assert list(log.directions) == [CLIENT, NEITHER, NEITHER]
