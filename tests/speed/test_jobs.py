"""Several processes find what one finds, byte for byte."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from pcapng_utils.capture.events import CaptureEvent
from pcapng_utils.capture.reader import CaptureReader
from pcapng_utils.har.problems import ProblemLog
from pcapng_utils.har.spool import Index
from pcapng_utils.net.names import Names
from pcapng_utils.net.shards import Shard
from pcapng_utils.pipeline import convert, sharding
from pcapng_utils.pipeline.convert import Conversion
from pcapng_utils.pipeline.digests import FileDigest
from pcapng_utils.pipeline.dissection import Counts
from pcapng_utils.pipeline.options import Options
from pcapng_utils.pipeline.traced import TracedFlows
from tests.cli.making import capture, conversation
from tests.net.wire import PORTS

EXPERIMENT = Path(__file__).parents[2] / "examples" / "experiment"
FIXTURES = [
    *sorted((Path(__file__).parents[1] / "fixtures").glob("*/traffic.pcap*")),
    EXPERIMENT / "traffic.pcap",
]

pytestmark = pytest.mark.skipif(not sharding.can_share(), reason="this system cannot fork")


def converted(path: Path, jobs: int, folder: Path) -> tuple[bytes, object]:
    """The HAR of a capture, but for the time at which it was made, and what was counted."""
    beside = {name: path.with_name(name) for name in ("sslkeylog.txt", "socket_trace.json", "aes_info.json")}
    keylog, trace, ciphers = (file if file.exists() else None for file in beside.values())
    out = folder / f"{jobs}.har"
    options = Options(keylogs=(keylog,) if keylog else (), jobs=jobs, socket_trace=trace, cipher_log=ciphers)
    with Conversion(path, options) as conversion:
        conversion.read()
        conversion.write(out)
        counts = conversion.counts, conversion.decrypted
        return re.sub(rb'"creation_datetime": "[^"]*"', b"", out.read_bytes()), counts


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.parent.name)
def test_the_result_does_not_depend_on_the_number_of_processes(path: Path, tmp_path: Path) -> None:
    alone = converted(path, 1, tmp_path)
    for jobs in (2, 3):
        assert converted(path, jobs, tmp_path) == alone


def test_each_connection_belongs_to_one_share_in_both_directions() -> None:
    client, server = b"\x0a\0\0\x02", b"\xcb\0\x71\x07"
    for total in (1, 2, 3, 7):
        shards = [Shard(number, total) for number in range(total)]
        for port in range(40_000, 40_050):
            ports = port.to_bytes(2, "big"), (443).to_bytes(2, "big")
            there, back = client + server + ports[0] + ports[1], server + client + ports[1] + ports[0]
            owners = [shard.number for shard in shards if shard.has_tcp(there)]
            assert len(owners) == 1
            assert owners == [shard.number for shard in shards if shard.has_tcp(back)]
        assert [shard.has_udp for shard in shards] == [True] + [False] * (total - 1)


def test_shares_are_really_shared_out(tmp_path: Path) -> None:
    path = tmp_path / "many.pcap"
    packets = [packet for port in range(40_000, 40_010) for packet in conversation_from(port)]
    path.write_bytes(capture(packets))
    with Conversion(path, Options(jobs=2)) as conversion:
        conversion.read()
        assert len(conversion.spool) == conversion.counts.exchanges["HTTP/1.1"] == 10
        assert {offset >> 48 for offset in conversion.spool.index.offsets} == {0, 1}


def test_an_experiment_is_shared_out_with_its_logs() -> None:
    path = EXPERIMENT / "traffic.pcap"
    options = Options(
        keylogs=(EXPERIMENT / "sslkeylog.txt",),
        socket_trace=EXPERIMENT / "socket_trace.json",
        cipher_log=EXPERIMENT / "aes_info.json",
        jobs=2,
    )
    with Conversion(path, options) as conversion:
        conversion.read()
        assert {offset >> 48 for offset in conversion.spool.index.offsets} == {0, 1}
        assert conversion.decrypted == (6, 6)
        assert conversion.attribution is not None
        assert conversion.attribution["attributed"] == 24


@pytest.mark.parametrize("missed", [0, 1])
def test_shares_are_not_joined_where_one_missed_a_session_that_another_knew(missed: int) -> None:
    capture = FileDigest("traffic.pcap", 0, "", "")
    first, second = (
        sharding.Share(
            Index(),
            Counts(),
            Names(),
            ProblemLog(),
            capture,
            {},
            number == missed,
            number != missed,
            TracedFlows(),
            [0, 0],
        )
        for number in (0, 1)
    )
    assert not sharding.join(first, [second])


def test_one_process_reads_all_where_another_came_to_grief(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "many.pcap"
    path.write_bytes(capture([packet for port in range(40_000, 40_010) for packet in conversation_from(port)]))
    whole = converted(path, 1, tmp_path)
    read, started = CaptureReader.__iter__, os.getpid()

    def only_here(reader: CaptureReader) -> Iterator[CaptureEvent]:
        if os.getpid() != started:
            os._exit(1)
        return read(reader)

    monkeypatch.setattr(CaptureReader, "__iter__", only_here)
    assert converted(path, 2, tmp_path) == whole


def test_large_bodies_of_all_shares_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "many.pcap"
    path.write_bytes(capture([packet for port in range(40_000, 40_010) for packet in conversation_from(port)]))
    whole = converted(path, 1, tmp_path)
    monkeypatch.setattr(convert, "SMALL_BODY", 0)
    assert converted(path, 3, tmp_path) == whole
    with Conversion(path, Options(jobs=3)) as conversion:
        conversion.read()
        assert len(conversion.spool.blobs.descriptors()) == 3


def test_descriptors_of_shares_that_are_of_no_use_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "many.pcap"
    path.write_bytes(capture([packet for port in range(40_000, 40_010) for packet in conversation_from(port)]))
    monkeypatch.setattr(convert, "SMALL_BODY", 0)
    whole = converted(path, 1, tmp_path)
    sent = sharding._send
    started, before = os.getpid(), len(list(Path("/proc/self/fd").iterdir()))

    def not_all(sender: Connection, share: sharding.Share) -> None:
        """The last of the processes ends before its descriptor is sent."""
        if os.getpid() != started and 2 << 10 in share.blobs:
            sender.send(share)
            os._exit(1)
        sent(sender, share)

    monkeypatch.setattr(sharding, "_send", not_all)
    assert converted(path, 3, tmp_path) == whole
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def conversation_from(port: int) -> list[bytes]:
    """The packets of `conversation`, from another port."""
    return [packet.replace(PORTS[0].to_bytes(2, "big"), port.to_bytes(2, "big")) for packet in conversation()]
