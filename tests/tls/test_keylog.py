"""Key logs and remembered sessions."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.tls.keylog import SecretStore, read_keylog

RANDOM = bytes(range(32))


def line(label: str, secret: str = "aa" * 48, random: bytes = RANDOM) -> bytes:
    return f"{label} {random.hex()} {secret}\n".encode()


def test_secrets_are_found_by_random_and_label() -> None:
    store = SecretStore()
    store.add_keylog(line("CLIENT_RANDOM", "01" * 48) + line("SERVER_TRAFFIC_SECRET_0", "02" * 32), "a")
    assert store.get(RANDOM, "CLIENT_RANDOM") == b"\x01" * 48
    assert store.get(RANDOM, "SERVER_TRAFFIC_SECRET_0") == b"\x02" * 32
    assert store.get(RANDOM, "CLIENT_TRAFFIC_SECRET_0") is None
    assert store.get(bytes(32), "CLIENT_RANDOM") is None
    assert store.has(RANDOM)
    assert not store.has(bytes(32))
    assert len(store) == 1


def test_quic_spellings_and_later_traffic_secrets_are_known() -> None:
    store = SecretStore()
    store.add_keylog(line("QUIC_CLIENT_HANDSHAKE_TRAFFIC_SECRET") + line("CLIENT_TRAFFIC_SECRET_3", "03" * 32), "a")
    assert store.get(RANDOM, "CLIENT_HANDSHAKE_TRAFFIC_SECRET") == b"\xaa" * 48
    assert store.get(RANDOM, "CLIENT_TRAFFIC_SECRET_3") == b"\x03" * 32


def test_the_last_line_counts() -> None:
    store = SecretStore()
    store.add_keylog(line("CLIENT_RANDOM", "01" * 48), "a")
    store.add_keylog(line("CLIENT_RANDOM", "02" * 48), "b")
    assert store.get(RANDOM, "CLIENT_RANDOM") == b"\x02" * 48


def test_bad_lines_are_counted_by_source_and_the_rest_is_read() -> None:
    store = SecretStore()
    bad = [
        b"CLIENT_RANDOM 00 11",
        b"CLIENT_RANDOM " + RANDOM.hex().encode() + b" xyz",
        b"CLIENT_RANDOM " + RANDOM.hex().encode(),
        b"\xff\xfe\x00nonsense",
        b"RSA 00 11",
        b"client_random a b",
    ]
    good = [b"# comment", b"", b"  ", line("CLIENT_RANDOM").strip(), line("A_LABEL_TO_COME").strip()]
    store.add_keylog(b"\r\n".join(bad + good), "phone")
    assert store.bad_lines == len(bad)
    assert store.bad_lines_by_source == {"phone": len(bad)}
    assert store.lines == 1
    assert store.get(RANDOM, "CLIENT_RANDOM")


def test_premaster_secrets_go_by_their_encrypted_form() -> None:
    store = SecretStore()
    assert not store.has_premasters
    store.add_keylog(b"RSA 0102030405060708 " + b"07" * 48 + b"\n", "a")
    assert store.premaster(bytes(range(1, 9)) + bytes(120)) == b"\x07" * 48
    assert store.premaster(bytes(128)) is None


def test_sessions_are_remembered_up_to_a_limit() -> None:
    store = SecretStore()
    for number in range(SecretStore.MAX_SESSIONS + 1):
        store.remember(number.to_bytes(4, "big"), b"m")
    assert store.recall(bytes(4)) is None
    assert store.recall((1).to_bytes(4, "big")) == b"m"
    store.remember(b"t" * 500, b"ticket's")
    assert store.recall(b"t" * 500) == b"ticket's"


@given(st.lists(st.sampled_from([b"a", b"bc\n", b"\n", b"CLIENT_RANDOM 1 2\n", b"x" * 70])), st.integers(1, 64))
def test_a_log_is_handed_on_in_whole_lines(pieces: list[bytes], size: int) -> None:
    text = b"".join(pieces)
    blocks = list(read_keylog(io.BytesIO(text), size))
    assert b"".join(blocks) == text
    for block in blocks[:-1]:
        assert block.endswith(b"\n") or len(block) >= size


@given(st.binary(max_size=300))
def test_no_text_raises(text: bytes) -> None:
    SecretStore().add_keylog(text, "fuzz")


@given(st.binary(max_size=64), st.text("ABCDEFGHIJ_0123", min_size=1, max_size=30))
def test_what_is_not_there_is_none(random: bytes, label: str) -> None:
    store = SecretStore()
    store.add_keylog(line("CLIENT_RANDOM"), "a")
    assert store.get(random, label) is None
