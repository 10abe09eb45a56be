"""Time per 1-RTT datagram: header protection, AEAD, frames and reassembly, up to the layer that reads the streams.

Run: PYTHONPATH=src python -m benchmarks.micro.quic [datagrams]
"""

from __future__ import annotations

import sys
from time import process_time
from typing import Final

from aioquic.tls import CipherSuite

from pcapng_utils.layers import CLIENT, SERVER, Stamp, StreamsLayer, UnitLog
from pcapng_utils.quic.facts import QuicFacts
from pcapng_utils.quic.flow import QuicFlow
from pcapng_utils.quic.router import QuicRouter
from pcapng_utils.tls.facts import TlsFacts
from pcapng_utils.tls.keylog import SecretStore
from tests.quic.making import Talk, ack, stream
from tests.quic.reading import make_flow

PAYLOAD: Final = bytes(1150)
ACK_EVERY: Final = 10
"""Datagrams of the server for one of the client, which acknowledges them: as a browser does."""
ROUNDS: Final = 5


class Count:
    """A `StreamsLayer` that only adds up."""

    def __init__(self) -> None:
        self.bytes = 0

    def stream_data(self, stream_id: int, direction: int, data: bytes, fin: bool, stamp: Stamp) -> None:
        self.bytes += len(data)

    def stream_gap(self, stream_id: int, direction: int, size: int, stamp: Stamp) -> None:
        raise AssertionError("nothing is missing")

    def stream_reset(self, stream_id: int, direction: int, error_code: int, stamp: Stamp) -> None: ...

    def close(self) -> None: ...


def download(suite: CipherSuite, count: int) -> tuple[Talk, list[tuple[int, bytes]]]:
    """One stream from the server, in order."""
    talk = Talk(suite)
    datagrams = []
    for number in range(count):
        datagrams.append((SERVER, talk.short(SERVER, stream(0, number * len(PAYLOAD), PAYLOAD), number)))
        if number % ACK_EVERY == 0:
            datagrams.append((CLIENT, talk.short(CLIENT, ack((0, number)))))
    return talk, datagrams


def measure(talk: Talk, datagrams: list[tuple[int, bytes]]) -> float:
    """Seconds to read the datagrams, the handshake left out."""
    secrets = SecretStore()
    secrets.add_keylog(talk.keylog(), "made")
    count = Count()

    def open_streams(tls: TlsFacts, quic: QuicFacts) -> StreamsLayer:
        return count

    flow = QuicFlow(QuicRouter(secrets), make_flow(), UnitLog(), print, open_streams, lambda tls, quic: None)
    frame = 0
    for direction, data in talk.opening():
        flow.datagram(direction, data, frame, frame)
    begin = process_time()
    for direction, data in datagrams:
        frame += 1
        flow.datagram(direction, data, frame, frame)
    took = process_time() - begin
    flow.close()
    expected = sum(len(PAYLOAD) for direction, _ in datagrams if direction == SERVER)
    if count.bytes != expected:
        raise AssertionError(f"{count.bytes} bytes were read where {expected} were sent")
    return took


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    for suite in (CipherSuite.AES_128_GCM_SHA256, CipherSuite.AES_256_GCM_SHA384, CipherSuite.CHACHA20_POLY1305_SHA256):
        talk, datagrams = download(suite, size)
        took = min(measure(talk, datagrams) for _ in range(ROUNDS))
        rate = sum(len(data) for _, data in datagrams) / took / 1e6
        print(f"{suite.name}: {took / len(datagrams) * 1e6:.2f} µs a datagram, {rate:.0f} MB/s")


if __name__ == "__main__":
    main()
