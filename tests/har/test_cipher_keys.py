"""Which keys are tried on a call, and in which order."""

from __future__ import annotations

import random
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from pcapng_utils.har.pirogue_enrichment import cipher_keys
from pcapng_utils.har.pirogue_enrichment.cipher_keys import KeyFinder
from pcapng_utils.har.pirogue_enrichment.cipher_log import CipherCall

IV = bytes(range(16))
DICE = random.Random(1)
KEYS = [DICE.randbytes(16) for _ in range(400)]
MADE_AT = range(0, 4000, 10)
"""Records of the log."""


def call(index: int, key: bytes) -> CipherCall:
    clear = DICE.randbytes(32)
    encrypted = Cipher(algorithms.AES(key), modes.CBC(IV)).encryptor().update(clear)
    return CipherCall(index, 1, "p", 0.0, "AES/CBC/NoPadding", IV, b"", clear, encrypted)


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Keys that were tried."""
    tried: list[bytes] = []
    opens = cipher_keys._decrypts

    def count(decrypt: Any, key: bytes, call: CipherCall) -> bool:
        tried.append(key)
        return opens(decrypt, key, call)

    monkeypatch.setattr(cipher_keys, "_decrypts", count)
    return tried


def test_any_key_of_the_log_is_found() -> None:
    finder = KeyFinder(KEYS, range(400), MADE_AT)
    for number in (0, 1, 200, 398, 399):
        for index in (0, 5, 2005, 5000):
            assert finder.find(call(index, KEYS[number])) == KEYS[number]


def test_a_key_made_just_before_the_call_or_found_last_is_tried_first(trials: list[bytes]) -> None:
    finder = KeyFinder(KEYS, range(400), MADE_AT)
    for index in (5, 15, 2005, 3995):
        assert finder.find(call(index, KEYS[index // 10])) == KEYS[index // 10]
    assert finder.find(call(7, KEYS[399])) == KEYS[399]
    assert len(trials) <= 8
    # A key made a second time is near its second making, too.
    del trials[:]
    assert KeyFinder(KEYS, [*range(400), 3], [*MADE_AT, 5000]).find(call(5001, KEYS[3])) == KEYS[3]
    assert len(trials) == 1


def test_calls_with_keys_that_were_not_logged_do_not_cost_a_trial_of_each_key_for_ever(
    trials: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KeyFinder, "WORK", 2 * 4096 * 1000)
    finder = KeyFinder(KEYS, range(400), MADE_AT)
    for _ in range(100):
        assert finder.find(call(4000, bytes(16))) == b""
    assert len(trials) <= 1000 + 100 * KeyFinder.NEAREST
    assert finder.find(call(2005, KEYS[200])) == KEYS[200]
