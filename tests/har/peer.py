"""pcapng-utils 1.1, in an environment of its own: what it makes of HAR dicts, traces and bodies.

`PCAPNG_UTILS_PEER` names that environment's Python; without it, the tests that need it are skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

PYTHON = Path(os.environ.get("PCAPNG_UTILS_PEER", "/opt/peers/pcapng-utils/bin/python"))

needs_peer = pytest.mark.skipif(not PYTHON.exists(), reason="PCAPNG_UTILS_PEER names no Python with pcapng-utils 1.1")

_SCRIPT = """
import contextlib, json, logging, sys, tempfile
from pathlib import Path
from pcapng_utils.har.pirogue_enrichment import ContentDecryption, Stacktrace
from pcapng_utils.payload import Payload
logging.disable()
answers = []
for job in json.load(sys.stdin):
    if "body" in job:
        payload, request, response = Payload(bytes.fromhex(job["body"])), {}, {}
        payload.update_har_request(request, job["type"])
        payload.update_har_response(response, job["type"])
        answers.append([payload.size, payload.sha1, payload.to_har_dict(), request, response])
        continue
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.json"
        path.write_text(json.dumps(job["records"]))
        enrichment = {"Stacktrace": Stacktrace, "ContentDecryption": ContentDecryption}[job["enrichment"]]
        enrichment(job["har"], path, **job["options"]).enrich()
    answers.append(job["har"])
json.dump(answers, sys.stdout)
"""


def ask(jobs: list[dict[str, Any]]) -> list[Any]:
    """The peer's answer to each job: {`body` (hex), `type`}, or {`enrichment`, `har`, `records`, `options`}."""
    done = subprocess.run([PYTHON, "-c", _SCRIPT], input=json.dumps(jobs), capture_output=True, text=True, check=True)
    answers: list[Any] = json.loads(done.stdout)
    return answers
