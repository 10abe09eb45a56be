"""HTTP/2 in real captures: the same headers, bodies and streams as tshark sees."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from pcapng_utils.http.h2_frames import PREFACE
from pcapng_utils.layers import CLIENT, SERVER
from tests.http2.wire import Chunk, Listener

ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("PCAPNG_UTILS_CORPUS", ROOT / "../shared/captures"))
EXPERIMENTS = Path(os.environ.get("PCAPNG_UTILS_EXPERIMENTS", ROOT / "../shared/experiments"))
TSHARK = shutil.which("tshark")

pytestmark = pytest.mark.skipif(TSHARK is None, reason="needs tshark")


def tshark(capture: Path, *arguments: str) -> list[str]:
    if not capture.exists():
        pytest.skip(f"{capture} is not there")
    command = [str(TSHARK), "-r", str(capture), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def fields_of(capture: Path, *options: str) -> Counter[tuple[str, str]]:
    """All header fields that tshark decodes."""
    names = ["-e", "http2.header.name", "-e", "http2.header.value", "-E", "occurrence=a", "-E", "aggregator=\x01"]
    found: Counter[tuple[str, str]] = Counter()
    for line in tshark(capture, *options, "-Y", "http2.header", "-T", "fields", *names):
        keys, _, values = line.partition("\t")
        found.update(zip(keys.split("\x01"), values.split("\x01"), strict=True))
    return found


def fields_heard(listener: Listener) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for exchange in listener.exchanges:
        for message in (exchange.request, exchange.response, *exchange.interim):
            if message is not None:
                found.update((n.decode(), v.decode("latin-1")) for n, v in message.headers + message.trailers)
    return found


def clear_chunks(capture: Path, stream: int, client_port: int) -> list[Chunk]:
    """The segments of a cleartext conversation (these captures hold them in order)."""
    lines = tshark(
        capture, "-Y", f"tcp.stream=={stream} && tcp.len>0", "-T", "fields", "-e", "tcp.srcport", "-e", "tcp.payload"
    )
    parts = (line.split("\t") for line in lines)
    return [(CLIENT if int(port) == client_port else SERVER, bytes.fromhex(data)) for port, data in parts]


@pytest.mark.parametrize(
    ("name", "port", "stream", "client_port"),
    [
        ("ndpi/http2.pcapng", 29518, 0, 37824),
        ("fritap/weather6_apiapi_h2_plaintext.pcapng", 443, 4, 39130),
    ],
)
def test_prior_knowledge(name: str, port: int, stream: int, client_port: int) -> None:
    capture = CORPUS / name
    listener = Listener().feed(*clear_chunks(capture, stream, client_port))
    listener.close()
    expected = fields_of(capture, "-d", f"tcp.port=={port},http2", "-2", "-R", f"tcp.stream=={stream}")
    assert fields_heard(listener) == expected
    (exchange,) = listener.exchanges
    assert exchange.request is not None
    assert exchange.response is not None
    for message in (exchange.request, exchange.response):
        assert message.incomplete == []
        assert message.header(b"content-length") == str(message.body.size).encode()
    assert listener.problems == []


def decrypted_chunks(capture: Path, keys: Path, stream: int) -> list[Chunk]:
    """What tshark decrypts of a conversation, record by record."""
    lines = tshark(capture, "-o", f"tls.keylog_file:{keys}", "-q", "-z", f"follow,tls,raw,{stream}")
    records = [line for line in lines if line and all(c in "0123456789abcdef\t" for c in line)]
    preface = PREFACE.hex()
    client = next(line.startswith("\t") for line in records if line.strip().startswith(preface))
    return [(CLIENT if line.startswith("\t") == client else SERVER, bytes.fromhex(line.strip())) for line in records]


@pytest.mark.parametrize(("name", "streams"), [("jvm-300", (0, 1, 2, 3)), ("lab-400", (71, 124, 125))])
def test_decrypted_traffic(name: str, streams: tuple[int, ...]) -> None:
    capture, keys = EXPERIMENTS / name / "traffic.pcap", EXPERIMENTS / name / "sslkeylog.txt"
    secrets = ("-o", f"tls.keylog_file:{keys}")
    heard = Listener()
    for stream in streams:
        listener = Listener().feed(*decrypted_chunks(capture, keys, stream))
        assert listener.close()
        assert listener.problems == []
        heard.exchanges += listener.exchanges
    chosen = f"tcp.stream in {{{','.join(map(str, streams))}}}"
    messages = [message for e in heard.exchanges for message in (e.request, e.response) if message is not None]
    assert len(messages) == 2 * len(heard.exchanges)
    assert all(not message.incomplete for message in messages)
    declared = [(message.header(b"content-length"), message.body.size) for message in messages]
    assert any(size for _, size in declared)
    assert all(length == b"%d" % size for length, size in declared if length is not None)
    assert fields_heard(heard) == fields_of(capture, *secrets, "-2", "-R", chosen)
