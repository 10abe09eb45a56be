"""What the app on the phone will do: a load, and the jobs it amounts to for a seed."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote_plus, urlencode

from lab.network import SERVER_ADDRESSES

Protocol = Literal["http1", "http2", "cleartext", "websocket"]

ORIGINS: Final[dict[Protocol, str]] = {
    "http1": "https://events.trackly.test",
    "http2": "https://bid.adnova.test",
    "cleartext": "http://cdn.weather.test",
    "websocket": "wss://live.weather.test",
}
ZONE: Final = {
    "events.trackly.test": SERVER_ADDRESSES[0],
    "bid.adnova.test": SERVER_ADDRESSES[1],
    "cdn.weather.test": SERVER_ADDRESSES[2],
    "live.weather.test": SERVER_ADDRESSES[3],
}
SDKS: Final = (
    ("com.adnova.core.BidRequest", "send"),
    ("io.trackly.sdk.internal.EventUploader", "upload"),
    ("com.example.weather.net.ForecastClient", "fetch"),
    ("org.acme.crash.ReportSender", "flush"),
)
"""Class and method of those who ask for requests."""

IDENTIFIERS: Final = {
    "advertising_id": "8a6f2c1e-4b7d-4c0a-9f53-1d2e3c4b5a69",
    "android_id": "f00dcafe12345678",
    "imei": "356938035643809",
    "email": "jane.roe@example.org",
}
FORMS: Final[dict[str, Callable[[str], str]]] = {
    "plain": str,
    "md5": lambda text: hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
    "sha256": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
}


@dataclass(frozen=True, slots=True)
class Load:
    """What kind of traffic. Times in seconds."""

    protocols: tuple[Protocol, ...] = ("http1", "http2")
    """Each request takes one of them by chance."""
    client: Literal["threads", "asyncio"] = "threads"
    """Threads with stacks that name the request, or one thread whose stacks tell nothing."""
    workers: int = 6
    """Threads, or tasks of the one thread."""
    requests: int = 200
    connections: int = 3
    """At most so many at once to a host of HTTP/1.1."""
    pause: float = 0.005
    """Mean time a worker rests between two requests (exponential): 0 is busy, 0.1 idle."""
    delay: float = 0.003
    """Mean time the server takes to answer (exponential)."""
    large: float = 0.05
    """Share of requests and of responses whose body has tens of kilobytes; the others have some hundred bytes."""
    encrypted: float = 0.0
    """Share of requests whose body the app encrypts itself."""
    messages: int = 12
    """Messages each way on a WebSocket."""
    header_first: bool = False
    """The TLS library reads a record in two calls, its header first."""
    joined: bool = False
    """The TLS library sends all records of one write in one call."""


@dataclass(slots=True)
class Job:
    """One request, or one WebSocket."""

    number: int
    protocol: Protocol
    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes
    sdk: tuple[str, str]
    cipher: str = ""
    """Name in `lab.cipher.ALGORITHMS` under which the app encrypts `body`; empty: it does not."""
    text: bool = False
    """The encrypted body travels as base64."""
    rest: float = 0.0
    """Seconds before it."""
    messages: list[str | bytes] = field(default_factory=list)
    identifiers: list[dict[str, str]] = field(default_factory=list)


def jobs(load: Load, seed: int) -> list[Job]:
    chance = random.Random(seed)
    return [_job(load, number, chance) for number in range(load.requests)]


def _job(load: Load, number: int, chance: random.Random) -> Job:
    protocol = chance.choice(load.protocols)
    sdk = chance.choice(SDKS)
    size = chance.randrange(20_000, 120_000) if chance.random() < load.large else chance.randrange(40, 900)
    answer = chance.randrange(20_000, 120_000) if chance.random() < load.large else chance.randrange(40, 900)
    delay = chance.expovariate(1 / load.delay) if load.delay else 0.0
    rest = chance.expovariate(1 / load.pause) if load.pause else 0.0
    headers = [("x-truth", str(number)), ("user-agent", "Weather/4.2 (Android 13; Pixel 6)"), ("accept", "*/*")]
    url = ORIGINS[protocol]
    query = {"size": answer, "seed": number, "delay": f"{delay:.4f}"}
    if protocol == "websocket":
        messages: list[str | bytes] = [
            chance.randbytes(size // 2) if chance.random() < 0.2 else json.dumps({"n": n, "v": "w" * (size // 4)})
            for n in range(load.messages)
        ]
        return Job(number, protocol, "GET", f"{url}/live/{number}", headers, b"", sdk, rest=rest, messages=messages)
    name, form = chance.choice(list(IDENTIFIERS)), chance.choice(list(FORMS))
    value = FORMS[form](IDENTIFIERS[name])
    if chance.random() < load.encrypted:
        body = json.dumps({"n": number, "secret": value, "pad": "y" * size}).encode()
        cipher, text = chance.choice(("cbc", "cbc", "gcm", "ecb")), chance.random() < 0.5
        query |= {"alg": cipher, "text": int(text)}
        headers.append(("content-type", "text/plain" if text else "application/octet-stream"))
        identifiers = [{"name": name, "form": form, "where": "decrypted body"}]
        target = f"{url}/enc/{size}?{urlencode(query)}"
        return Job(number, protocol, "POST", target, headers, body, sdk, cipher, text, rest, identifiers=identifiers)
    kind = chance.choice(("collect", "form", "pixel"))
    where, target = "body", f"{url}/{kind}/{size}?{urlencode(query)}"
    if kind == "pixel":
        where, body, target = "query", b"", f"{target}&u={quote_plus(value)}"
    elif kind == "form":
        headers.append(("content-type", "application/x-www-form-urlencoded"))
        body = urlencode({"u": value, "city": "Zürich", "pad": "p" * size}).encode()
    else:
        headers.append(("content-type", "application/json"))
        body = json.dumps({"device": {"u": value}, "pad": "q" * size}).encode()
    method = "GET" if kind == "pixel" else "POST"
    identifiers = [{"name": name, "form": form, "where": where}]
    return Job(number, protocol, method, target, headers, body, sdk, rest=rest, identifiers=identifiers)
