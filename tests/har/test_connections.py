"""Conversations as rows of `_connections` and `_tlsErrors`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pcapng_utils.har.connections import connection_fields, decryption_state, tls_error
from pcapng_utils.har.timings import iso_time
from pcapng_utils.net.flow import Endpoint, Flow
from pcapng_utils.quic.facts import QuicFacts
from pcapng_utils.tls.facts import Certificate, TlsFacts
from tests.har.making import MS, START, flow


def conversation(**more: Any) -> Flow:
    more.setdefault("payload", [10, 20])
    return flow("3", last=START + 970 * MS, last_frame=90, **more)


def test_a_row_tells_both_sides_apart() -> None:
    row = connection_fields(
        conversation(packets=[5, 6], bytes=[500, 600], lost=[0, 7], retransmitted=[1, 0], ended="fin", ended_by=1),
        None, None, "HTTP/1",
    )  # fmt: skip
    expected = {
        "protocol": "TCP",
        "application": "HTTP/1",
        "startedDateTime": iso_time(START - 30 * MS),
        "time": 1000.0,
        "frames": [3, 90],
        "packets": {"client": 5, "server": 6},
        "bytes": {"client": 500, "server": 600},
        "payloadBytes": {"client": 10, "server": 20},
        "lostBytes": {"client": 0, "server": 7},
        "retransmittedPackets": {"client": 1, "server": 0},
        "ended": "fin",
        "endedBy": "server",
        "tls": None,
    }
    assert expected.items() <= row.items()
    assert not {"quic", "tunnels", "processes", "uids"} & row.keys()


def test_what_few_conversations_have_stands_where_it_is_known() -> None:
    row = connection_fields(
        conversation(tunnels=("gre",), processes={"org.example": 9}, uids={10_123, 10_001}), None, QuicFacts(), ""
    )
    assert (row["tunnels"], row["processes"], row["uids"]) == (["gre"], {"org.example": 9}, [10_001, 10_123])
    assert row["quic"]["version"] is None


def test_tls_facts_are_told_in_full() -> None:
    certificate = Certificate("CN=a", "CN=b", ("a.example",), "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "ab")
    tls = TlsFacts(version="TLS 1.3", sni="a.example", alpn="h2", certificates=[certificate], read=[3, 4])
    told = connection_fields(conversation(), tls, None, "HTTP/2")["tls"]
    assert (told["version"], told["sni"], told["alpn"]) == ("TLS 1.3", "a.example", "h2")
    assert told["certificates"] == [
        {
            "subject": "CN=a",
            "issuer": "CN=b",
            "names": ["a.example"],
            "notBefore": "2024-01-01T00:00:00Z",
            "notAfter": "2025-01-01T00:00:00Z",
            "sha256": "ab",
        }
    ]
    assert told["recordsRead"] == {"client": 3, "server": 4}


@pytest.mark.parametrize(
    ("read", "unread", "reason", "state"),
    [
        ([3, 4], [0, 0], "", "yes"),
        ([0, 0], [0, 0], "", "yes"),
        ([3, 0], [0, 4], "bad-record", "partly"),
        ([0, 0], [1, 1], "no-secret", "no"),
        ([0, 0], [0, 0], "handshake-not-captured", "no"),
    ],
)
def test_whether_it_was_decrypted_follows_from_its_records(
    read: list[int], unread: list[int], reason: str, state: str
) -> None:
    found, why = decryption_state(conversation(), TlsFacts(read=read, unread=unread, reason=reason), "")
    assert found == state
    assert bool(why) == (bool(reason) or not sum(read))


def test_a_tunnel_whose_contents_are_not_read_was_read_in_part() -> None:
    facts = TlsFacts(read=[0, 0], unread=[1, 1], reason="no-secret")
    assert decryption_state(conversation(), facts, "HTTP/1")[0] == "partly"


def test_without_tls_what_counts_is_whether_it_was_read() -> None:
    assert decryption_state(conversation(), None, "HTTP/1")[0] == "yes"
    assert decryption_state(conversation(), None, "")[0] == "no"
    assert decryption_state(conversation(payload=[0, 0]), None, "") == ("yes", "no data was exchanged")


def test_data_that_was_not_captured_was_not_read() -> None:
    headers_only = conversation(payload=[0, 0], lost=[36, 500])
    assert decryption_state(headers_only, None, "") == ("no", "none of the data was captured")


def test_bytes_lost_behind_the_handshake_are_not_put_before_it() -> None:
    why = decryption_state(conversation(), TlsFacts(read=[1, 1], unread=[0, 1], reason="lost-packets"), "HTTP/1")
    assert why == ("partly", "packets were lost, or cut short by the capture")


def test_what_could_not_be_decrypted_is_an_error_as_http_toolkit_tells_it() -> None:
    tls = TlsFacts(sni="a.example", alpn_offered=("h2",), ja3="33", ja4="44", unread=[1, 0], reason="no-secret")
    on = conversation(server=Endpoint("2001:db8::7", 8443))
    assert tls_error(on, tls) == {
        "startedDateTime": iso_time(START - 30 * MS),
        "time": 1000.0,
        "hostname": "a.example",
        "cause": "no secret for this client random",
        "tlsMetadata": {
            "sniHostname": "a.example",
            "clientAlpn": ["h2"],
            "ja3Fingerprint": "33",
            "ja4Fingerprint": "44",
        },
        "clientIPAddress": "192.0.2.1",
        "clientPort": 40000,
        "remoteIPAddress": "2001:db8::7",
        "remotePort": 8443,
        "_connection": "3",
    }


def test_every_row_is_json() -> None:
    for quic in (None, QuicFacts(migrations=[(START, Endpoint("192.0.2.9", 1), Endpoint("203.0.113.7", 443))])):
        row = connection_fields(conversation(uids={1}), TlsFacts(), quic, "HTTP/3")
        assert json.loads(json.dumps(row)) == row
