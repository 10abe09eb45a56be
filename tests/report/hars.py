"""HARs for the report's tests: one with everything that the page can show, one that is hostile, one that is long."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import struct
from typing import Any

from tests.report.making import (
    ADNOVA,
    BEGIN,
    CLIENT,
    HOSTS,
    TRACKLY,
    Json,
    Maker,
    connection,
    content,
    decryption,
    frame,
    har,
    pairs,
    png,
    protobuf_field,
)

ANDROID_ID = "f00dcafe12345678"
ADVERTISING_ID = "8a6f2c1e-4b7d-4c0a-9f53-1d2e3c4b5a69"
DEVICE = {"ro.product.model": "Pixel 6", "ro.build.version.sdk": "33", "android_id": ANDROID_ID}


class WeatherApp:
    """An app that asks for the weather, and the two companies it takes along."""

    def __init__(self) -> None:
        self.make = Maker()
        self.chance = random.Random(7)
        self.findings: list[Json] = []

    def found(self, identifier: str, form: str, where: str, sdk: Json) -> None:
        entry = len(self.make.entries) - 1
        host = self.make.entries[entry]["request"]["_communication"]["dst"]["host"]
        self.findings.append(
            {
                "identifier": identifier,
                "form": form,
                "where": where,
                "entry": entry,
                "direction": "out",
                "sdk": sdk,
                "host": host,
            }
        )

    def forecast(self, number: int) -> None:
        days = [{"t": 7.5 + day, "sky": "☁"} for day in range(6)]
        text = json.dumps({"place": {"lat": 48.8566, "lon": 2.3522}, "days": days, "ok": True}, ensure_ascii=False)
        self.make.add(
            "api.weather.example",
            path=f"/v2/forecast?lat=48.8566&lon=2.3522&n={number}",
            response=content(text, "application/json; charset=utf-8"),
            wait=self.chance.uniform(20, 90),
        )

    def events(self, number: int) -> None:
        clear = json.dumps({"event": "screen", "n": number, "aid": ANDROID_ID, "idfa": ADVERTISING_ID})
        entry = self.make.add(
            "in.trackly.example",
            "POST",
            f"/v1/events?batch={number}",
            request=content(clear, "application/octet-stream"),
            response=content('{"accepted": 1}', "application/json"),
            wait=self.chance.uniform(30, 60),
        )
        entry["request"]["_decryption"] = decryption(self.chance.randbytes(len(clear) + 3))
        self.found("android_id", "plain", "decrypted body", TRACKLY)
        self.found("advertising_id", "plain", "decrypted body", TRACKLY)

    def bid(self, number: int) -> None:
        digest = hashlib.md5(ANDROID_ID.encode()).hexdigest()
        self.make.add(
            "bid.adnova.example",
            "POST",
            "/bid",
            request=content(f"aid={digest}&slot={number}&geo=48.85%2C2.35", "application/x-www-form-urlencoded"),
            response=content('{"bids": [], "next": 30}', "application/json"),
            confidence=self.chance.choice((0.99, 0.97, 0.71)),
            version="HTTP/1.1",
            wait=self.chance.uniform(60, 220),
        )
        self.found("android_id", "md5", "body", ADNOVA)

    def advertisement(self, number: int) -> None:
        path = f"/creative/{number}.png"
        self.make.add("cdn.adnova.example", path=path, response=content(png(), "image/png"), confidence=None)

    def sync(self) -> None:
        status = self.chance.choice((302, 404, 503))
        self.make.add("bid.adnova.example", path="/sync", status=status, confidence=0.32, version="HTTP/1.1")

    def rpc(self) -> None:
        nested = protobuf_field(1, b"wifi") + protobuf_field(2, 1_795_485_865_123) + protobuf_field(3, 48.8566)
        message = b"".join(
            (
                protobuf_field(1, b"session-7"),
                protobuf_field(4, nested),
                protobuf_field(9, bytes(range(40))),
                protobuf_field(12, 2**64 - 5),
            )
        )
        self.make.add(
            "in.trackly.example",
            "POST",
            "/trackly.Ingest/Push",
            request=content(b"\0" + struct.pack(">I", len(message)) + message, "application/grpc+proto"),
            response=content(message, "application/x-protobuf"),
        )

    def radar(self) -> None:
        now = self.make.time
        said: list[tuple[str, int, str]] = [
            ("send", 1, '{"subscribe": "radar", "tile": [8, 132, 87]}'),
            ("receive", 1, '{"ok": true}'),
            ("receive", 2, base64.b64encode(bytes(range(96))).decode()),
            ("send", 1, "ping"),
        ]
        self.make.add(
            "live.weather.example",
            path="/radar",
            status=101,
            version="HTTP/1.1",
            _resourceType="websocket",
            _webSocketMessages=[
                {"type": kind, "opcode": opcode, "data": data, "time": now + n / 3, "_rawFramesNumbers": [412 + n]}
                for n, (kind, opcode, data) in enumerate(said)
            ],
            _webSocketClose={"type": "receive", "code": 1001, "reason": "going away", "time": now + 2},
        )

    def alerts(self) -> None:
        now = self.make.time
        self.make.add(
            "live.weather.example",
            path="/alerts",
            response=content("event: alert\n\n", "text/event-stream"),
            _eventStream=[
                {"time": now + n / 5, "event": "alert", "id": str(n), "data": f'{{"level": {n}}}'} for n in range(3)
            ],
        )

    def account(self) -> None:
        entry = self.make.add(
            "api.weather.example",
            path="/v2/account",
            status=401,
            response=content("<p>gone</p>", "text/html"),
            _incomplete=["response: cut"],
        )
        cookie = {"name": "sid", "value": "s3cr3t", "path": "/", "httpOnly": True, "secure": True}
        entry["response"]["cookies"] = [cookie]


def empty() -> Json:
    """Of a capture without packets."""
    return har([], _connections=[], _dns=[], _problems=[], _findings=[])


def everything(rounds: int = 24) -> Json:
    """Each form of body and message, labels, findings, connections that were not read, problems and names."""
    app = WeatherApp()
    for number in range(rounds):
        app.make.time += app.chance.expovariate(1 / 0.9)
        app.forecast(number)
        app.events(number)
        if number % 2:
            app.bid(number)
        if number % 6 == 3:
            app.advertisement(number)
        if number % 9 == 4:
            app.sync()
    for last in (app.rpc, app.radar, app.alerts, app.account):
        last()
    reason = "no secret for this client random"
    lost = "packets were lost, or cut short by the capture"
    connections = [connection(1 + 2 * place, host, exchanges=20) for place, host in enumerate(HOSTS)]
    connections += [
        connection(20, "mtalk.push.example", decrypted="no", reason=reason, exchanges=0),
        connection(21, "mtalk.push.example", decrypted="no", reason=reason, exchanges=0),
        connection(22, "pinned.bank.example", decrypted="no", reason=reason, exchanges=0, application="TLS"),
        connection(23, "video.example", decrypted="partly", reason=lost, exchanges=0),
    ]
    return har(app.make.entries, _connections=connections, _dns=_names(), _problems=_problems(), _findings=app.findings)


def _problems() -> list[Json]:
    gap = {"kind": "tcp-gap", "message": "bytes of the stream were not captured", "connection": "23"}
    lines = {"kind": "keylog-bad-line", "message": "lines of sslkeylog.txt are no lines of a key log"}
    cut = {"kind": "capture-truncated", "message": "The capture was cut short in the middle of a packet; all before it"}
    return [
        {**cut, "connection": None, "frame": 900, "count": 1, "lostBytes": 15},
        {**gap, "frame": 311, "lastFrame": 390, "count": 3, "lostBytes": 4380},
        {**lines, "connection": None, "frame": None, "count": 1, "detail": "2 lines"},
    ]


def _names() -> list[Json]:
    return [
        {
            "time": BEGIN + number / 50,
            "name": host,
            "type": "A",
            "rcode": "NOERROR",
            "client": CLIENT,
            "server": "10.8.0.1",
            "transport": "udp",
            "frame": 1 + number,
            "answers": [{"name": host, "type": "A", "ttl": 60, "data": address}],
        }
        for number, (host, address) in enumerate(HOSTS.items())
    ]


HOSTILE = (
    "</script><script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    "\"'><svg/onload=window.hacked=1>",
    "javascript:window.hacked=1",
    "{{constructor.constructor('window.hacked=1')()}}",
    "<!--<script>",
    "]]>\u2028\u2029\x00\x01\x1b[31m\x7f\u202egnp.exe\u2066",
    "__proto__",
    "%3Cscript%3Ewindow.hacked=1%3C/script%3E",
)


def hostile() -> Json:
    """Script, markup and control characters wherever a capture can put a text."""
    make = Maker()
    for text in HOSTILE:
        vnode = {"type": "script", "props": {"dangerouslySetInnerHTML": {"__html": text}}, "__proto__": text}
        for body in (
            text,
            json.dumps({**vnode, text: [text]}),
            f"<html><script>{text}</script></html>",
            f"<svg xmlns='http://www.w3.org/2000/svg' onload='window.hacked=1'>{text}</svg>",
        ):
            _add_hostile(make, text, body)
    whole = har(
        make.entries,
        _connections=[_hostile_connection(number, text) for number, text in enumerate(HOSTILE)],
        _dns=[
            {**dict.fromkeys(("name", "type", "rcode", "server"), text), "time": BEGIN, "answers": [{"data": text}]}
            for text in HOSTILE
        ],
        _problems=[
            {**dict.fromkeys(("kind", "message", "connection", "detail"), text), "frame": 1, "count": 1}
            for text in HOSTILE
        ],
        _findings=[
            {
                **dict.fromkeys(("identifier", "form", "where", "direction", "host"), text),
                "entry": number,
                "sdk": {"name": text},
            }
            for number, text in enumerate(HOSTILE)
        ],
    )
    creator = whole["log"]["creator"]
    creator.update(name=HOSTILE[0], version=HOSTILE[1])
    creator["_metadata"]["files"][0]["name"] = HOSTILE[1]
    return whole


def _hostile_connection(number: int, text: str) -> Json:
    certificate = dict.fromkeys(("subject", "issuer", "notBefore", "sha256"), text)
    return {
        **connection(number, text, decrypted="no", reason=text, application=text),
        "id": text,
        "service": text,
        "tls": {text: text, "version": text, "certificates": [{**certificate, "names": [text]}]},
    }


def _add_hostile(make: Maker, text: str, body: str) -> None:
    evil = [{"name": text, "value": text}, {"name": "type", "value": "script"}]
    entry = make.add(
        "in.trackly.example", request=content(body, text), response=content(body, "image/svg+xml"), headers=evil
    )
    message: dict[str, Any] = {
        "headers": evil,
        "_trailers": evil,
        "cookies": [{**evil[0], "domain": text, "path": text}],
        "httpVersion": text,
        "_decryption": {
            **decryption(text.encode()),
            "process": text,
            "primitiveParameters": dict.fromkeys(("algorithm", "key", "iv"), text),
        },
        "_stacktrace": {
            "stack": [{**frame(text, text), "file": text, "str": text}],
            **dict.fromkeys(("process", "socketEventType", "socketType"), text),
        },
        "_attribution": {
            "method": text,
            "confidence": 0.9,
            "alternatives": [{"operation": 1, "confidence": 0.1, "code": text}],
        },
    }
    entry["request"].update(message, method=text, url=f"https://{text}/{text}?{text}", queryString=evil)
    entry["response"].update(message, statusText=text, redirectURL=text)
    entry.update(
        **dict.fromkeys(("connection", "serverIPAddress", "_communityId", "startedDateTime"), text),
        _incomplete=[text],
        _sdk={"name": text, "company": text, "categories": [text], "source": "code"},
        _webSocketMessages=[{"type": "send", "opcode": 1, "data": body, "time": BEGIN}],
        _webSocketClose={"type": text, "code": 1000, "reason": text},
    )


NEEDLES = 10


def long(number: int = 10_000) -> Json:
    """Many exchanges of about 2 kB of body each; `NEEDLES` of them have the word needle in their bodies."""
    chance = random.Random(11)
    make = Maker()
    for place in range(number):
        make.time += chance.expovariate(10)
        note = "needle" if place % (number // NEEDLES) == 7 else "hay"
        body = json.dumps({"n": place, "pad": chance.randbytes(900).hex(), "note": note})
        make.add(
            chance.choice(list(HOSTS)),
            chance.choice(("GET", "POST")),
            f"/v{place % 5}/resource/{place}?k={chance.randrange(10**9)}",
            headers=pairs(Host="weather.example", Accept="*/*", X_Request=str(place)),
            response=content(body, "application/json"),
            status=chance.choice((200, 200, 200, 204, 404)),
            wait=chance.uniform(1, 30),
        )
    return har(make.entries, _connections=[connection(1 + 2 * place, host) for place, host in enumerate(HOSTS)])
