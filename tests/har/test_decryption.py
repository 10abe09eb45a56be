"""Bodies matched with cipher calls, and keys found by trial."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.padding import PKCS7

from pcapng_utils.har.pirogue_enrichment import ContentDecryption

KEY = bytes(range(16))
IV = bytes(range(100, 116))
CLEAR = b'{"imei": "356938035643809"}'


def cbc(clear: bytes, key: bytes = KEY, iv: bytes = IV) -> bytes:
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(padder.update(clear) + padder.finalize()) + encryptor.finalize()


def call(
    sides: tuple[bytes, bytes], algorithm: str = "AES/CBC/PKCS5Padding", iv: bytes = IV, **more: Any
) -> dict[str, Any]:
    data = {"iv": iv.hex(), "alg": algorithm, "in": sides[0].hex(), "out": sides[1].hex(), "key": ""}
    return {"type": "aes_info_log", "pid": 7, "process": "org.example", "timestamp": 1500, "data": data, **more}


def key_made(key: bytes, algorithm: str = "AES") -> dict[str, Any]:
    data = {"iv": "", "alg": algorithm, "key": key.hex(), "in": "", "out": ""}
    return {"type": "aes_info_log", "pid": 7, "process": "org.example", "timestamp": 1400, "data": data}


def binary(body: bytes) -> dict[str, Any]:
    return {
        "_content": {
            "mimeType": "application/octet-stream",
            "size": len(body),
            "text": base64.b64encode(body).decode(),
            "encoding": "base64",
            "_sha256": "of the encrypted body",
        },
        "_requestBodyStatus": "discarded:not-representable",
    }


def text(body: str) -> dict[str, Any]:
    return {"postData": {"mimeType": "text/plain", "params": [], "text": body, "_size": len(body)}}


def enriched(
    tmp_path: Path, records: Any, request: dict[str, Any], content: dict[str, Any] | None = None
) -> dict[str, Any]:
    log = tmp_path / "aes_info.json"
    log.write_text(json.dumps(records))
    response = {"content": content or {"mimeType": "", "size": 0}}
    har = {"log": {"creator": {}, "entries": [{"request": dict(request), "response": response}]}}
    ContentDecryption(har, log).enrich()
    return har


@pytest.mark.parametrize(
    ("name", "value"),
    [("MIN_LEN_ENCRYPTED_BYTES", 10**6), ("MIN_LEN_DECRYPTED_BYTES", 10**6), ("MAX_SIZE_DIFF_FRACTION", 0.0)],
)
def test_a_subclass_may_set_what_is_too_short_or_too_different(tmp_path: Path, name: str, value: float) -> None:
    stricter = type("Stricter", (ContentDecryption,), {name: value})
    log = tmp_path / "aes_info.json"
    log.write_text(json.dumps([call((CLEAR, cbc(CLEAR)))]))
    for enricher, found in ((ContentDecryption, True), (stricter, False)):
        entry = {"request": binary(cbc(CLEAR)), "response": {"content": {"mimeType": "", "size": 0}}}
        enricher({"log": {"creator": {}, "entries": [entry]}}, log).enrich()
        assert ("_decryption" in entry["request"]) == found


def test_a_subclass_may_take_shorter_bodies(tmp_path: Path) -> None:
    class Lenient(ContentDecryption):
        MIN_LEN_ENCRYPTED_BYTES = 3
        MIN_LEN_DECRYPTED_BYTES = 1

    log = tmp_path / "aes_info.json"
    log.write_text(json.dumps([call((b"abc", b"\xff\xfe\xfd"), "RC4")]))
    entry = {"request": binary(b"\xff\xfe\xfd"), "response": {"content": {"mimeType": "", "size": 0}}}
    Lenient({"log": {"creator": {}, "entries": [entry]}}, log).enrich()
    assert "_decryption" in entry["request"]


def test_a_request_is_matched_by_what_its_cipher_put_out(tmp_path: Path) -> None:
    body = cbc(CLEAR)
    har = enriched(tmp_path, [key_made(os.urandom(16)), key_made(KEY), call((CLEAR, body))], binary(body))
    request = har["log"]["entries"][0]["request"]
    assert request["postData"] == {
        "mimeType": "application/octet-stream",
        "params": [],
        "text": CLEAR.decode(),
        "_size": len(CLEAR),
        "_sha256": hashlib.sha256(CLEAR).hexdigest(),
    }
    assert "_content" not in request
    assert request["_decryption"] == {
        "pid": 7,
        "process": "org.example",
        "timestamp": 1.5,
        "primitiveParameters": {"algorithm": "AES/CBC/PKCS5Padding", "key": KEY.hex(), "iv": IV.hex()},
        "originalBase64Content": base64.b64encode(body).decode(),
        "sizeDiffEncrypted": 0,
        "sizeDiffDecrypted": len(CLEAR) - len(body),
    }


def test_a_response_is_matched_by_what_its_cipher_took_in(tmp_path: Path) -> None:
    body = cbc(CLEAR)
    content = {
        "mimeType": "text/plain",
        "size": len(body),
        "text": base64.b64encode(body).decode(),
        "encoding": "base64",
    }
    response = enriched(tmp_path, [call((body, CLEAR))], {}, content)["log"]["entries"][0]["response"]
    assert response["content"] == {"mimeType": "text/plain", "size": len(CLEAR), "text": CLEAR.decode()}
    assert response["_decryption"]["primitiveParameters"]["key"] == ""


@pytest.mark.parametrize(
    "spelling",
    [
        lambda body: base64.b64encode(body).decode(),
        lambda body: base64.urlsafe_b64encode(body).decode(),
        lambda body: base64.b64encode(body).decode().rstrip("="),
        lambda body: base64.encodebytes(body).decode(),
    ],
    ids=["standard", "url-safe", "unpadded", "in lines"],
)
def test_base64_text_counts_as_the_bytes_it_stands_for(tmp_path: Path, spelling: Any) -> None:
    body = cbc(CLEAR * 5)
    request = enriched(tmp_path, [call((CLEAR * 5, body))], text(spelling(body)))["log"]["entries"][0]["request"]
    assert request["postData"]["text"] == (CLEAR * 5).decode()


@pytest.mark.parametrize(
    ("body_of", "matches"),
    [
        (lambda body: b"IV: 12345678" + body, True),
        (lambda body: body[2:], True),
        (lambda body: body + bytes(200), False),
        (lambda body: bytes(len(body)), False),
        (lambda body: body[:7], False),
    ],
    ids=["contains it", "is contained", "too much else", "another", "too short"],
)
def test_a_body_may_contain_the_encrypted_side_or_be_contained(tmp_path: Path, body_of: Any, matches: bool) -> None:
    encrypted = cbc(CLEAR)
    request = enriched(tmp_path, [call((CLEAR, encrypted))], binary(body_of(encrypted)))["log"]["entries"][0]["request"]
    assert ("_decryption" in request) is matches


def test_of_several_calls_the_nearest_in_size_is_taken_and_of_equals_the_first(tmp_path: Path) -> None:
    body = cbc(CLEAR)
    calls = [
        call((CLEAR, body + bytes(16)), timestamp=1),
        call((CLEAR, body), timestamp=2),
        call((CLEAR, body), timestamp=3),
    ]
    request = enriched(tmp_path, calls, binary(body))["log"]["entries"][0]["request"]
    assert request["_decryption"]["timestamp"] == 0.002


@pytest.mark.parametrize(
    "algorithm",
    ["SHA-256", "HmacSHA256", "MD5", "SHA256withRSA", "PBEWithHmacSHA1", "NONEwithRSA", "AESCMAC", "BLAKE2B-256"],
)
def test_digests_macs_and_signatures_are_passed_over(tmp_path: Path, algorithm: str) -> None:
    body = os.urandom(32)
    request = enriched(tmp_path, [call((CLEAR, body), algorithm)], binary(body))["log"]["entries"][0]["request"]
    assert "_decryption" not in request


@pytest.mark.parametrize("algorithm", ["RSA/ECB/OAEPWithSHA-256AndMGF1Padding", "PBEWithMD5AndDES"])
def test_ciphers_with_digests_in_their_names_are_ciphers(tmp_path: Path, algorithm: str) -> None:
    body = os.urandom(32)
    request = enriched(tmp_path, [call((CLEAR, body), algorithm)], binary(body))["log"]["entries"][0]["request"]
    assert "_decryption" in request


def _stream(algorithm: Any, mode: Any) -> bytes:
    return bytes(Cipher(algorithm, mode).encryptor().update(CLEAR))


@pytest.mark.parametrize(
    ("algorithm", "iv", "encrypted"),
    [
        ("AES", b"", Cipher(algorithms.AES(KEY), modes.ECB()).encryptor().update(CLEAR + b"\x05" * 5)),
        ("AES/CTR/NoPadding", IV, _stream(algorithms.AES(KEY), modes.CTR(IV))),
        ("AES/GCM/NoPadding", IV[:12], AESGCM(KEY).encrypt(IV[:12], CLEAR, b"additional data")),
        ("ChaCha20-Poly1305", IV[:12], ChaCha20Poly1305(KEY * 2).encrypt(IV[:12], CLEAR, None)),
    ],
)
def test_a_key_is_named_when_it_decrypts(tmp_path: Path, algorithm: str, iv: bytes, encrypted: bytes) -> None:
    key = KEY * 2 if algorithm.startswith("ChaCha") else KEY
    records = [key_made(os.urandom(len(key))), key_made(key), call((CLEAR, encrypted), algorithm, iv)]
    request = enriched(tmp_path, records, binary(encrypted))["log"]["entries"][0]["request"]
    assert request["_decryption"]["primitiveParameters"]["key"] == key.hex()


def test_malformed_records_are_passed_over(tmp_path: Path) -> None:
    body = cbc(CLEAR)
    records = [{"x": 1}, {"data": 5}, call((CLEAR, body)), {"data": {"in": "no hex", "out": "00"}}]
    har = enriched(tmp_path, records, binary(body))
    assert "_decryption" in har["log"]["entries"][0]["request"]


@pytest.mark.parametrize(
    ("logged", "pid"), [("unknown", None), ("", None), (None, None), ("4242", 4242), (4242, 4242), (4242.0, 4242)]
)
def test_a_call_counts_whether_or_not_its_process_was_known(tmp_path: Path, logged: Any, pid: int | None) -> None:
    body = cbc(CLEAR)
    records = [call((CLEAR, body), pid=logged, process="unknown")]
    decryption = enriched(tmp_path, records, binary(body))["log"]["entries"][0]["request"]["_decryption"]
    assert (decryption["pid"], decryption["process"]) == (pid, "unknown")


def test_a_second_run_and_a_file_that_is_no_log_are_refused(tmp_path: Path) -> None:
    body = cbc(CLEAR)
    har = enriched(tmp_path, [call((CLEAR, body))], binary(body))
    digest = hashlib.sha1((tmp_path / "aes_info.json").read_bytes()).hexdigest()
    assert har["log"]["creator"]["_metadata"]["enrichment_files_sha1"] == {"pirogue_decryption": digest}
    with pytest.raises(ValueError, match="before"):
        ContentDecryption(har, tmp_path / "aes_info.json").enrich()
    other = tmp_path / "other.json"
    other.write_text("no JSON")
    with pytest.raises(ValueError, match=r"other\.json"):
        ContentDecryption({"log": {"creator": {}, "entries": [{}]}}, other).enrich()


@pytest.mark.parametrize("content", ["[]", ""])
def test_an_empty_log_enriches_nothing(tmp_path: Path, content: str) -> None:
    log = tmp_path / "aes_info.json"
    log.write_text(content)
    har: dict[str, Any] = {"log": {"creator": {}, "entries": [{"request": {}, "response": {}}]}}
    assert ContentDecryption(har, log).enrich() is False
    assert ContentDecryption(har, Path(os.devnull)).enrich() is False
    assert ContentDecryption({"log": {"creator": {}, "entries": []}}, log).enrich() is False
