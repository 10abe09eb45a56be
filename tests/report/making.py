"""Pieces of HARs, made by hand."""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from typing import Any

Json = dict[str, Any]

CIPHER = "AES/CBC/PKCS5Padding"
BEGIN = 1_795_485_865.0
CLIENT = "10.8.0.12"
HOSTS = {
    "api.weather.example": "192.0.2.10",
    "in.trackly.example": "198.51.100.20",
    "bid.adnova.example": "203.0.113.7",
    "cdn.adnova.example": "203.0.113.9",
    "live.weather.example": "192.0.2.11",
}
TRACKLY = {"name": "Trackly", "company": "Trackly Inc.", "categories": ["Analytics", "Profiling"], "source": "code"}
ADNOVA = {"name": "AdNova", "company": "AdNova Media", "categories": ["Advertisement"], "source": "code"}
CDN = {"name": "AdNova", "company": "AdNova Media", "categories": ["Advertisement"], "source": "host"}
CODE = {
    "in.trackly.example": ("io.trackly.sdk.internal.EventUploader", "upload"),
    "bid.adnova.example": ("com.adnova.core.BidRequest", "send"),
    "cdn.adnova.example": ("com.adnova.core.CreativeLoader", "fetch"),
    "api.weather.example": ("org.weather.app.net.ForecastClient", "refresh"),
    "live.weather.example": ("org.weather.app.live.Radar", "connect"),
}
_SDK = {"in.trackly.example": TRACKLY, "bid.adnova.example": ADNOVA, "cdn.adnova.example": CDN}


def pairs(**values: str) -> list[Json]:
    return [{"name": name.replace("_", "-"), "value": value} for name, value in values.items()]


def frame(owner: str, method: str, line: int = 10) -> Json:
    file = owner.rpartition(".")[2] + ".java"
    text = f"{owner}.{method}({file}:{line})"
    return {"class": owner, "method": method, "file": file, "line": line, "isNative": False, "str": text}


def stacktrace(host: str, time: float, call: str = "write") -> Json:
    owner, method = CODE[host]
    package = owner.rpartition(".")[0]
    stack = [
        frame("com.android.org.conscrypt.NativeCrypto", "SSL_write", -2),
        frame("com.android.org.conscrypt.NativeSsl", call, 426),
        frame("com.android.org.conscrypt.ConscryptFileDescriptorSocket$SSLOutputStream", call, 624),
        frame("okio.AsyncTimeout$1", call, 180),
        frame("okio.RealBufferedSink", "flush", 224),
        frame("okhttp3.internal.http2.Http2Writer", "flush", 120),
        frame("okhttp3.internal.http.CallServerInterceptor", "intercept", 77),
        frame("okhttp3.RealCall", "execute", 92),
        frame(owner, method, 214),
        frame(f"{package}.Scheduler", "run", 58),
        frame("java.util.concurrent.ThreadPoolExecutor", "runWorker", 1167),
        frame("java.lang.Thread", "run", 920),
    ]
    return {
        "stack": stack,
        "timestamp": time,
        "process": "org.weather.app",
        "pid": 4242,
        "threadId": 4311,
        "socketFd": 87,
        "socketType": "tcp6",
        "socketEventType": call,
        "compact": [one["class"] for one in stack],
    }


def content(body: str | bytes, mime_type: str) -> Json:
    """A body as HAR has it."""
    if isinstance(body, str):
        raw = body.encode()
        har = {"mimeType": mime_type, "size": len(raw), "text": body}
    else:
        raw = body
        har = {"mimeType": mime_type, "size": len(raw), "text": base64.b64encode(raw).decode(), "encoding": "base64"}
    return {**har, "_sha256": hashlib.sha256(raw).hexdigest()}


class Maker:
    """Entries one after the other, in time and in frame numbers."""

    def __init__(self) -> None:
        self.entries: list[Json] = []
        self.time = BEGIN
        self.frame = 1

    def add(
        self,
        host: str,
        method: str = "GET",
        path: str = "/",
        *,
        request: Json | None = None,
        response: Json | None = None,
        headers: list[Json] | None = None,
        status: int = 200,
        confidence: float | None = 0.99,
        version: str = "HTTP/2",
        wait: float = 40.0,
        sdk: Json | None = None,
        **extras: Any,
    ) -> Json:
        connection = str(1 + list(HOSTS).index(host) * 2) if host in HOSTS else "1"
        numbers = [self.frame, self.frame + 1, self.frame + 2]
        self.frame += 5
        query = [
            {"name": name, "value": value}
            for name, _, value in (part.partition("=") for part in path.partition("?")[2].split("&") if part)
        ]
        url = f"https://{host}{path}"
        first = {"ip": CLIENT, "host": CLIENT, "port": 40112}
        last = {"ip": HOSTS.get(host, "192.0.2.99"), "host": host, "port": 443}
        har_request: Json = {
            "method": method,
            "url": url,
            "httpVersion": version,
            "cookies": [],
            "queryString": query,
            "headers": headers or pairs(Host=host, User_Agent="okhttp/4.12", Accept_Encoding="gzip", X_App="weather/3"),
            "headersSize": 180,
            "bodySize": request["size"] if request else 0,
            "_timestamp": self.time,
            "_rawFramesNumbers": numbers,
            "_trailers": [],
            "_communication": {"src": first, "dst": last},
        }
        if request is not None:
            key = "_content" if "encoding" in request else "postData"
            har_request[key] = {**request, "_size": request["size"], "params": []}
        har_response: Json = {
            "status": status,
            "statusText": "",
            "httpVersion": version,
            "cookies": [],
            "redirectURL": "",
            "headers": pairs(Content_Type=(response or {}).get("mimeType", ""), Server="edge"),
            "headersSize": 90,
            "bodySize": response["size"] if response else 0,
            "_timestamp": self.time + wait / 1000,
            "_rawFramesNumbers": [numbers[-1] + 1],
            "_trailers": [],
            "_communication": {"src": last, "dst": first},
            "content": response or {"mimeType": "", "size": 0},
        }
        if confidence is not None and host in CODE:
            alternatives = [{"operation": 17, "confidence": round(1 - confidence, 3)}] if confidence < 0.95 else []
            har_request["_attribution"] = {
                "method": "alignment",
                "confidence": confidence,
                "deltaMs": -4.2,
                "operations": [len(self.entries) * 3],
                "shared": [],
                "alternatives": alternatives,
            }
            if confidence >= 0.5:
                har_request["_stacktrace"] = stacktrace(host, self.time + 0.18)
        first_of_connection = all(entry["connection"] != connection for entry in self.entries)
        timings = {
            "blocked": 1.2,
            "dns": 8.4 if first_of_connection else -1,
            "connect": 31.0 if first_of_connection else -1,
            "ssl": 18.0 if first_of_connection else -1,
            "send": 0.4,
            "wait": wait,
            "receive": 2.2,
        }
        entry = {
            "startedDateTime": "2026-11-24T02:04:25.000000+00:00",
            "time": wait + 3.8,
            "timings": timings,
            "_timestamp": self.time,
            "serverIPAddress": last["ip"],
            "connection": connection,
            "_communityId": "1:YfTWF8ILVXvHwLCsSgMVc/g7LdQ=",
            "cache": {},
            "_sha1Id": hashlib.sha1(f"{len(self.entries)}{url}".encode()).hexdigest(),
            "request": har_request,
            "response": har_response,
            "_sdk": sdk or _SDK.get(host),
            **extras,
        }
        self.entries.append(entry)
        self.time += wait / 1000
        return entry


def decryption(cipher: bytes, key: str = "ec083c0652e92e8be03351182319d780") -> Json:
    return {
        "pid": 4242,
        "process": "org.weather.app",
        "timestamp": BEGIN + 0.1,
        "primitiveParameters": {"algorithm": CIPHER, "key": key, "iv": "23f14a333200d6b18791dc6ca17897a2"},
        "originalBase64Content": base64.b64encode(cipher).decode(),
        "sizeDiffEncrypted": 0,
        "sizeDiffDecrypted": -3,
    }


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def protobuf_field(number: int, value: bytes | float) -> bytes:
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def png(width: int = 120, height: int = 60) -> bytes:
    """A picture: a gradient."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(
        b"\0" + b"".join(bytes((x * 2 % 256, y * 4 % 256, 160)) for x in range(width)) for y in range(height)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def connection(
    number: int, host: str, *, decrypted: str = "yes", reason: str = "", exchanges: int = 1, **more: Any
) -> Json:
    return {
        "id": str(number),
        "client": {"ip": CLIENT, "host": CLIENT, "port": 40000 + number},
        "server": {"ip": HOSTS.get(host, "192.0.2.99"), "host": host, "port": 443},
        "_communityId": "1:YfTWF8ILVXvHwLCsSgMVc/g7LdQ=",
        "protocol": "TCP",
        "application": "HTTP/2",
        "service": "HTTPS",
        "decrypted": decrypted,
        "reason": reason,
        "startedDateTime": "2026-11-24T02:04:25.000000+00:00",
        "_timestamp": BEGIN + number / 10,
        "time": 1830.25,
        "frames": [number, 900 + number],
        "packets": {"client": 41, "server": 37},
        "bytes": {"client": 9120 + number, "server": 88214},
        "payloadBytes": {"client": 7000, "server": 80000},
        "lostBytes": {"client": 0, "server": 0},
        "retransmittedPackets": {"client": 0, "server": 2},
        "begun": "syn",
        "ended": "fin",
        "endedBy": "client",
        "tls": {
            "version": "TLS 1.3",
            "cipher": "TLS_AES_256_GCM_SHA384",
            "sni": host,
            "alpn": "h2",
            "alpnOffered": ["h2", "http/1.1"],
            "ech": False,
            "ja4": "t13d1812h1_85036bcba153_d41ae481755e",
            "clientRandom": "4b7ffb3c" * 8,
            "certificates": [
                {
                    "subject": f"CN={host}",
                    "issuer": "CN=Example CA",
                    "names": [host],
                    "notBefore": "2026-11-01T00:00:00Z",
                    "notAfter": "2027-02-01T00:00:00Z",
                    "sha256": "a4" * 32,
                }
            ],
        },
        "exchanges": exchanges,
        "_sdk": {**_SDK[host], "source": "host"} if host in _SDK else None,
        **more,
    }


def har(entries: list[Json], **lists: Any) -> Json:
    files = {"traffic.pcap": 1_587_147, "sslkeylog.txt": 176_398, "socket_trace.json": 8_151_091}
    metadata = {
        "creation_datetime": "2026-11-24T03:59:05.174024+00:00",
        "files": [
            {"name": name, "size": size, "sha256": hashlib.sha256(name.encode()).hexdigest()}
            for name, size in files.items()
        ],
        "options": {},
        "attribution": {
            "shiftSource": "estimated",
            "clock": {"offset": 0.18, "drift": 19.4, "anchors": 188, "spread": 0.0043},
        },
    }
    creator = {"name": "pcapng-utils", "version": "2.0.0", "_metadata": metadata}
    return {"log": {"version": "1.2", "creator": creator, "pages": [], **lists, "entries": entries}}
