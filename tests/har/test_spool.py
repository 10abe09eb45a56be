"""Finished entries wait on disk, and come out in the order of their beginnings."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from pcapng_utils.har.spool import Spool, StoredConnection, encode_fields
from pcapng_utils.net.flow import Endpoint
from tests.har.making import MS, START, at, builder, exchange, flow, request, response


def append(spool: Spool, connection: str, begin: float, small_body: int = 1 << 18) -> int:
    made = exchange(request(b"/%d" % begin, stamp=at(begin)), response(body=b"body" * 20, stamp=at(begin + 1)))
    on = flow(connection, syn=START - 2 * MS, established=START - MS)
    return spool.append(builder(spool, small_body).build(made, on, None)[0])


def urls(spool: Spool) -> list[tuple[int, bool, str]]:
    return [
        (ordinal, first, msgspec.json.decode(stored.request)["url"].rpartition("/")[2])
        for ordinal, first, stored in spool.entries()
    ]


def test_entries_come_out_by_their_start_time() -> None:
    spool = Spool()
    assert [append(spool, "1", begin) for begin in (30, 10, 20)] == [0, 1, 2]
    assert len(spool) == 3
    assert urls(spool) == [(1, True, "10"), (2, False, "20"), (0, False, "30")]
    spool.close()


def test_the_first_of_a_connection_starts_with_its_handshake() -> None:
    spool = Spool()
    append(spool, "1", 5)
    append(spool, "2", 6)
    append(spool, "1", 7)
    assert urls(spool) == [(0, True, "5"), (1, True, "6"), (2, False, "7")]
    spool.close()


def test_entries_that_start_together_come_out_by_connection_and_completion() -> None:
    spool = Spool()
    for connection in ("12", "3", "12", "3"):
        append(spool, connection, 4)
    assert [(ordinal, first) for ordinal, first, _ in spool.entries()] == [(1, True), (0, True), (3, False), (2, False)]
    spool.close()


def test_exchanges_are_counted_by_connection() -> None:
    spool = Spool()
    for connection in ("1", "2", "1"):
        append(spool, connection, 1)
    assert spool.exchange_counts() == {1: 2, 2: 1}
    spool.close()


def test_connections_come_out_by_their_first_frame() -> None:
    spool = Spool()
    ends = Endpoint("192.0.2.1", 1), Endpoint("192.0.2.2", 2)
    for frame in (9, 2, 5):
        fields = encode_fields({"frame": frame})
        spool.append_connection(frame, StoredConnection(str(frame), *ends, START, "1:x", "tcp", None, fields))
    assert [msgspec.json.decode(stored.fields)["frame"] for stored in spool.connections()] == [2, 5, 9]
    spool.close()


def test_blobs_are_read_back_between_other_records() -> None:
    spool = Spool()
    blobs = []
    for i in range(5):
        blobs.append(spool.write_blob(b"%d" % i * 1000 for _ in range(3)))
        append(spool, "1", i, small_body=0)
    for i in (3, 0, 4, 1, 2):
        assert b"".join(spool.blobs.read(blobs[i], piece_size=7)) == b"%d" % i * 3000
    spool.close()


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="files without names are Linux's")
def test_nothing_is_left_of_it_by_name(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    append(spool, "1", 1)
    body = spool.new_file()
    body.write(b"x")
    assert list(tmp_path.iterdir()) == []
    body.close()
    spool.close()
