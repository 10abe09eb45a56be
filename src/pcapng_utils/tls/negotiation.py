"""What the handshake settles: the facts of the connection and the keys of both directions.

Messages come in as they are read, in the clear or decrypted; `Negotiation` keeps of them what keys are made from and
tells each `Side` which keys protect it from when on. A renegotiation (up to TLS 1.2) starts over with other randoms,
inside the old protection; the facts are those of the first handshake.

An encrypted ClientHello (RFC 9849) hides the random that the key log names if the server accepts it, which cannot be
seen from outside. Such a connection can only be read where the server did not accept, or the extension was GREASE.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from pcapng_utils.layers import CLIENT, SERVER, Problem, Report
from pcapng_utils.tls import codes
from pcapng_utils.tls.certificates import read_chain
from pcapng_utils.tls.facts import TlsFacts
from pcapng_utils.tls.fingerprint import ja3, ja3s, ja4
from pcapng_utils.tls.handshake import (
    ClientHello,
    ServerHello,
    decompress_certificate,
    parse_certificates,
    parse_client_hello,
    parse_encrypted_extensions,
    parse_server_hello,
    parse_session_ticket,
    vector,
)
from pcapng_utils.tls.keylog import SecretStore
from pcapng_utils.tls.protection import open_with_key_block, open_with_traffic_keys
from pcapng_utils.tls.schedule import (
    KeyBlock,
    extended_master_secret,
    key_block,
    master_secret,
    next_traffic_secret,
    traffic_keys,
)
from pcapng_utils.tls.side import Epoch, Side
from pcapng_utils.tls.suites import CipherSuite, Mode, cipher_suite, suite_name

_HANDSHAKE_SECRETS: Final = ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET")
_TRAFFIC_SECRETS: Final = ("CLIENT_TRAFFIC_SECRET_", "SERVER_TRAFFIC_SECRET_")
_MAX_TRANSCRIPT: Final = 1 << 18
_GENERATIONS: Final = 8
"""Later traffic secrets looked for where the first is missing."""


class Negotiation:
    """The handshakes of one connection."""

    def __init__(self, secrets: SecretStore, facts: TlsFacts, sides: tuple[Side, Side], report: Report) -> None:
        self.waiting = False
        """The client's records must wait: how to read them is still to be said by the server."""
        self.early_data_refused = False
        """The server passed over the early data; the client sends it again, or not, once keys are agreed on."""
        self.lossy = False
        """Bytes were lost before the handshake was over."""
        self._secrets = secrets
        self._facts = facts
        self._sides = sides
        self._report = report
        self._client: ClientHello | None = None
        self._server: ServerHello | None = None
        self._suite: CipherSuite | None = None
        self._version = 0
        self._first = True
        self._retried = False
        self._abbreviated = True
        self._transcript: bytearray | None = None
        self._master: bytes | None = None
        self._keys: KeyBlock | None = None

    def message(self, direction: int, kind: int, body: bytes) -> None:
        """A whole handshake message."""
        if self._transcript is not None and kind not in (codes.HELLO_REQUEST, codes.CLIENT_HELLO):
            self._transcript += bytes((kind,)) + len(body).to_bytes(3, "big") + body
            if len(self._transcript) > _MAX_TRANSCRIPT:
                self._transcript = None
        handler = self._HANDLERS.get(kind)
        if handler:
            handler(self, direction, body)

    # The hellos.

    def _client_hello(self, direction: int, body: bytes) -> None:
        hello = parse_client_hello(body) if direction == CLIENT else None
        if hello is None:
            self._report(
                Problem("tls-bad-hello", "A ClientHello is cut short, or comes from the server: it was not used")
            )
        else:
            self.begin(hello, body)

    def begin(self, hello: ClientHello, body: bytes = b"") -> None:
        """A handshake begins. `body` is that of its message, if it has one (of SSL 2.0 it has none)."""
        facts = self._facts
        if self._client is None:
            facts.version = codes.version_name(hello.best_version)
            facts.sni = hello.server_name
            facts.alpn_offered = hello.extensions.alpn
            facts.client_random = hello.random.hex()
            facts.ja3 = ja3(hello)
            facts.ja4 = ja4(hello)
            facts.ech = hello.encrypted_hello
            facts.early_data = hello.early_data
        elif self._client.random != hello.random:
            self._first = False
        self._client = hello
        self._server = None
        self._abbreviated = True
        self._master = self._keys = None
        self.waiting = True
        # Only where a premaster secret is all there is: the extended master secret hangs on all messages so far.
        self._transcript = None
        if self._secrets.has_premasters and not self._secrets.has(hello.random):
            self._transcript = bytearray(b"\x01" + len(body).to_bytes(3, "big") + body)

    def _server_hello(self, direction: int, body: bytes) -> None:
        hello = parse_server_hello(body) if direction == SERVER else None
        if hello is None:
            self._report(
                Problem("tls-bad-hello", "A ServerHello is cut short, or comes from the client: it was not used")
            )
            return
        self._version = hello.version
        self._suite = cipher_suite(hello.cipher)
        self._keys = None
        facts, client = self._facts, self._client
        if self._first:
            facts.version = codes.version_name(hello.version)
            facts.cipher_id = hello.cipher
            facts.cipher = suite_name(hello.cipher)
            facts.ja3s = ja3s(hello)
            facts.alpn = next(iter(hello.extensions.alpn), facts.alpn)
        self.waiting = False
        if hello.retry:
            self._retried = self.early_data_refused = True
            return
        self._server = hello
        if codes.settled_version(hello.version) == codes.TLS13:
            facts.resumed = hello.extensions.find(codes.EXT_PRE_SHARED_KEY) is not None
            self._protect_tls13()
        elif self._first:
            facts.resumed = bool(client and hello.session_id and hello.session_id == client.session_id)

    # TLS 1.3: all keys are known once the ServerHello has named the suite.

    def _protect_tls13(self) -> None:
        early = self._early_epoch()
        for direction, side in enumerate(self._sides):
            handshake = self._epoch(_HANDSHAKE_SECRETS[direction], direction, False)
            application = self._application_epochs(direction)
            if not application:
                side.reason = self.why_no_keys()
            epochs = [handshake, *application]
            current = handshake is not None
            if direction == CLIENT and self._facts.early_data and not self._retried:
                # Early data under a key that is not at hand, or was not accepted, goes by first.
                epochs.insert(0, early)
                current = early is not None
            side.protect([epoch for epoch in epochs if epoch], True, current)
        self.early_data_refused |= not self._facts.resumed
        # Whether the early data counts is said by the EncryptedExtensions, if they can be read.
        self.waiting = early is not None and self._sides[SERVER].opener is not None

    def _epoch(self, label: str, direction: int, application: bool = True) -> Epoch | None:
        secret = self._client and self._secrets.get(self._client.random, label)
        return self._epoch_of(secret, direction, application) if secret else None

    def _epoch_of(self, secret: bytes, direction: int, application: bool) -> Epoch | None:
        suite = self._suite
        opener = suite and open_with_traffic_keys(suite, traffic_keys(secret, suite), self._version)
        if suite is None or opener is None:
            return None
        if not application:
            return Epoch(opener, False)
        digest = suite.hash
        return Epoch(opener, True, lambda: self._epoch_of(next_traffic_secret(secret, digest), direction, True))

    def _application_epochs(self, direction: int) -> list[Epoch]:
        """From the first traffic secret all later ones follow; without it, those that are in the key log."""
        label = _TRAFFIC_SECRETS[direction]
        first = self._epoch(f"{label}0", direction)
        if first:
            return [first]
        if not self._client or not self._secrets.has(self._client.random):
            return []
        later = (self._epoch(f"{label}{number}", direction) for number in range(1, _GENERATIONS))
        return [epoch for epoch in later if epoch]

    def _early_epoch(self) -> Epoch | None:
        """That of early data, where it was sent under the key that the server has chosen."""
        if not self._facts.early_data or self._retried or not self._facts.resumed:
            return None
        return self._epoch("CLIENT_EARLY_TRAFFIC_SECRET", CLIENT)

    def _encrypted_extensions(self, direction: int, body: bytes) -> None:
        extensions = parse_encrypted_extensions(body)
        self._facts.alpn = next(iter(extensions.alpn), None)
        if self.waiting:
            self.waiting = False
            if extensions.find(codes.EXT_EARLY_DATA) is None:
                self.early_data_refused = True
                client = self._sides[CLIENT]
                client.protect(client.upcoming, True, current=False)

    def _end_of_early_data(self, direction: int, body: bytes) -> None:
        if direction == CLIENT and self._sides[CLIENT].upcoming:
            self._sides[CLIENT].advance()

    def _finished(self, direction: int, body: bytes) -> None:
        side = self._sides[direction]
        # In an epoch of application data it ends a client authentication after the handshake, and no epoch.
        if self.settled_tls13 and not side.application:
            side.advance()
        if direction == SERVER:
            self.waiting = False

    def _key_update(self, direction: int, body: bytes) -> None:
        self._sides[direction].update_keys()

    # Up to TLS 1.2: ChangeCipherSpec says when, the master secret says which.

    def change_cipher_spec(self, direction: int) -> None:
        """Records of that direction are protected from now on by what was negotiated (not TLS 1.3)."""
        if direction == SERVER and self._first and self._server and self._abbreviated and not self.lossy:
            self._facts.resumed = True
        epoch = self.epoch(direction)
        side = self._sides[direction]
        side.protect([epoch] if epoch else [], False)
        if epoch is None:
            side.reason = self.why_no_keys()

    def epoch(self, direction: int) -> Epoch | None:
        """What ChangeCipherSpec would make of a direction; None if the keys are not at hand."""
        client, server, suite = self._client, self._server, self._suite
        if client is None or server is None or suite is None or self.settled_tls13:
            return None
        if self._keys is None:
            self._master = self._master or self._logged_master(client, server)
            if self._master is None:
                return None
            self._keys = key_block(self._version, suite, self._master, client.random, server.random)
            if server.session_id:
                self._secrets.remember(server.session_id, self._master)
        encrypt_then_mac = server.extensions.find(codes.EXT_ENCRYPT_THEN_MAC) is not None
        opener = open_with_key_block(
            self._version, suite, self._keys, direction, encrypt_then_mac, server.compression == 1
        )
        return Epoch(opener) if opener else None

    @property
    def settled_tls13(self) -> bool:
        """TLS 1.3 was negotiated."""
        return codes.settled_version(self._version) == codes.TLS13

    def _logged_master(self, client: ClientHello, server: ServerHello) -> bytes | None:
        """From the key log, or from the session that is resumed."""
        secrets = self._secrets
        master = secrets.get(client.random, "CLIENT_RANDOM")
        if master is None and self._facts.resumed:
            master = (client.ticket and secrets.recall(client.ticket)) or secrets.recall(server.session_id)
        return master or None

    def _client_key_exchange(self, direction: int, body: bytes) -> None:
        """An `RSA` line of the key log gives the premaster secret for what is encrypted here."""
        transcript, self._transcript = self._transcript, None
        client, server, suite, version = self._client, self._server, self._suite, self._version
        if transcript is None or client is None or server is None or suite is None:
            return
        premaster = self._secrets.premaster(body if version == codes.SSL30 else vector(body, 0, 2)[0])
        if premaster is None:
            return
        if server.extensions.find(codes.EXT_EXTENDED_MASTER_SECRET) is None:
            self._master = master_secret(version, premaster, client.random, server.random, suite.hash)
        else:
            self._master = extended_master_secret(version, premaster, bytes(transcript), suite.hash)

    def _session_ticket(self, direction: int, body: bytes) -> None:
        if self._master and not self.settled_tls13:
            self._secrets.remember(parse_session_ticket(body), self._master)

    def _server_hello_done(self, direction: int, body: bytes) -> None:
        self._abbreviated = False
        if self._first:
            self._facts.resumed = False

    def _next_protocol(self, direction: int, body: bytes) -> None:
        """Next Protocol Negotiation, which ALPN took the place of (draft-agl-tls-nextprotoneg)."""
        self._facts.alpn = vector(body, 0, 1)[0].decode("utf-8", "backslashreplace")

    # Who is who.

    def _certificate(self, direction: int, body: bytes) -> None:
        chain = parse_certificates(body, self.settled_tls13)
        if direction == CLIENT:
            self._facts.client_certificate |= bool(chain)
        elif not self._facts.certificates:
            self._facts.certificates = read_chain(chain)

    def _compressed_certificate(self, direction: int, body: bytes) -> None:
        self._certificate(direction, decompress_certificate(body))

    def why_no_keys(self) -> str:
        """In the terms of `TlsFacts.reason`."""
        if self._client is None or self._server is None:
            return "lost-packets" if self.lossy else "handshake-not-captured"
        if self._master is None and not self._secrets.has(self._client.random):
            return "ech" if self._facts.ech and len(self._secrets) else "no-secret"
        return (
            "no-secret"
            if self._suite and self._suite.bulk.mode is Mode.AEAD and self.settled_tls13
            else "unknown-cipher"
        )

    _HANDLERS: ClassVar[dict[int, Callable[[Negotiation, int, bytes], None]]] = {
        codes.CLIENT_HELLO: _client_hello,
        codes.SERVER_HELLO: _server_hello,
        codes.NEW_SESSION_TICKET: _session_ticket,
        codes.END_OF_EARLY_DATA: _end_of_early_data,
        codes.ENCRYPTED_EXTENSIONS: _encrypted_extensions,
        codes.CERTIFICATE: _certificate,
        codes.COMPRESSED_CERTIFICATE: _compressed_certificate,
        codes.SERVER_HELLO_DONE: _server_hello_done,
        codes.CLIENT_KEY_EXCHANGE: _client_key_exchange,
        codes.FINISHED: _finished,
        codes.KEY_UPDATE: _key_update,
        codes.NEXT_PROTOCOL: _next_protocol,
    }
