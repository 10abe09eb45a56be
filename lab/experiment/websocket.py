"""A WebSocket of the app: one thread sends, another receives, as OkHttp does."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from lab.experiment.disguise import as_app, as_part
from lab.experiment.plan import Job
from lab.experiment.streams import ThreadStream
from lab.truth import WebSocketClose, WebSocketMessage

if TYPE_CHECKING:
    from lab.experiment.app import App

_READ_SIZE: Final = 65536
_BURST: Final = 3
"""Messages sent before the sender rests and waits for the echo of the last one."""
_PATIENCE: Final = 20.0


class _Talk:
    def __init__(self, job: Job, stream: ThreadStream) -> None:
        self.job = job
        self.stream = stream
        self.protocol = ClientProtocol(parse_uri(job.url), max_size=None)
        self.received: list[WebSocketMessage] = []
        self.arrived = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._fragments: list[bytes] = []
        self._opcode = Opcode.TEXT

    def shake_hands(self) -> None:
        request = self.protocol.connect()
        request.headers["x-truth"] = str(self.job.number)
        self.protocol.send_request(request)
        self.flush()
        while self.protocol.state is State.CONNECTING:
            self.protocol.receive_data(self.stream.read(_READ_SIZE))
            self.protocol.events_received()
            if self.protocol.handshake_exc:
                raise self.protocol.handshake_exc

    def flush(self) -> None:
        for data in self.protocol.data_to_send():
            if data:
                self.stream.write(data)

    def send(self, data: str | bytes) -> None:
        with self._lock:
            if isinstance(data, str):
                self.protocol.send_text(data.encode())
            else:
                self.protocol.send_binary(data)
            self.flush()

    def close(self) -> None:
        with self._lock:
            self.protocol.send_close(1000, "done")
            self.flush()

    def receive_all(self) -> None:
        while self.protocol.close_rcvd is None and (data := self.stream.read(_READ_SIZE)):
            with self._lock:
                self.protocol.receive_data(data)
                for event in self.protocol.events_received():
                    if isinstance(event, Frame):
                        self._take(event)

    def _take(self, frame: Frame) -> None:
        if frame.opcode not in (Opcode.CONT, Opcode.TEXT, Opcode.BINARY):
            return
        if frame.opcode is not Opcode.CONT:
            self._opcode = frame.opcode
        self._fragments.append(bytes(frame.data))
        if frame.fin:
            whole = b"".join(self._fragments)
            self._fragments.clear()
            self.received.append(
                WebSocketMessage.of("receive", whole.decode() if self._opcode is Opcode.TEXT else whole)
            )
            self.arrived.release()


def talk(app: App, connect: Callable[[str, int], ThreadStream], context: ssl.SSLContext, job: Job) -> None:
    """Open the WebSocket, send the job's messages, receive their echoes, close."""
    url = urlsplit(job.url)
    stream = connect(url.hostname or "", 443)
    stream.start_tls(context, url.hostname)
    talking = _Talk(job, stream)
    talking.shake_hands()
    reader = threading.Thread(target=lambda: as_app(job, talking.receive_all))
    reader.start()
    for number, data in enumerate(job.messages):
        as_part(job, f"send{number}", partial(talking.send, data))
        if number % _BURST == _BURST - 1:
            for _ in range(_BURST):
                talking.arrived.acquire(timeout=_PATIENCE)
            time.sleep(job.rest)
    talking.close()
    reader.join(_PATIENCE)
    stream.close()
    messages = [WebSocketMessage.of("send", data) for data in job.messages] + talking.received
    app.conclude_websocket(job, messages, WebSocketClose("send", 1000, "done"))
