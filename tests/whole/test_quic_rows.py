"""Rows of QUIC: several connections between two sockets, and one connection over several pairs of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aioquic.h3.connection import H3Connection

from pcapng_utils.layers import CLIENT, SERVER
from tests.net.wire import udp
from tests.quic.pairs import Pair
from tests.whole.converting import converted, urls

UNKNOWN = "no secret for this client random"
FIELDS = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"quic.example"), (b":path", b"/")]


class Talk:
    """HTTP/3 between aioquic's client and server."""

    def __init__(self, name: str = "quic.example") -> None:
        self.pair = Pair(server_name=name).run()
        assert self.pair.server is not None
        self.ends = H3Connection(self.pair.client), H3Connection(self.pair.server)
        self.pair.run()
        self.stream = 0

    def get(self) -> Talk:
        self.ends[CLIENT].send_headers(self.stream, FIELDS, end_stream=True)
        self.pair.run()
        self.ends[SERVER].send_headers(self.stream, [(b":status", b"204")], end_stream=True)
        self.pair.run()
        self.stream += 4
        return self

    def move(self, *, known: bool = True) -> Talk:
        """`known`: the client knows that it moves, and takes another connection ID (RFC 9000, section 9.5), which only
        those with the secrets can follow."""
        self.pair.client_port += 1
        if known:
            self.pair.client.change_connection_id()
        return self

    @property
    def keylog(self) -> bytes:
        return self.pair.keylog.getvalue().encode()

    def packets(self) -> Iterator[bytes]:
        return (udp(one.direction, one.data, (one.client_port, 443)) for one in self.pair.sent)


def test_of_several_connections_between_two_sockets_none_is_forgotten(tmp_path: Path) -> None:
    talks = [Talk(f"{name}.example").get() for name in ("a", "b", "c")]
    packets = [packet for talk in talks for packet in talk.packets()]
    (whole,) = converted(tmp_path, packets, b"".join(talk.keylog for talk in talks))["_connections"]
    assert (whole["decrypted"], whole["tls"]["sni"]) == ("yes", "a.example")
    for known in range(3):
        log = converted(tmp_path, packets, talks[known].keylog)
        (row,) = log["_connections"]
        unread = [f"{name}.example" for number, name in enumerate("abc") if number != known]
        assert len(urls(log)) == 1
        assert (row["decrypted"], row["reason"], row["application"]) == ("partly", UNKNOWN, "HTTP/3")
        assert [error["hostname"] for error in log["_tlsErrors"]] == unread
        assert [(problem["kind"], problem["count"]) for problem in log["_problems"]] == [("quic-undecrypted", 2)]
        for one, other in (("recordsRead", "recordsUnread"), ("packetsRead", "packetsUnread")):
            facts, all_of = (row["tls"], whole["tls"]) if one == "recordsRead" else (row["quic"], whole["quic"])
            assert {side: facts[one][side] + facts[other][side] for side in facts[one]} == all_of[one]
            assert min(facts[other].values()) > 0
        assert (row["tls"]["sni"], row["quic"]["originalConnectionId"]) == (
            "a.example",
            whole["quic"]["originalConnectionId"],
        )


def moved(*, known: bool, folder: Path) -> dict[str, Any]:
    talk = Talk().get().move(known=known).get().get()
    return converted(folder, talk.packets(), talk.keylog if known else b"")


def test_the_row_of_a_path_that_a_connection_moved_to_tells_of_the_connection(tmp_path: Path) -> None:
    log = moved(known=True, folder=tmp_path)
    first, second = log["_connections"]
    assert len(urls(log)) == 3
    for row in (first, second):
        assert (row["application"], row["decrypted"], row["reason"]) == ("HTTP/3", "yes", "")
        assert row["tls"]["sni"] == "quic.example"
        assert row["server"]["host"] == "quic.example"
        assert row["quic"]["firstVersion"] is None
    assert second["quic"] == first["quic"]
    assert [step["client"][1] for step in second["quic"]["migrations"]] == [50001]


def test_both_paths_of_a_connection_that_was_not_read_say_why(tmp_path: Path) -> None:
    log = moved(known=False, folder=tmp_path)
    assert [(row["decrypted"], row["reason"]) for row in log["_connections"]] == [("no", UNKNOWN)] * 2
    told = [error["_connection"] for error in log["_tlsErrors"]]
    assert told == [row["id"] for row in log["_connections"]] == [row["connection"] for row in log["_problems"]]
