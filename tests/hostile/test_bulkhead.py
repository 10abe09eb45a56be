"""A layer that raises loses its own connection, and no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pcapng_utils.faults import SWITCH
from pcapng_utils.har.entry import EntryBuilder
from pcapng_utils.http.http1 import Http1Connection
from pcapng_utils.layers import Problem
from pcapng_utils.net.flow import Flow
from pcapng_utils.net.network import Network
from tests.cli.making import capture, conversation, entries, har, run
from tests.hostile.making import on_port
from tests.net.wire import ACK, FIN, PSH, Recorder, batch, handshake, tcp, udp

SECRET = "the secret of connection 1"  # noqa: S105


@pytest.fixture
def passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """As people run the command."""
    monkeypatch.delenv(SWITCH)


class Faulty(Recorder):
    """A receiver that raises at one of its methods."""

    def __init__(self, method: str, error: Exception) -> None:
        super().__init__()

        def fail(*arguments: object) -> None:
            raise error

        setattr(self, method, fail)


OTHER = (40001, 443)
#: Connection 1, then connection 4 (or, over UDP, 8) beside it.
PACKETS = [
    *handshake(),
    *[tcp(side, seq, ack, flags, ports=OTHER) for side, seq, ack, flags in ((0, 9, None, 2), (1, 7, 10, 2))],
    tcp(0, 10, 8, ports=OTHER),
    tcp(0, 101, 501, PSH, b"one"),
    tcp(0, 10, 8, PSH, b"two", ports=OTHER),
    tcp(0, 106, 501, PSH, b"behind a hole"),
    tcp(0, 13, 8, PSH, b"three", ports=OTHER),
    udp(0, b"a"),
    udp(0, b"b", ports=OTHER),
    udp(0, b"c"),
    udp(0, b"d", ports=OTHER),
    tcp(0, 119, 501, FIN | ACK),
    tcp(1, 501, 120, FIN | ACK),
]


def play(receiver: Callable[[Flow], Recorder], packets: list[bytes] = PACKETS) -> tuple[list[Flow], list[Problem]]:
    flows: list[Flow] = []
    problems: list[Problem] = []
    network = Network(receiver, flows.append, problems.append)
    network.feed(batch(packets))
    network.close()
    return flows, problems


@pytest.mark.parametrize("method", ["segment", "gap", "end", "close", "datagram"])
@pytest.mark.usefixtures("passed_over")
def test_the_other_connections_go_on(method: str) -> None:
    faulty = "11" if method == "datagram" else "1"
    sound: dict[str, Recorder] = {}
    records: dict[str, Recorder] = {}

    def receiver(flow: Flow) -> Recorder:
        return records.setdefault(flow.id, Faulty(method, KeyError(SECRET)) if flow.id == faulty else Recorder())

    whole = play(lambda flow: sound.setdefault(flow.id, Recorder()))[0]
    flows, problems = play(receiver)
    for name, record in sound.items():
        assert name == faulty or records[name].events == record.events
    counts = [(flow.id, flow.packets, flow.payload, flow.lost, flow.ended) for flow in flows]
    assert counts == [(flow.id, flow.packets, flow.payload, flow.lost, flow.ended) for flow in whole]
    (problem,) = [problem for problem in problems if problem.kind == "internal-error"]
    assert (problem.connection, problem.frame is not None) == (faulty, True)
    assert problem.detail.startswith("KeyError at net/") and SECRET not in repr(problem)
    assert all(flow.receiver is None for flow in flows)


@pytest.mark.usefixtures("passed_over")
def test_what_the_layer_understood_before_is_kept() -> None:
    faulty = Faulty("segment", ValueError())
    play(lambda flow: faulty)
    assert faulty.events[-1] == ("close",)


@pytest.mark.parametrize("where", ["on_flow", "on_flow_end"])
@pytest.mark.usefixtures("passed_over")
def test_a_flow_that_cannot_be_begun_or_listed(where: str) -> None:
    problems: list[Problem] = []
    seen: list[str] = []

    def fail(flow: Flow) -> Any:
        seen.append(flow.id)
        raise ZeroDivisionError

    network = Network(
        fail if where == "on_flow" else lambda flow: Recorder(),
        fail if where == "on_flow_end" else lambda flow: None,
        problems.append,
    )
    network.feed(batch(PACKETS))
    network.close()
    assert sorted(seen) == sorted(problem.connection or "" for problem in problems if problem.kind == "internal-error")
    assert len(seen) == 4


@pytest.mark.usefixtures("passed_over")
def test_a_packet_that_cannot_be_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise IndexError

    monkeypatch.setattr("pcapng_utils.net.decode.Decoder.packet", fail)
    broken = b"\xff" * 60
    segments = PACKETS[:10]
    flows, problems = play(lambda flow: Recorder(), [broken, *segments[:3], broken, broken, *segments[3:]])
    assert [problem.frame for problem in problems if problem.kind == "internal-error"] == [1, 5, 6]
    assert [flow.packets for flow in flows] == [[4, 1], [4, 1]]


def test_a_fault_is_raised_where_faults_are_looked_for() -> None:
    with pytest.raises(KeyError):
        play(lambda flow: Faulty("segment", KeyError()))


@pytest.mark.usefixtures("passed_over")
def test_what_concerns_all_connections_ends_all() -> None:
    with pytest.raises(OSError, match="disk"):
        play(lambda flow: Faulty("segment", OSError(28, "disk")))


def three(tmp_path: Path) -> Path:
    path = tmp_path / "x.pcap"
    packets = [conversation(b"GET /%d HTTP/1.1\r\nHost: a.example\r\n\r\n" % number) for number in range(3)]
    path.write_bytes(capture([on_port(packet, 50000 + number) for number, one in enumerate(packets) for packet in one]))
    return path


@pytest.mark.parametrize(
    ("target", "cost"),
    [
        ((Http1Connection, "data"), "rest of the connection"),
        ((EntryBuilder, "build"), "exchange"),
    ],
    ids=["layer", "entry"],
)
@pytest.mark.usefixtures("passed_over")
def test_in_a_whole_conversion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: tuple[type, str], cost: str
) -> None:
    kind, name = target
    original, calls = getattr(kind, name), []

    def fail_once(self: object, *arguments: object, **named: object) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError(SECRET)
        return original(self, *arguments, **named)

    monkeypatch.setattr(kind, name, fail_once)
    done = run("convert", three(tmp_path))
    assert done.returncode == 0 and b"1 internal-error" in done.stderr
    written = har(tmp_path / "x.har")
    assert [entry["request"]["url"][-2:] for entry in entries(tmp_path / "x.har")] == ["/1", "/2"]
    (row,) = written["log"]["_problems"]
    assert (row["kind"], row["connection"]) == ("internal-error", "1") and cost in row["message"]
    assert SECRET not in (tmp_path / "x.har").read_text() + done.stderr.decode()


@pytest.mark.usefixtures("passed_over")
def test_a_reader_that_fails_gives_what_it_had_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object) -> Any:
        raise AssertionError

    monkeypatch.setattr("pcapng_utils.capture.pcap.PcapParser.close", fail)
    assert run("convert", three(tmp_path)).returncode == 0
    assert len(entries(tmp_path / "x.har")) == 3
    kinds = [row["kind"] for row in har(tmp_path / "x.har")["log"]["_problems"]]
    assert kinds == ["internal-error"]


@pytest.mark.usefixtures("passed_over")
def test_a_signal_ends_all_whatever_it_was_made_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object, *arguments: object) -> None:
        raise RuntimeError("Error calling __set_name__") from KeyboardInterrupt()

    monkeypatch.setattr(Http1Connection, "data", fail)
    done = run("convert", three(tmp_path))
    assert (done.returncode, done.stderr) == (130, b"pcapng-utils: interrupted: nothing was written.\n")
