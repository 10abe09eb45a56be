"""Where the names of pcapng-utils 1.1 stay, so does what they do."""

from __future__ import annotations

import base64
import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from pcapng_utils.har.pirogue_enrichment import ContentDecryption, Stacktrace
from pcapng_utils.payload import Payload
from tests.har.peer import ask, needs_peer
from tests.har.test_stacktrace import call, entry, har

pytestmark = needs_peer

#: What 1.1 knew.
EVENTS = ("write", "sendto", "read", "recvfrom", "connect", "sendmsg", "writev")
ALGORITHMS = ("AES/CBC/PKCS5Padding", "AES", "RSA/ECB/PKCS1Padding", "SHA-256", "HmacSHA1", "ECDSA", "AESCMAC")
BODIES = (b"", b"abc", b"\xff", b"a\x00b", b"a\tb\r\n", "é日本🎉".encode(), b"\x1b", b"\x7f", "\u0085".encode())


def stacktrace_job(dice: random.Random) -> dict[str, Any]:
    entries = []
    for number in range(dice.randint(1, 8)):
        sent = dice.choice([dice.randrange(3_000_000), dice.randrange(3000) * 1000]) / 1e6
        entries.append(entry(sent, sent + dice.choice([0, 0.001, 0.05, 0.3]), "HTTP/2", str(number)))
    calls = [
        call(dice.choice([dice.randrange(-3000, 6000), dice.randrange(5)]), dice.choice(EVENTS), n=number)
        for number in range(dice.randint(1, 12))
    ]
    options: dict[str, Any] = dice.choice([{}, {"systematic_time_shift": dice.choice([0.5, -1.25, 0.003])}])
    return {"enrichment": "Stacktrace", "har": har(*entries), "records": calls, "options": options}


def test_the_same_calls_are_found(tmp_path: Path) -> None:
    jobs = [stacktrace_job(random.Random(seed)) for seed in range(150)]
    theirs = ask(jobs)
    found = 0
    for job, their in zip(jobs, theirs, strict=True):
        path = tmp_path / "log.json"
        path.write_text(json.dumps(job["records"]))
        Stacktrace(job["har"], path, operations="seed", **job["options"]).enrich()
        for ours, theirs_ in zip(job["har"]["log"]["entries"], their["log"]["entries"], strict=True):
            for side in ("request", "response"):
                assert ours[side].get("_stacktrace") == theirs_[side].get("_stacktrace"), job
                found += "_stacktrace" in theirs_[side]
        metadata = [har["log"]["creator"]["_metadata"]["enrichment_files_sha1"] for har in (job["har"], their)]
        assert metadata[0].keys() == metadata[1].keys()
    assert found > 500


def cipher_job(dice: random.Random) -> dict[str, Any]:
    sizes = [dice.randrange(0, 70) for _ in range(6)]
    calls = [(dice.randbytes(size), dice.randbytes(size + dice.randrange(-3, 20) % 30)) for size in sizes]
    records = []
    for number, (clear, encrypted) in enumerate(calls):
        algorithm = dice.choice(ALGORITHMS)
        data = {"iv": "00", "alg": algorithm, "in": clear.hex(), "out": encrypted.hex(), "key": ""}
        record = {"type": "aes_info_log", "pid": 1, "process": "p", "timestamp": 1000 + number}
        records.append({**record, "alg": algorithm, "data": data})
    entries = []
    for _ in range(4):
        messages: list[dict[str, Any]] = []
        for side in (1, 0):
            body = dice.choice(calls)[side]
            body = dice.choice([body, body[:-2], body + b"\xf0\xf1", body[5:]])
            messages.append(content(body, dice.choice(["raw", "standard", "url-safe"])))
        sent, received = messages
        request = {"postData": sent} if "encoding" not in sent else {"_content": sent}
        entries.append({**entry(0, 0.1), "request": request, "response": {"content": received}})
    return {"enrichment": "ContentDecryption", "har": har(*entries), "records": records, "options": {}}


def content(body: bytes, form: str) -> dict[str, Any]:
    """A body as it is, or as base64 text of one spelling or the other."""
    text = base64.b64encode(body).decode()
    if form == "raw":
        return {"mimeType": "a/b", "size": len(body), "text": text, "encoding": "base64"}
    if form == "url-safe":
        text = base64.urlsafe_b64encode(body).decode()
    return {"mimeType": "text/plain", "size": len(text), "text": text}


def test_the_same_bodies_are_decrypted(tmp_path: Path) -> None:
    jobs = [cipher_job(random.Random(seed)) for seed in range(150)]
    theirs = ask(copy.deepcopy(jobs))
    found = 0
    for job, their in zip(jobs, theirs, strict=True):
        path = tmp_path / "log.json"
        path.write_text(json.dumps(job["records"]))
        ContentDecryption(job["har"], path).enrich()
        for ours, theirs_ in zip(job["har"]["log"]["entries"], their["log"]["entries"], strict=True):
            for side in ("request", "response"):
                if "_decryption" in theirs_[side]:
                    found += 1
                    assert ours[side] == theirs_[side], job
    assert found > 200


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/json"])
def test_bodies_have_the_same_form(content_type: str) -> None:
    answers = ask([{"body": body.hex(), "type": content_type} for body in BODIES])
    for body, answer in zip(BODIES, answers, strict=True):
        request: dict[str, Any] = {}
        response: dict[str, Any] = {}
        payload = Payload(body)
        payload.update_har_request(request, content_type)
        payload.update_har_response(response, content_type)
        assert [payload.size, payload.sha1, payload.to_har_dict(), request, response] == answer
