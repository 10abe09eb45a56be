"""A connection of which both ends are in one hand: for what no library says, and for what only a script can time.

Both sockets are real, on their own machines; what one sends is read at the other before anything else happens.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lab.stage import Stage

_PATIENCE: Final = 20.0
_READ_SIZE: Final = 1 << 16


@dataclass(slots=True)
class Conversation:
    client: socket.socket
    """Or an SSLSocket."""
    server: socket.socket

    def client_says(self, *parts: bytes) -> None:
        """Each part in a call (and TLS record) of its own."""
        self._say(self.client, self.server, parts)

    def server_says(self, *parts: bytes) -> None:
        self._say(self.server, self.client, parts)

    def drain(self) -> None:
        """Read at both ends what has come unasked (session tickets)."""
        for end in (self.client, self.server):
            end.settimeout(0.02)
            with contextlib.suppress(OSError):
                end.recv(_READ_SIZE)
            end.settimeout(_PATIENCE)

    def _say(self, speaker: socket.socket, listener: socket.socket, parts: tuple[bytes, ...]) -> None:
        for part in parts:
            sender = threading.Thread(target=speaker.sendall, args=(part,))
            sender.start()
            receive_exactly(listener, len(part))
            sender.join()


@contextlib.contextmanager
def conversation(
    stage: Stage,
    port: int,
    contexts: tuple[ssl.SSLContext, ssl.SSLContext] | None = None,
    *,
    name: str | None = None,
    session: ssl.SSLSession | None = None,
    address: str | None = None,
    closer: str = "client",
) -> Iterator[Conversation]:
    """`contexts`: the server's and the client's TLS settings; None: cleartext. `closer`: who ends it: "client",
    "server", or "reset" (the client, with RST)."""
    where = (address or stage.server, port)
    family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
    with stage.network.internet.entered():
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen()
    with listener, stage.network.phone.entered():
        client: socket.socket = socket.create_connection(where, _PATIENCE)
        server: socket.socket = listener.accept()[0]
    for end in (client, server):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end.settimeout(_PATIENCE)
    if contexts:
        client, server = _shake_hands(client, server, contexts, name, session)
    talk = Conversation(client, server)
    try:
        yield talk
    finally:
        _close(talk, closer)


def _shake_hands(
    client: socket.socket,
    server: socket.socket,
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
    name: str | None,
    session: ssl.SSLSession | None,
) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    accepted: list[ssl.SSLSocket] = []
    failed: list[Exception] = []

    def accept() -> None:
        try:
            accepted.append(contexts[0].wrap_socket(server, server_side=True))
        except (OSError, ssl.SSLError) as error:
            failed.append(error)
            server.close()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        secure = contexts[1].wrap_socket(client, server_hostname=name, session=session)
    finally:
        thread.join()
    if failed:
        raise failed[0]
    return secure, accepted[0]


def _close(talk: Conversation, closer: str) -> None:
    if closer == "reset":
        talk.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        talk.client.close()
        talk.server.close()
        return
    first, last = (talk.server, talk.client) if closer == "server" else (talk.client, talk.server)
    for end, other in ((first, last), (last, first)):
        with contextlib.suppress(OSError):
            if isinstance(end, ssl.SSLSocket):
                end.settimeout(0.05)
                end.unwrap()
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_WR)
            other.settimeout(0.2)
            other.recv(_READ_SIZE)
    first.close()
    last.close()


def receive_exactly(sock: socket.socket, size: int) -> bytes:
    parts: list[bytes] = []
    while size:
        part = sock.recv(min(size, _READ_SIZE))
        if not part:
            raise ConnectionError(f"the other side closed with {size} bytes to come")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
