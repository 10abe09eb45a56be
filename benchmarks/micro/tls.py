"""What the TLS layer costs beyond the cipher: per segment, per record, per connection.

    PYTHONPATH=src:. python benchmarks/micro/tls.py

Records are made with `cryptography` itself; the floor is the same decryptions in a bare loop. Best of many short
rounds.
"""

from __future__ import annotations

import ssl
import struct
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pcapng_utils.layers import CLIENT, SERVER, ByteLayer, Problem, Stamp, UnitLog
from pcapng_utils.tls import codes
from pcapng_utils.tls.connection import TlsConnection
from pcapng_utils.tls.facts import TlsFacts
from pcapng_utils.tls.keylog import SecretStore
from pcapng_utils.tls.schedule import traffic_keys
from pcapng_utils.tls.suites import cipher_suite
from tests.tls.lab import Talk, contexts

SECRET = bytes(range(32))
RANDOM = bytes(32)
SUITE = 0x1301
SEGMENT = 1460


class Sink:
    """Takes clear bytes and does nothing."""

    def data(self, direction: int, data: bytes, stamp: Stamp) -> None:
        pass

    def gap(self, direction: int, size: int, stamp: Stamp) -> None:
        pass

    def end(self, direction: int, stamp: Stamp | None) -> None:
        pass

    def close(self) -> None:
        pass


def open_sink(facts: TlsFacts) -> ByteLayer:
    return Sink()


def fail(problem: Problem) -> None:
    raise SystemExit(str(problem))


def best(work: Callable[[], float], rounds: int = 60) -> float:
    """Rounds are short and many, so that some are left alone by whatever else the machine does."""
    return min(work() for _ in range(rounds))


def records(count: int, size: int) -> list[tuple[bytes, bytes, bytes]]:
    """Nonce, ciphertext and header of so many records of application data."""
    suite = cipher_suite(SUITE)
    assert suite  # noqa: S101
    key, iv = traffic_keys(SECRET, suite)
    aead, base = AESGCM(key), int.from_bytes(iv, "big")
    made = []
    for number in range(count):
        nonce = (base ^ number).to_bytes(12, "big")
        header = struct.pack(">BHH", codes.APPLICATION_DATA, codes.TLS12, size + 17)
        made.append((nonce, aead.encrypt(nonce, bytes(size) + b"\x17", header), header))
    return made


def floor(made: list[tuple[bytes, bytes, bytes]]) -> float:
    suite = cipher_suite(SUITE)
    assert suite  # noqa: S101
    decrypt = AESGCM(traffic_keys(SECRET, suite).key).decrypt
    start = time.perf_counter()
    for nonce, ciphertext, header in made:
        decrypt(nonce, ciphertext, header)
    return time.perf_counter() - start


def connection() -> TlsConnection:
    """A connection whose handshake is a pair of hellos."""
    store = SecretStore()
    for label in ("CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"):
        store.add_keylog(f"{label} {RANDOM.hex()} {SECRET.hex()}\n".encode(), "benchmark")
    tls = TlsConnection(store, open_sink, fail, UnitLog())
    hello = bytes.fromhex("0303") + RANDOM + bytes.fromhex("00 0002 1301 0100 0007 002b0003020304")
    tls.segment(CLIENT, record_of(b"\x01" + len(hello).to_bytes(3, "big") + hello), 0, 1)
    answer = bytes.fromhex("0303") + bytes(32) + bytes.fromhex("00 1301 00 0006 002b00020304")
    tls.segment(SERVER, record_of(b"\x02" + len(answer).to_bytes(3, "big") + answer), 0, 2)
    return tls


def record_of(message: bytes) -> bytes:
    return struct.pack(">BHH", codes.HANDSHAKE, codes.TLS12, len(message)) + message


def feed(segments: list[bytes]) -> float:
    tls = connection()
    segment = tls.segment
    start = time.perf_counter()
    for number, data in enumerate(segments):
        segment(SERVER, data, number, number)
    took = time.perf_counter() - start
    tls.close()
    return took


def bulk(count: int, size: int) -> None:
    made = records(count, size)
    stream = b"".join(header + ciphertext for _, ciphertext, header in made)
    segments = [stream[at : at + SEGMENT] for at in range(0, len(stream), SEGMENT)]
    bare, whole = best(lambda: floor(made)), best(lambda: feed(segments))
    beyond = whole - bare
    print(
        f"{count:6} records of {size:5} B in {len(segments):6} segments: "
        f"{whole / count * 1e6:6.2f} us a record, AEAD alone {bare / count * 1e6:5.2f}; "
        f"beyond it {beyond / count * 1e6:5.2f} a record, {beyond / len(segments) * 1e6:5.2f} a segment"
    )


def collecting(count: int) -> None:
    """Segments that complete no record."""
    made = records(1, 16384)
    piece = made[0][2] + made[0][1][:7]
    tls = connection()

    def once() -> float:
        for reader in tls._readers:
            reader.parts.clear()
            reader.have, reader.need = 0, 5
        tls.segment(SERVER, piece, 1, 1)
        start = time.perf_counter()
        for number in range(count):
            tls.segment(SERVER, b"1", number, number)
        return time.perf_counter() - start

    print(f"a segment that completes no record: {best(once) / count * 1e6:.3f} us")


def handshakes(version: ssl.TLSVersion, count: int = 15) -> None:
    talk = Talk(*contexts(version)).handshake().send(CLIENT, b"GET").send(SERVER, b"200")
    store = SecretStore()
    store.add_keylog(talk.keylog(), "benchmark")

    def once() -> float:
        start = time.perf_counter()
        for _ in range(count):
            tls = TlsConnection(store, open_sink, fail, UnitLog())
            for frame, (direction, data) in enumerate(talk.flights):
                tls.segment(direction, data, frame, frame)
            tls.close()
        return time.perf_counter() - start

    print(f"{version.name}: a connection with one request: {best(once) / count * 1e6:.0f} us")


if __name__ == "__main__":
    collecting(5000)
    bulk(150, 16384)
    bulk(400, 1400)
    bulk(1000, 100)
    handshakes(ssl.TLSVersion.TLSv1_2)
    handshakes(ssl.TLSVersion.TLSv1_3)
