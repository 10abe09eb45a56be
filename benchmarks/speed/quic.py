"""Downloads over HTTP/3: two ends of aioquic in memory, whose datagrams are recorded on the way."""

from __future__ import annotations

import datetime
import random
from typing import Any, Final, TextIO

from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from benchmarks.speed.packets import Ends, Recorder, UdpFlow
from benchmarks.speed.tls import HOST

_SIZE: Final = 200_000_000
_CONNECTIONS: Final = 4
_LARGEST: Final = 4 << 20
_DATAGRAM: Final = 1350
_PAUSE: Final = 2_000
"""Time in which one side waits for the other, in µs."""


def make_quic(recorder: Recorder, keylog: TextIO, scale: float) -> None:
    rng = random.Random("quic")
    identity = _identity()
    for number in range(_CONNECTIONS):
        ends = Ends(("10.0.0.2", 50_000 + number), ("203.0.113.9", 443))
        pair = _Pair(recorder, ends, keylog, identity)
        left = round(_SIZE * scale / _CONNECTIONS)
        while left > 0:
            size = min(left, rng.randint(_LARGEST // 8, _LARGEST))
            pair.download(f"/stream/{left}", rng.randbytes(size))
            left -= size


class _Pair:
    def __init__(
        self,
        recorder: Recorder,
        ends: Ends,
        keylog: TextIO,
        identity: tuple[x509.Certificate, ec.EllipticCurvePrivateKey],
    ) -> None:
        self._recorder = recorder
        self._udp = UdpFlow(recorder, ends)
        self._ends = ends
        client = _configuration(is_client=True, server_name=HOST, verify_mode=0, secrets_log_file=keylog)
        server = _configuration(is_client=False, certificate=identity[0], private_key=identity[1])
        self._client = QuicConnection(configuration=client)
        self._client.connect(ends.server, now=self._now)
        self._server = QuicConnection(
            configuration=server,
            original_destination_connection_id=self._client.original_destination_connection_id,
        )
        self._http = (H3Connection(self._client), H3Connection(self._server))
        self._waiting = 0
        self._answer = b""
        self._run()

    @property
    def _now(self) -> float:
        return self._recorder.now / 1e6

    def download(self, path: str, body: bytes) -> None:
        client, _ = self._http
        stream = self._client.get_next_available_stream_id()
        self._answer = body
        fields = {":method": "GET", ":scheme": "https", ":authority": HOST, ":path": path, "user-agent": "bench/1.0"}
        client.send_headers(stream, [(name.encode(), value.encode()) for name, value in fields.items()], True)
        self._run()

    def _run(self) -> None:
        """Let datagrams go to and fro until both sides have nothing more to say."""
        idle = 0
        while idle < 3:
            moved = self._move(0, self._client, self._server)
            moved = self._move(1, self._server, self._client) or moved
            self._recorder.wait(_PAUSE)
            idle = 0 if moved else idle + 1
            for side in (self._client, self._server):
                timer = side.get_timer()
                if timer is not None and timer <= self._now:
                    side.handle_timer(now=self._now)

    def _move(self, direction: int, sender: QuicConnection, receiver: QuicConnection) -> bool:
        datagrams = sender.datagrams_to_send(now=self._now)
        source = self._ends.server if direction else self._ends.client
        for data, _ in datagrams:
            self._udp.send(direction, data)
            receiver.receive_datagram(data, source, now=self._now)
        http = self._http[1 - direction]
        while (event := receiver.next_event()) is not None:
            for one in http.handle_event(event):
                if isinstance(one, HeadersReceived) and direction == 0:
                    self._respond(one.stream_id)
        return bool(datagrams)

    def _respond(self, stream: int) -> None:
        server = self._http[1]
        fields = [(b":status", b"200"), (b"content-type", b"video/mp4"), (b"server", b"bench")]
        server.send_headers(stream, fields)
        server.send_data(stream, self._answer, True)


def _configuration(**options: Any) -> QuicConfiguration:
    window = 4 * _LARGEST
    return QuicConfiguration(
        alpn_protocols=H3_ALPN, max_data=window, max_stream_data=window, max_datagram_size=_DATAGRAM, **options
    )


def _identity() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    begin = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + datetime.timedelta(days=36_500))
    return builder.sign(key, hashes.SHA256()), key
