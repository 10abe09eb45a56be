"""Whole connections between real TLS ends: what a passive reader makes of them."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pcapng_utils.layers import CLIENT, SERVER, Stamp, UnitKind
from pcapng_utils.tls.handshake import MessageReader, vector
from tests.tls.lab import Flight, Heard, Talk, contexts, identity

REQUEST, RESPONSE = b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)) * 200

SUITES_12 = [
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "AES128-CCM",
    "AES256-CCM8",
    "ECDHE-RSA-AES256-SHA384",
    "ECDHE-RSA-AES128-SHA",
    "AES128-SHA256",
    "CAMELLIA256-SHA",
    "CAMELLIA128-SHA256",
    "NULL-SHA256",
    "NULL-MD5",
]


def talk(
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, ciphers: str = "", key: str = "ec", close: bool = True
) -> Talk:
    said = Talk(*contexts(version, ciphers, key)).handshake()
    said.send(CLIENT, REQUEST).send(SERVER, RESPONSE).send(CLIENT, REQUEST * 500).send(SERVER, b"x")
    return said.close(CLIENT).close(SERVER) if close else said


def assert_all_read(heard: Heard, said: Talk) -> None:
    assert heard.clear(CLIENT) == said.clear[CLIENT]
    assert heard.clear(SERVER) == said.clear[SERVER]
    assert heard.problems == []
    assert heard.facts.unread == [0, 0]
    assert heard.facts.decrypted == [True, True]
    assert heard.facts.reason == ""


@pytest.mark.parametrize("suite", SUITES_12)
def test_tls12_suites(suite: str) -> None:
    said = talk(ssl.TLSVersion.TLSv1_2, suite, "rsa")
    heard = Heard(said.keylog()).hear(said.flights)
    assert_all_read(heard, said)
    assert heard.facts.version == "TLS 1.2"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.parametrize("suite", ["AES256-SHA", "CAMELLIA128-SHA", "NULL-SHA"])
def test_older_versions(version: ssl.TLSVersion, suite: str) -> None:
    said = talk(version, suite, "rsa")
    assert_all_read(Heard(said.keylog()).hear(said.flights), said)


@pytest.mark.parametrize("case", json.loads((Path(__file__).parent / "ssl3.json").read_text()))
def test_ssl3(case: dict[str, object]) -> None:
    """Made with another implementation, since no current OpenSSL speaks SSL 3.0."""
    flights = [(direction, bytes.fromhex(data)) for direction, data in case["flights"]]  # type: ignore[attr-defined]
    log = f"CLIENT_RANDOM {flights[0][1][11:43].hex()} {case['master']}\n".encode()
    heard = Heard(log).hear(flights)
    assert heard.clear(CLIENT) == b"ping over SSL 3.0" + b"more " * 9
    assert heard.clear(SERVER) == b"pong over SSL 3.0"
    assert heard.facts.version == "SSL 3.0"
    assert heard.problems == []


def test_facts_of_a_full_handshake() -> None:
    said = talk()
    facts = Heard(said.keylog()).hear(said.flights).facts
    assert (facts.version, facts.sni, facts.alpn) == ("TLS 1.3", "lab.test", "h2")
    assert facts.alpn_offered == ("h2", "http/1.1")
    assert facts.resumed is False
    leaf = facts.certificates[0]
    assert (leaf.subject, leaf.issuer) == ("CN=lab ec", "CN=lab ec")
    assert leaf.names == ("lab.test", "*.lab.test")
    assert (leaf.not_before, leaf.not_after) == ("2025-01-02T03:04:05Z", "2035-01-02T03:04:05Z")
    assert facts.hello_time == 1_000_000
    assert facts.finished_time
    assert facts.finished_time > facts.hello_time
    assert facts.alerts == ["client warning close_notify", "server warning close_notify"]


def test_the_upper_layer_opens_once_when_the_protocol_is_known() -> None:
    said = talk()
    heard = Heard(said.keylog()).hear(said.flights)
    heard.tls.close()
    assert len(heard.uppers) == 1
    assert heard.uppers[0].facts.alpn == "h2"
    assert heard.uppers[0].closed == 1
    assert [event[:2] for event in heard.events if event[0] == "end"] == [("end", CLIENT), ("end", SERVER)]


def test_fin_ends_a_direction_that_sent_no_close_notify() -> None:
    said = talk(close=False)
    heard = Heard(said.keylog()).hear(said.flights)
    heard.tls.end(SERVER, 5_000_000_000, 999)
    heard.tls.end(SERVER, 5_000_000_000, 999)
    ends = [event for event in heard.events if event[0] == "end"]
    assert [(way, stamp) for _, way, _, stamp in ends] == [
        (SERVER, Stamp(5_000_000_000, 5_000_000_000, (999,), len(heard.units.times[SERVER]) - 1))
    ]


def test_units_are_the_records_of_the_wire() -> None:
    said = talk()
    heard = Heard(said.keylog()).hear(said.flights)
    for direction in (CLIENT, SERVER):
        stream = b"".join(data for way, data in said.flights if way == direction)
        assert sum(heard.units.sizes[direction]) == len(stream)
    kinds = heard.units.kinds[CLIENT]
    assert kinds[0] & UnitKind.CLIENT_HELLO
    assert [index for index, kind in enumerate(kinds) if kind & UnitKind.FINISHED] == [2]
    assert kinds[1] == UnitKind.CHANGE_CIPHER_SPEC
    assert kinds[3] == UnitKind.NONE
    assert kinds[-1] == UnitKind.ALERT


def test_stamps_name_all_packets_of_a_record() -> None:
    said = talk()
    heard = Heard(said.keylog()).hear(said.flights)
    frame, spans = 0, []
    for direction, data in said.flights:
        count = -(-len(data) // 1460)
        spans.append((direction, frame + 1, frame + count))
        frame += count
    longest = max((e for e in heard.events if e[0] == "data"), key=lambda e: len(e[2]))  # type: ignore[arg-type]
    stamp = longest[3]
    assert stamp
    assert len(stamp.frames) >= 12
    assert list(stamp.frames) == list(range(stamp.frames[0], stamp.frames[-1] + 1))
    assert (stamp.first, stamp.last) == (stamp.frames[0] * 1_000_000, stamp.frames[-1] * 1_000_000)
    assert any(way == SERVER and low <= stamp.frames[0] <= stamp.frames[-1] <= high for way, low, high in spans)
    assert heard.units.frames[SERVER][stamp.unit] == stamp.frames[0]


def test_the_last_time_is_the_latest_where_packets_came_out_of_order() -> None:
    said = talk()
    heard = Heard(said.keylog())
    for direction, data in said.flights:
        half = len(data) // 2
        heard.tls.segment(direction, data[:half], 2_000, 2)
        heard.tls.segment(direction, data[half:], 1_000, 1)
    assert heard.clear(CLIENT) == said.clear[CLIENT]
    assert {event[3].last for event in heard.events if event[3] and len(event[3].frames) == 2} == {2_000}


def test_a_clear_stream_may_carry_it() -> None:
    said = talk()
    heard = Heard(said.keylog())
    for number, (direction, data) in enumerate(said.flights):
        frames = (2 * number, 2 * number + 1)
        for offset in range(0, len(data), 5000):
            heard.tls.data(direction, data[offset : offset + 5000], Stamp(number, number + 1, frames, 0))
        heard.tls.end(direction, None) if not data else None
    assert_all_read(heard, said)
    stamps = [stamp for _, _, _, stamp in heard.events if stamp]
    assert all(len(stamp.frames) == 2 and stamp.last == stamp.first + 1 for stamp in stamps)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_without_keys_facts_and_counts_remain(version: ssl.TLSVersion) -> None:
    said = talk(version)
    read, unread = Heard(said.keylog()).hear(said.flights), Heard().hear(said.flights)
    assert not unread.uppers
    assert unread.facts.reason == "no-secret"
    assert unread.facts.decrypted == [False, False]
    assert unread.facts.sni == "lab.test"
    assert unread.facts.ja4 == read.facts.ja4
    assert unread.facts.finished_time == read.facts.finished_time
    assert unread.units.sizes == read.units.sizes
    assert unread.problems == []
    finished = [index for index, kind in enumerate(unread.units.kinds[CLIENT]) if kind & UnitKind.FINISHED]
    assert finished == [index for index, kind in enumerate(read.units.kinds[CLIENT]) if kind & UnitKind.FINISHED]
    assert unread.units.kinds[CLIENT][finished[0] + 1] == UnitKind.UNREADABLE


def test_a_cipher_that_is_not_at_hand_is_the_reason() -> None:
    said = talk(ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-ARIA128-GCM-SHA256")
    facts = Heard(said.keylog()).hear(said.flights).facts
    assert facts.cipher == "TLS_ECDHE_ECDSA_WITH_ARIA_128_GCM_SHA256"
    assert facts.reason == "unknown-cipher"
    assert facts.decrypted == [False, False]


def test_a_capture_begun_late_is_counted() -> None:
    said = talk()
    heard = Heard(said.keylog()).hear(said.flights[3:])
    assert heard.facts.reason == "handshake-not-captured"
    assert sum(heard.facts.unread) == len(heard.units.times[CLIENT]) + len(heard.units.times[SERVER])


def test_keys_of_one_direction_alone() -> None:
    said = talk()
    log = b"".join(line for line in said.keylog().splitlines(True) if not line.startswith(b"SERVER_TRAFFIC"))
    heard = Heard(log).hear(said.flights)
    assert heard.clear(CLIENT) == said.clear[CLIENT]
    assert heard.clear(SERVER) == b""
    assert heard.facts.decrypted == [True, False]
    assert heard.facts.reason == "no-secret"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_resumption(version: ssl.TLSVersion) -> None:
    client, server = contexts(version)
    first = Talk(client, server).handshake().send(CLIENT, b"1").send(SERVER, b"2")
    again = Talk(client, server, first.ends[CLIENT].session).handshake().send(CLIENT, b"3").send(SERVER, b"4")
    assert again.ends[CLIENT].session_reused
    heard = Heard(again.keylog()).hear(again.flights)
    assert_all_read(heard, again)
    assert heard.facts.resumed is True
    assert heard.facts.certificates == []


@pytest.mark.parametrize("tickets", [True, False])
def test_a_session_is_remembered_where_the_key_log_names_its_first_connection_alone(tickets: bool) -> None:
    client, server = contexts(ssl.TLSVersion.TLSv1_2)
    if not tickets:
        server.options |= ssl.OP_NO_TICKET
    first = Talk(client, server).handshake().send(CLIENT, b"1").send(SERVER, b"2")
    log = first.keylog()
    again = Talk(client, server, first.ends[CLIENT].session).handshake().send(CLIENT, b"3").send(SERVER, b"4")
    assert again.ends[CLIENT].session_reused
    before = Heard(log).hear(first.flights)
    heard = Heard(store=before.store).hear(again.flights)
    assert_all_read(heard, again)
    assert Heard(log).hear(again.flights).facts.reason == "no-secret"


def test_client_certificates() -> None:
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        client, server = contexts(version)
        client.load_cert_chain(identity())
        server.verify_mode = ssl.CERT_REQUIRED
        server.load_verify_locations(identity())
        said = Talk(client, server).handshake().send(CLIENT, b"1").send(SERVER, b"2")
        heard = Heard(said.keylog()).hear(said.flights)
        assert_all_read(heard, said)
        assert heard.facts.client_certificate


def test_client_authentication_after_the_handshake() -> None:
    client, server = contexts()
    client.load_cert_chain(identity())
    client.post_handshake_auth = True
    server.verify_mode = ssl.CERT_OPTIONAL
    server.post_handshake_auth = True
    server.load_verify_locations(identity())
    said = Talk(client, server).handshake().send(CLIENT, b"1").send(SERVER, b"2")
    said.ends[SERVER].verify_client_post_handshake()
    said.send(SERVER, b"3").send(CLIENT, b"4").send(SERVER, b"5")
    heard = Heard(said.keylog()).hear(said.flights)
    assert_all_read(heard, said)
    assert heard.facts.client_certificate


def test_a_fatal_alert_is_told() -> None:
    client, server = contexts()
    client.verify_mode = ssl.CERT_REQUIRED
    said = Talk(client, server)
    with pytest.raises(ssl.SSLError):
        said.handshake()
    said._carry(CLIENT)
    heard = Heard(said.keylog()).hear(said.flights)
    assert heard.facts.alerts == ["client fatal unknown_ca"]


@pytest.mark.parametrize("extended", [True, False])
def test_rsa_lines_of_the_key_log(extended: bool) -> None:
    """The log then holds the premaster secret by its encrypted form, so the master secret must be derived."""
    client, server = contexts(ssl.TLSVersion.TLSv1_2, "AES128-GCM-SHA256", "rsa")
    if not extended:
        client.options |= ssl.Options(1)  # SSL_OP_NO_EXTENDED_MASTER_SECRET
    said = Talk(client, server).handshake().send(CLIENT, REQUEST).send(SERVER, RESPONSE)
    encrypted = _client_key_exchange(said.flights)
    key = load_pem_private_key(Path(identity("rsa")).read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    premaster = key.decrypt(encrypted, padding.PKCS1v15())
    heard = Heard(f"RSA {encrypted[:8].hex()} {premaster.hex()}\n".encode()).hear(said.flights)
    assert_all_read(heard, said)


def _client_key_exchange(flights: list[Flight]) -> bytes:
    stream, reader, offset = b"".join(data for way, data in flights if way == CLIENT), MessageReader(), 0
    while True:
        body, end = vector(stream, offset + 3, 2)
        for kind, message in reader.feed(body):
            if kind == 16:
                return vector(message, 0, 2)[0]
        offset = end


def test_record_padding_is_taken_off() -> None:
    from tests.tls.sender import Sender

    sender = Sender()
    flights = [*sender.hellos(), (SERVER, sender.record(b"padded", padding=300)), (SERVER, sender.record(b"!"))]
    flights.append((SERVER, sender.record(b"", padding=20)))
    flights.append((SERVER, sender.record(b"?")))
    heard = Heard(sender.keylog).hear(flights)
    assert heard.clear(SERVER) == b"padded!?"
    assert heard.problems == []
    assert heard.facts.read == [0, 4]


def test_an_encrypted_hello_without_keys_is_the_reason_if_other_keys_are_at_hand() -> None:
    from tests.tls.sender import Sender

    sender = Sender(extensions=bytes.fromhex("fe0d 0004 00000000"))
    flights = [*sender.hellos(), (CLIENT, sender.record(b"one", CLIENT)), (CLIENT, sender.record(b"two", CLIENT))]
    other = Heard(sender.keylog.replace(sender.random.hex().encode(), b"77" * 32)).hear(flights)
    assert other.facts.ech
    assert other.facts.reason == "ech"
    assert Heard().hear(flights).facts.reason == "no-secret"
    known = Heard(sender.keylog).hear(flights)
    assert known.clear(CLIENT) == b"onetwo"
    assert not known.facts.ech
