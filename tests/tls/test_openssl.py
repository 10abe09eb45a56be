"""Connections that take OpenSSL's own client and server: renegotiation, KeyUpdate, PSK, early data, HelloRetryRequest.

Lines are chosen so that neither of the two takes their first letter for a command.
"""

from __future__ import annotations

from pcapng_utils.layers import CLIENT, SERVER, UnitKind
from tests.tls.lab import Heard
from tests.tls.wire import Wire, needs_openssl

pytestmark = needs_openssl


def assert_read(heard: Heard, sent: bytes, answered: bytes) -> None:
    assert heard.clear(CLIENT) == sent
    assert heard.clear(SERVER) == answered
    assert heard.problems == []
    assert heard.facts.unread == [0, 0]
    assert heard.facts.reason == ""


def test_renegotiation() -> None:
    with Wire(["-tls1_2", "-client_renegotiation"]) as wire:
        flights, log = wire.talk(["-tls1_2"], [b"one\n", b"R\n", b"two\n"], [b"=a\n", b"", b"=b\n"])
    heard = Heard(log).hear(flights)
    assert_read(heard, b"one\ntwo\n", b"=a\n=b\n")
    assert len(heard.store) == 2, "the second handshake has a random of its own"
    assert heard.facts.client_random == log.split(b"CLIENT_RANDOM ")[1][:64].decode()
    hellos = [kind for kind in heard.units.kinds[CLIENT] if kind & UnitKind.CLIENT_HELLO]
    assert len(hellos) == 2


def test_key_updates() -> None:
    with Wire(["-tls1_3"]) as wire:
        flights, log = wire.talk(["-tls1_3"], [b"one\n", b"K\n", b"two\n"], [b"=a\n", b"k\n", b"=b\n"])
    assert_read(Heard(log).hear(flights), b"one\ntwo\n", b"=a\n=b\n")


def test_pre_shared_keys() -> None:
    psk = ["-psk", "01020304"]
    for version, suite in (("-tls1_2", ["-cipher", "PSK-AES128-CCM8:@SECLEVEL=0"]), ("-tls1_3", [])):
        with Wire([version, "-nocert", *psk, *suite]) as wire:
            flights, log = wire.talk([version, *psk, *suite], [b"one\n"], [b"=a\n"])
        assert_read(Heard(log).hear(flights), b"one\n", b"=a\n")


def test_hello_retry_request() -> None:
    with Wire(["-tls1_3", "-groups", "P-384"]) as wire:
        flights, log = wire.talk(["-tls1_3", "-groups", "X25519:P-384"], [b"one\n"], [b"=a\n"])
    heard = Heard(log).hear(flights)
    assert_read(heard, b"one\n", b"=a\n")
    assert len([kind for kind in heard.units.kinds[CLIENT] if kind & UnitKind.CLIENT_HELLO]) == 2


def test_early_data_taken_and_refused() -> None:
    with Wire(["-tls1_3", "-early_data"]) as wire:
        session, early = str(wire.folder / "session.pem"), wire.folder / "early"
        early.write_bytes(b"early bird\n")
        wire.talk(["-tls1_3", "-sess_out", session], [b"one\n"], [b"=a\n"])
        resume = ["-tls1_3", "-sess_in", session, "-early_data", str(early)]
        taken, taken_log = wire.talk(resume, [b"two\n"], [b"=b\n"])
        refused, refused_log = wire.talk(resume, [b"three\n"], [b"=c\n"])  # a replay
    heard = Heard(taken_log).hear(taken)
    assert_read(heard, b"early bird\ntwo\n", b"=b\n")
    assert heard.facts.early_data
    assert heard.facts.resumed
    first = heard.events[0][3]
    assert first
    assert first.frames[0] <= 2, "early data keeps the stamp of the packet that brought it"
    again = Heard(refused_log).hear(refused)
    assert_read(again, b"three\n", b"=c\n")
    assert again.facts.early_data
    blind = Heard(refused_log.replace(b"CLIENT_EARLY", b"X_EARLY")).hear(refused)
    assert_read(blind, b"three\n", b"=c\n")


def test_early_data_refused_by_a_hello_retry_request() -> None:
    with Wire(["-tls1_3", "-early_data", "-groups", "P-384:X25519"]) as wire:
        session, early = str(wire.folder / "session.pem"), wire.folder / "early"
        early.write_bytes(b"early bird\n")
        wire.talk(["-tls1_3", "-sess_out", session], [b"one\n"], [b"=a\n"])
        resume = ["-tls1_3", "-sess_in", session, "-early_data", str(early), "-groups", "P-521:P-384"]
        flights, log = wire.talk(resume, [b"two\n"], [b"=b\n"])
    assert_read(Heard(log).hear(flights), b"two\n", b"=b\n")
