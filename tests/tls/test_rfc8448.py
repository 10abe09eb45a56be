"""The traces of RFC 8448, record for record."""

from __future__ import annotations

from pcapng_utils.layers import CLIENT, SERVER
from pcapng_utils.tls.schedule import cipher_suite, traffic_keys
from tests.tls import vectors
from tests.tls.lab import Heard


def test_traffic_keys_are_those_of_the_trace() -> None:
    suite = cipher_suite(0x1301)
    assert suite
    keys = traffic_keys(bytes.fromhex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38"), suite)
    assert keys.key.hex() == "3fce516009c21727d0f2e4e86ee403bc"
    assert keys.iv.hex() == "5d313eb2671276ee13000b30"


def test_simple_handshake() -> None:
    heard = Heard(vectors.SIMPLE_KEYLOG).hear(vectors.SIMPLE)
    assert heard.clear(CLIENT) == heard.clear(SERVER) == vectors.APPLICATION
    facts = heard.facts
    assert (facts.version, facts.cipher, facts.sni) == ("TLS 1.3", "TLS_AES_128_GCM_SHA256", "server")
    assert facts.client_random == vectors.SIMPLE_RANDOM
    assert facts.certificates[0].subject == facts.certificates[0].issuer == "CN=rsa"
    assert facts.certificates[0].not_after == "2026-07-30T01:23:59Z"
    assert facts.alerts == ["client warning close_notify", "server warning close_notify"]
    assert facts.decrypted == [True, True]
    assert facts.resumed is False
    assert not heard.problems


def test_resumed_handshake_with_early_data() -> None:
    heard = Heard(vectors.RESUMED_KEYLOG).hear(vectors.RESUMED)
    assert heard.clear(CLIENT) == b"ABCDEF" + vectors.APPLICATION
    assert heard.clear(SERVER) == vectors.APPLICATION
    assert heard.facts.resumed
    assert heard.facts.early_data
    assert not heard.problems


def test_early_data_alone_is_missing_without_its_secret() -> None:
    log = b"".join(line for line in vectors.RESUMED_KEYLOG.splitlines(True) if b"EARLY" not in line)
    heard = Heard(log).hear(vectors.RESUMED)
    assert heard.clear(CLIENT) == heard.clear(SERVER) == vectors.APPLICATION
    assert heard.facts.unread == [2, 0]  # EndOfEarlyData looks the same
    assert heard.facts.reason == "no-secret"


def test_early_data_that_no_server_answers_is_counted_in_the_end() -> None:
    heard = Heard(vectors.RESUMED_KEYLOG).hear(vectors.RESUMED[:2])
    assert len(heard.units.times[CLIENT]) == 1
    heard.tls.close()
    assert heard.facts.unread == [1, 0]
    assert heard.facts.reason == "handshake-not-captured"


def test_application_data_is_read_without_the_handshake_secrets() -> None:
    log = b"".join(line for line in vectors.SIMPLE_KEYLOG.splitlines(True) if b"HANDSHAKE" not in line)
    heard = Heard(log).hear(vectors.SIMPLE)
    assert heard.clear(CLIENT) == heard.clear(SERVER) == vectors.APPLICATION
    assert heard.facts.unread == [0, 0]
    assert heard.facts.reason == ""
    assert heard.facts.certificates == []


def test_one_byte_a_segment_changes_nothing_but_frames() -> None:
    whole, bytewise = Heard(vectors.RESUMED_KEYLOG), Heard(vectors.RESUMED_KEYLOG)
    whole.hear(vectors.RESUMED)
    bytewise.hear(vectors.RESUMED, 1)
    assert [event[:3] for event in bytewise.events] == [event[:3] for event in whole.events]
    assert bytewise.units.sizes == whole.units.sizes
    assert bytewise.units.kinds == whole.units.kinds
