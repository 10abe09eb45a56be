"""Headless Chromium, on a page whose script does what the scenario wants and reports what it saw."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lab.children import bound
from lab.stage import HOST, Stage
from lab.truth import KEY, NOT_DECODED, Body, Exchange, WebSocketClose, WebSocketMessage

_PATIENCE: Final = 60.0
_QUIET: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions"),
    *("--disable-domain-reliability", "--disable-breakpad", "--no-default-browser-check", "--no-pings"),
    "--disable-features=OptimizationHints,MediaRouter,Translate,NetworkTimeServiceQuerying",
)

PAGE: Final = """<!doctype html><meta charset=utf-8><title>lab</title><link rel=icon href="data:,">
<script type=module>
const hex = buffer => Array.from(new Uint8Array(buffer), b => b.toString(16).padStart(2, "0")).join("");
const digest = async data => hex(await crypto.subtle.digest("SHA-256", data));
const bytes = text => new TextEncoder().encode(text);
const seen = [];
async function fetched(job) {
  const init = {method: job.method, cache: "no-store", headers: {"KEY": String(job.id), ...job.headers}};
  if (job.body) init.body = job.body;
  const response = await fetch(job.target, init);
  const data = await response.arrayBuffer();
  seen.push({id: job.id, status: response.status, size: data.byteLength, sha256: await digest(data)});
}
async function talked(job) {
  const socket = new WebSocket(`wss://${location.host}${job.target}`);
  socket.binaryType = "arraybuffer";
  const received = [];
  await new Promise(resolve => {
    socket.onopen = () => job.messages.forEach(text => socket.send(text));
    socket.onmessage = event => {
      received.push(event.data);
      if (received.length === job.messages.length) socket.close(4000, "done");
    };
    socket.onclose = resolve;
  });
  seen.push({id: job.id, received});
}
async function listened(job) {
  const source = new EventSource(job.target);
  const events = [];
  await new Promise(resolve => {
    source.addEventListener("tick", event => events.push([event.lastEventId, event.data]));
    source.onerror = () => { source.close(); resolve(); };
  });
  seen.push({id: job.id, events});
}
const does = {fetch: fetched, websocket: talked, events: listened};
for (const group of JOBS) await Promise.all(group.map(job => does[job.kind](job)));
await fetch("/report", {method: "POST", headers: {"KEY": "REPORT"}, body: JSON.stringify(seen)});
</script>
"""

Job = dict[str, Any]


def browse(stage: Stage, groups: list[list[Job]], *options: str, protocol: str = "HTTP/2") -> None:
    """Open the stage's page, whose script does the jobs of each group at once, one group after the other, and note in
    the truth what the browser says that it saw. `stage.page` is where the server finds the page."""
    page_number, report_number = stage.number(), stage.number()
    script = PAGE.replace("JOBS", json.dumps(groups)).replace("REPORT", str(report_number)).replace("KEY", KEY)
    stage.page.write_text(script, encoding="utf-8")
    report = stage.work / "report.json"
    profile = stage.work / "profile"
    command = [
        *(
            "chromium",
            *_QUIET,
            f"--user-data-dir={profile}",
            f"--host-resolver-rules=MAP {HOST} {stage.server}, MAP * ~NOTFOUND",
        ),
        *(f"--ignore-certificate-errors-spki-list={_key_digest(stage.identity.certificate)}", *options),
        f"https://{HOST}/page?{KEY}={page_number}",
    ]
    environment = {**os.environ, "SSLKEYLOGFILE": str(stage.keylog), "HOME": str(stage.work)}
    with (stage.work / "chromium.log").open("wb") as output:
        browser = subprocess.Popen(
            bound(command), env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            _wait_for(report, stage.work / "chromium.log")
        finally:
            browser.terminate()
            browser.wait(_PATIENCE)
    _note(stage, page_number, "GET", f"/page?{KEY}={page_number}", protocol, stage.page.read_bytes(), b"")
    said = {item["id"]: item for item in json.loads(report.read_text())}
    for job in (job for group in groups for job in group):
        _note_job(stage, job, said[job["id"]], protocol)
    _note(stage, report_number, "POST", "/report", protocol, b"", report.read_bytes())
    shutil.rmtree(profile, ignore_errors=True)


def _note(stage: Stage, number: int, method: str, target: str, protocol: str, answer: bytes, body: bytes) -> Exchange:
    exchange = Exchange(number, protocol, method, f"https://{HOST}{target}", status=200, server=stage.server)
    exchange.request, exchange.response = Body.of(body), Body.of(answer)
    stage.truth.exchanges.append(exchange)
    return exchange


def _note_job(stage: Stage, job: Job, said: Job, protocol: str) -> None:
    body = job.get("body", "").encode()
    exchange = _note(stage, job["id"], job.get("method", "GET"), job["target"], protocol, b"", body)
    if job["kind"] == "fetch":
        exchange.status = said["status"]
        coded = "coding=" in job["target"]
        exchange.response = Body(said["size"], said["sha256"], None if coded else said["size"])
        exchange.request_headers = list(job["headers"].items())
    elif job["kind"] == "events":
        exchange.response = Body(NOT_DECODED, "", None)
    elif job["kind"] == "websocket":
        exchange.protocol, exchange.status = job.get("protocol", "HTTP/1.1"), job.get("status", 101)
        exchange.method = job.get("http_method", "GET")
        exchange.websocket = [WebSocketMessage.of("send", text) for text in job["messages"]]
        exchange.websocket += [WebSocketMessage.of("receive", text) for text in said["received"]]
        exchange.websocket_close = WebSocketClose("send", 4000, "done")


def _key_digest(certificate: Path) -> str:
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(info).digest()).decode()


def _wait_for(report: Path, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not report.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Chromium never reported: {log.read_text(errors='replace')[-1500:]}")
        time.sleep(0.05)
    time.sleep(0.2)
