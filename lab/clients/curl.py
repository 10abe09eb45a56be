"""curl: every exchange noted in the stage's truth."""

from __future__ import annotations

import os
import subprocess
from typing import Final

from lab.stage import HOST, Stage
from lab.truth import KEY, NOT_DECODED, Body, Exchange

_VERSIONS: Final = {"1": "HTTP/1.1", "1.0": "HTTP/1.0", "1.1": "HTTP/1.1", "2": "HTTP/2"}


def curl(
    stage: Stage, url: str, *options: str, method: str = "GET", body: bytes | None = None, address: str | None = None
) -> Exchange:
    """`url` on HOST; curl resolves it to `address` (default: the first server's)."""
    number = stage.number()
    headers, received = stage.work / "headers", stage.work / "received"
    where = address or stage.server
    resolve = [f"{HOST}:{port}:{where}" for port in (80, 443)]
    command = ["curl", "-sS", "--cacert", str(stage.authority.certificate), "-X", method, "-H", f"{KEY}: {number}"]
    command += [part for entry in resolve for part in ("--resolve", entry)]
    command += ["-D", str(headers), "-o", str(received), "-w", "%{http_version} %{http_code}", *options, url]
    if method == "HEAD":
        command[command.index("-X") : command.index("-X") + 2] = ["--head"]
    if body is not None:
        command += ["--data-binary", "@-"]
    environment = {**os.environ, "SSLKEYLOGFILE": str(stage.keylog)}
    received.write_bytes(b"")
    done = subprocess.run(command, input=body or b"", capture_output=True, env=environment, check=True)
    version, status = done.stdout.decode().split()
    exchange = Exchange(number, _VERSIONS[version], method, url, status=int(status), server=where)
    if "--http1.0" in options:
        exchange.protocol, exchange.response_protocol = "HTTP/1.0", exchange.protocol
    exchange.request_headers = [(KEY, str(number))]
    exchange.request = Body.of(body or b"")
    exchange.response_headers = _last_headers(headers.read_text(encoding="latin-1"))
    data = received.read_bytes() if method != "HEAD" else b""
    coded = data and any(name.lower() == "content-encoding" for name, _ in exchange.response_headers)
    exchange.response = Body(NOT_DECODED, "", len(data)) if coded else Body.of(data)
    stage.truth.exchanges.append(exchange)
    return exchange


def _last_headers(text: str) -> list[tuple[str, str]]:
    """Those of the final response: a proxy's and the interim ones come before."""
    lines = text.replace("\r\n", "\n").strip().split("\n\n")[-1].split("\n")[1:]
    pairs = (line.partition(":") for line in lines)
    return [(name, value.strip()) for name, _, value in pairs]
