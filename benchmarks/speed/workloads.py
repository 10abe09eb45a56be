"""The captures that are read: what phones do, made by real protocol stacks in memory.

Sizes, order and contents come from seeds; the randomness of TLS does not, so that no two makings are the same bytes.
A capture is made once and kept with its key log, until its recipe or its scale changes.
"""

from __future__ import annotations

import gzip
import json
import random
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Final

from benchmarks.speed import limit
from benchmarks.speed.http import Http1Exchanges, Http2Exchanges
from benchmarks.speed.packets import BEGIN, FILE_HEADER, Ends, Recorder
from benchmarks.speed.phone import CipherLog, SocketTrace
from benchmarks.speed.tls import HOST, Contexts, TlsFlow, make_identity

RECIPE: Final = 2
"""Number of the recipe: another one has all captures made anew."""

_CLIENT: Final = "10.0.0.2"
_FIRST_PORT: Final = 32_768
_PORTS: Final = 28_000
_APP_EXCHANGES: Final = 2_000
_APP_PER_CONNECTION: Final = 25
_APP_PAUSE: Final = 60_000
"""Time between exchanges, in µs."""
_BULK_SIZE: Final = 1 << 30
_BULK_CONNECTIONS: Final = 4
_MANY_CONNECTIONS: Final = 200_000
_MANY_PAUSE: Final = 10_000
_MANY_PARTS: Final = 2
_TRACE_SIZE: Final = 500_000_000


@dataclass(frozen=True, slots=True)
class Made:
    """A capture with what goes with it, in a folder of its own."""

    folder: Path

    @property
    def capture(self) -> Path:
        return self.folder / "traffic.pcap"

    @property
    def keylog(self) -> Path:
        return self.folder / "sslkeylog.txt"

    @property
    def socket_trace(self) -> Path:
        return self.folder / "socket_trace.json"

    @property
    def records(self) -> Path:
        """Of bulk: what `limit.py` decrypts."""
        return self.folder / "records.bin"

    @property
    def cipher_log(self) -> Path:
        return self.folder / "aes_info.json"


def make(name: str, folder: Path, scale: float) -> Made:
    """The capture of that name, `scale` times its usual size: made, if it is not there yet."""
    made = Made(folder / f"{name}-{scale:g}")
    receipt = made.folder / "recipe.json"
    recipe = json.dumps({"name": name, "scale": scale, "recipe": RECIPE})
    if receipt.is_file() and receipt.read_text() == recipe:
        return made
    if made.folder.exists():
        shutil.rmtree(made.folder)
    made.folder.mkdir(parents=True)
    MAKERS[name](made, scale)
    receipt.write_text(recipe)
    return made


def _make_app(made: Made, scale: float, trace_size: int = 0) -> None:
    """An app that talks to ten hosts: gzipped JSON over HTTP/1.1 and HTTP/2, some of it encrypted once more."""
    rng = random.Random("app")
    contexts = Contexts(make_identity(made.folder), made.keylog)
    with (
        made.capture.open("wb") as file,
        SocketTrace(made.socket_trace, trace_size) as trace,
        CipherLog(made.cipher_log) as ciphers,
    ):
        file.write(FILE_HEADER)
        recorder = Recorder(file)
        connections = max(2, round(_APP_EXCHANGES * scale / _APP_PER_CONNECTION))
        for number in range(connections):
            ends = Ends((_CLIENT, _FIRST_PORT + number % _PORTS), (f"203.0.113.{10 + number % 10}", 443))
            alpn = ("http/1.1", "h2")[number % 2]
            host = f"api{number % 10}.{HOST}"
            observe = partial(trace.call, ends, number)
            flow = TlsFlow(recorder, ends, contexts, host=host, alpn=alpn, observe=observe)
            exchanges = Http1Exchanges(flow, host) if alpn == "http/1.1" else Http2Exchanges(flow, host)
            for turn in range(_APP_PER_CONNECTION):
                recorder.wait(_APP_PAUSE)
                request = json.dumps(_record(rng)).encode() if turn % 3 == 0 else b""
                if turn % 9 == 0:
                    request = ciphers.encrypt(rng, request, recorder.now)
                answer = gzip.compress(json.dumps([_record(rng) for _ in range(rng.randint(2, 12))]).encode(), mtime=0)
                exchanges.exchange(f"/v1/items/{turn}?page={turn}", request, answer, "application/json", "gzip")
            flow.close()


def _make_bulk(made: Made, scale: float) -> None:
    """Large downloads over few connections at the same time."""
    rng = random.Random("bulk")
    contexts = Contexts(make_identity(made.folder), made.keylog)
    with made.capture.open("wb") as file, made.records.open("wb") as records:
        file.write(FILE_HEADER)
        recorder = Recorder(file)
        flows = []
        for number in range(_BULK_CONNECTIONS):
            ends = Ends((_CLIENT, _FIRST_PORT + number), ("203.0.113.7", 443))
            tap = partial(limit.write_records, records, number)
            flows.append(TlsFlow(recorder, ends, contexts, tap=tap))
        left = round(_BULK_SIZE * scale)
        number = 0
        while left > 0:
            sizes = [min(left, rng.randint(1 << 20, 8 << 20)) for _ in flows]
            downloads = [
                Http1Exchanges(flow, HOST).download(f"/file/{number + place}", rng.randbytes(size), "video/mp4")
                for place, (flow, size) in enumerate(zip(flows, sizes, strict=True))
            ]
            while downloads:
                downloads = [one for one in downloads if next(one, False)]
            number += len(flows)
            left -= sum(sizes)
        for flow in flows:
            flow.close()
    limit.write_secrets(made.records, made.keylog, [flow.client_random for flow in flows])


def _make_many(made: Made, scale: float) -> None:
    """Short connections, each for one exchange; made in parts, by as many processes."""
    identity = make_identity(made.folder)
    count = max(_MANY_PARTS, round(_MANY_CONNECTIONS * scale))
    bounds = [count * part // _MANY_PARTS for part in range(_MANY_PARTS + 1)]
    parts = [made.folder / f"part{part}" for part in range(_MANY_PARTS)]
    with ProcessPoolExecutor(_MANY_PARTS) as pool:
        list(pool.map(_make_many_part, repeat(identity), parts, bounds, bounds[1:]))
    with made.capture.open("wb") as capture, made.keylog.open("wb") as keylog:
        capture.write(FILE_HEADER)
        for part in parts:
            for source, target in ((part, capture), (part.with_suffix(".keys"), keylog)):
                with source.open("rb") as file:
                    shutil.copyfileobj(file, target, 1 << 20)
                source.unlink()


def _make_many_part(identity: Path, path: Path, first: int, stop: int) -> None:
    contexts = Contexts(identity, path.with_suffix(".keys"))
    with path.open("wb") as file:
        recorder = Recorder(file)
        for number in range(first, stop):
            recorder.now = BEGIN + number * _MANY_PAUSE
            rng = random.Random(number)
            server = f"203.0.{113 + number // _PORTS}.{1 + number % 200}"
            ends = Ends((_CLIENT, _FIRST_PORT + number % _PORTS), (server, 443))
            flow = TlsFlow(recorder, ends, contexts)
            body = json.dumps(_record(rng)).encode()
            Http1Exchanges(flow, HOST).exchange(f"/ping/{number}", b"", body, "application/json")
            flow.close()


def _make_quic(made: Made, scale: float) -> None:
    from benchmarks.speed.quic import make_quic

    with made.capture.open("wb") as file, made.keylog.open("w") as keylog:
        file.write(FILE_HEADER)
        make_quic(Recorder(file), keylog, scale)


def _record(rng: random.Random) -> dict[str, str | int | float]:
    return {
        "id": rng.getrandbits(48),
        "name": f"{rng.getrandbits(64):x}",
        "latitude": rng.uniform(-90, 90),
        "longitude": rng.uniform(-180, 180),
        "model": "Pixel 6",
        "note": " ".join(rng.choices(("to", "be", "or", "not", "that", "is", "the", "question"), k=12)),
    }


MAKERS: Final[dict[str, Callable[[Made, float], None]]] = {
    "app": _make_app,
    "bulk": _make_bulk,
    "many": _make_many,
    "quic": _make_quic,
    "small": lambda made, scale: _make_app(made, 0.01),
    "trace": lambda made, scale: _make_app(made, min(scale, 1.0), round(_TRACE_SIZE * scale)),
}
