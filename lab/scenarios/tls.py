"""TLS 1.0 to 1.3: versions, ciphers, resumption, unusual handshakes, missing keys. A request or two on each
connection."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.certificates import Identity
from lab.conversation import Conversation, conversation
from lab.openssl import OpensslPair, connected, serving
from lab.scenarios import scenario
from lab.stage import HOST, Stage
from lab.truth import KEY, Body, Connection, Exchange

_PORT: Final = 443
_LEGACY: Final = "ALL:COMPLEMENTOFALL:!PSK:!SRP:@SECLEVEL=0"
_VERSIONS: Final = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
# SSL_OP_... of <openssl/ssl.h> that Python's ssl does not name.
_NO_EXTENDED_MASTER_SECRET: Final = 1 << 0
_NO_ENCRYPT_THEN_MAC: Final = 1 << 19


def ask(stage: Stage, port: int = _PORT) -> tuple[bytes, bytes, Exchange]:
    """A request and its answer, as bytes, and their truth."""
    number = stage.number()
    shown = "" if port == _PORT else f":{port}"
    exchange = Exchange(number, "HTTP/1.1", "POST", f"https://{HOST}{shown}/tls/{number}", status=200)
    body, answer = b"question %d, " % number * 9, b"answer %d, " % number * 9
    exchange.request, exchange.response, exchange.server = Body.of(body), Body.of(answer), stage.server
    exchange.request_headers = [(KEY, str(number))]
    stage.truth.exchanges.append(exchange)
    head = (
        f"POST /tls/{number} HTTP/1.1\r\nHost: {HOST}{shown}\r\n{KEY}: {number}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer, exchange


def exchange_over(stage: Stage, talk: Conversation, port: int = _PORT) -> Exchange:
    """One request and answer on an open connection, the connection's facts noted."""
    request, answer, exchange = ask(stage, port)
    talk.client_says(request)
    talk.server_says(answer)
    if isinstance(talk.client, ssl.SSLSocket):
        cipher = talk.client.cipher()
        stage.truth.connections.append(
            Connection(
                talk.client.getpeername()[0],
                port,
                HOST,
                talk.client.version() or "",
                cipher[0] if cipher else "",
                talk.client.selected_alpn_protocol() or "",
                resumed=talk.client.session_reused,
            )
        )
    return exchange


@dataclass(slots=True)
class Settings:
    """What both ends of a connection are told."""

    version: str = "TLSv1.3"
    ciphers: str = _LEGACY
    options: int = 0
    identity: Identity | None = None

    def contexts(self, stage: Stage) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        server, client = stage.server_context(identity=self.identity), stage.authority.client_context(stage.keylog)
        server.load_dh_params(str(_dh_parameters(stage)))
        for context in (server, client):
            context.set_ciphers(self.ciphers)
            context.minimum_version = context.maximum_version = _VERSIONS[self.version]
            context.options |= self.options
        return server, client


def _dh_parameters(stage: Stage) -> Path:
    path = stage.work / "dh.pem"
    if not path.exists():
        command = ["openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048"]
        subprocess.run([*command, "-out", str(path)], check=True, capture_output=True)
    return path


@scenario("tls-versions")
def tls_versions(directory: Path) -> None:
    """TLS 1.0 to 1.3 with ECDSA and RSA certificates; without extended master secret; without encrypt-then-MAC."""
    with Stage.built("tls-versions", directory) as stage, stage.on_phone():
        rsa = stage.authority.issue("rsa", ("*.lab.test",), kind="rsa")
        plain = _NO_EXTENDED_MASTER_SECRET | _NO_ENCRYPT_THEN_MAC
        for version in _VERSIONS:
            for identity in (stage.identity, rsa):
                for options in (0, _NO_EXTENDED_MASTER_SECRET, plain) if version != "TLSv1.3" else (0,):
                    # A CBC suite, so that encrypt-then-MAC has something to say.
                    settings = Settings(version, "AES128-SHA:ECDHE+SHA1+AES:@SECLEVEL=0", options, identity)
                    with conversation(stage, _PORT, settings.contexts(stage), name=HOST) as talk:
                        exchange_over(stage, talk)


def _suites(description: str) -> list[tuple[str, str, str]]:
    """Name, lowest version and authentication of the suites that OpenSSL has."""
    listed = subprocess.run(["openssl", "ciphers", "-v", description], check=True, capture_output=True, text=True)
    return [
        (line.split()[0], line.split()[1], line.split()[3].removeprefix("Au=")) for line in listed.stdout.splitlines()
    ]


def _play_suites(stage: Stage, suites: Iterable[tuple[str, str, str]]) -> None:
    rsa, dsa = (stage.authority.issue(kind, ("*.lab.test",), kind=kind) for kind in ("rsa", "dsa"))
    identities = {"RSA": rsa, "DSS": dsa}
    for name, version, authentication in suites:
        if version == "TLSv1.3":
            continue
        settings = Settings("TLSv1.2", f"{name}:@SECLEVEL=0", 0, identities.get(authentication))
        server, client = settings.contexts(stage)
        if authentication == "None":
            client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        with conversation(stage, _PORT, (server, client), name=HOST) as talk:
            exchange = exchange_over(stage, talk)
        if "ARIA" in name:
            exchange.readable = stage.truth.connections[-1].decrypted = False


@scenario("tls-ciphers")
def tls_ciphers(directory: Path) -> None:
    """The cipher suites of TLS 1.2 by ECDHE and RSA, CBC with encrypt-then-MAC and AEAD, one connection each."""
    wanted = "ECDHE:kRSA:!aNULL:!PSK:!eNULL:!ARIA:@SECLEVEL=0"
    with Stage.built("tls-ciphers", directory) as stage, stage.on_phone():
        _play_suites(stage, _suites(wanted))


@scenario("tls-ciphers-all", fixture=False)
def tls_ciphers_all(directory: Path) -> None:
    """All suites that the local OpenSSL can negotiate without pre-shared keys: anonymous, without encryption, ARIA,
    ..."""
    with Stage.built("tls-ciphers-all", directory) as stage, stage.on_phone():
        _play_suites(stage, _suites(_LEGACY))


@scenario("tls13-ciphers")
def tls13_ciphers(directory: Path) -> None:
    """The five cipher suites of TLS 1.3."""
    suites = (
        *("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"),
        *("TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"),
    )
    with Stage.built("tls13-ciphers", directory) as stage, stage.on_phone():
        for suite in suites:
            with (
                serving(stage, _PORT, ["-tls1_3", "-ciphersuites", suite]) as server,
                connected(stage, _PORT, server, ["-ciphersuites", suite]) as pair,
            ):
                _exchange_over_pair(stage, pair)


@scenario("tls-resumption")
def tls_resumption(directory: Path) -> None:
    """Sessions resumed by id and by ticket (TLS 1.0 and 1.2) and by pre-shared key (TLS 1.3); one capture holds both
    the full and the resumed handshakes."""
    with Stage.built("tls-resumption", directory) as stage, stage.on_phone():
        for version in ("TLSv1", "TLSv1.2", "TLSv1.3"):
            for options in (0, ssl.OP_NO_TICKET):
                contexts = Settings(version, _LEGACY, options).contexts(stage)
                session: ssl.SSLSession | None = None
                for _ in range(3):
                    with conversation(stage, _PORT, contexts, name=HOST, session=session) as talk:
                        exchange_over(stage, talk)
                        if isinstance(talk.client, ssl.SSLSocket):
                            talk.drain()
                            session = talk.client.session


@scenario("tls-handshakes")
def tls_handshakes(directory: Path) -> None:
    """Unusual handshakes: HelloRetryRequest, client certificates, certificates that fill several records, no middlebox
    compatibility, no server name, and one that fails."""
    with Stage.built("tls-handshakes", directory) as stage, stage.on_phone():
        _retried(stage)
        _with_client_certificate(stage)
        _with_large_certificate(stage)
        server, client = Settings().contexts(stage)
        for context in (server, client):
            context.options &= ~ssl.OP_ENABLE_MIDDLEBOX_COMPAT
        with conversation(stage, _PORT, (server, client), name=HOST) as talk:
            exchange_over(stage, talk)
        contexts = Settings("TLSv1.2").contexts(stage)
        contexts[1].check_hostname = False
        with conversation(stage, _PORT, contexts) as talk:
            exchange_over(stage, talk)
            stage.truth.connections[-1].sni = ""
        _failed(stage)


def _retried(stage: Stage) -> None:
    """The server knows only a group for which the client sent no share."""
    server, client = Settings().contexts(stage)
    server.set_ecdh_curve("secp384r1")
    with conversation(stage, _PORT, (server, client), name=HOST) as talk:
        exchange_over(stage, talk)
    stage.truth.connections[-1].note = "HelloRetryRequest"


def _with_client_certificate(stage: Stage) -> None:
    mine = stage.authority.issue("client", ("phone.lab.test",))
    for version in ("TLSv1.2", "TLSv1.3"):
        server, client = Settings(version).contexts(stage)
        server.verify_mode = ssl.CERT_REQUIRED
        server.load_verify_locations(stage.authority.certificate)
        client.load_cert_chain(mine.certificate, mine.key)
        with conversation(stage, _PORT, (server, client), name=HOST) as talk:
            exchange_over(stage, talk)
        stage.truth.connections[-1].note = "client certificate"


def _with_large_certificate(stage: Stage) -> None:
    large = stage.authority.issue("large", ("*.lab.test",), padding=20_000)
    for version in ("TLSv1.2", "TLSv1.3"):
        with conversation(stage, _PORT, Settings(version, identity=large).contexts(stage), name=HOST) as talk:
            exchange_over(stage, talk)


def _failed(stage: Stage) -> None:
    server = Settings("TLSv1.2", "ECDHE+AESGCM").contexts(stage)[0]
    client = Settings("TLSv1.2", "AES128-SHA:@SECLEVEL=0").contexts(stage)[1]
    try:
        with conversation(stage, _PORT, (server, client), name=HOST):
            pass
    except ssl.SSLError:
        failed = Connection(stage.server, _PORT, HOST, "TLSv1.2", decrypted=None, note="handshake failure")
        stage.truth.connections.append(failed)


@scenario("tls-changes")
def tls_changes(directory: Path) -> None:
    """What happens to a connection later: renegotiation, KeyUpdate by either end, padded records, small records, early
    data (0-RTT), suites with pre-shared keys."""
    with Stage.built("tls-changes", directory) as stage, stage.on_phone():
        _renegotiated(stage)
        _updated(stage)
        _early(stage)
        _preshared(stage)


def _exchange_over_pair(stage: Stage, pair: OpensslPair) -> None:
    request, answer, _ = ask(stage)
    pair.client_says(request)
    pair.server_says(answer)


def _renegotiated(stage: Stage) -> None:
    """Both keys change in the middle of a connection, once by the client's wish, once by the server's."""
    for suite in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-SHA"):
        arguments = ["-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0"]
        with (
            serving(stage, _PORT, [*arguments, "-client_renegotiation"]) as server,
            connected(stage, _PORT, server, arguments) as pair,
        ):
            _exchange_over_pair(stage, pair)
            pair.client.command("R")
            _exchange_over_pair(stage, pair)
            pair.server.command("r")
            _exchange_over_pair(stage, pair)


def _updated(stage: Stage) -> None:
    with (
        serving(stage, _PORT, ["-tls1_3", "-record_padding", "512"]) as server,
        connected(stage, _PORT, server, ["-record_padding", "100", "-max_send_frag", "512"]) as pair,
    ):
        _exchange_over_pair(stage, pair)
        for program, letter in ((pair.client, "k"), (pair.client, "K"), (pair.server, "k"), (pair.server, "K")):
            program.command(letter)
            _exchange_over_pair(stage, pair)


def _early(stage: Stage) -> None:
    session, early = stage.work / "session", stage.work / "early"
    with serving(stage, _PORT, ["-tls1_3", "-early_data"]) as server:
        with connected(stage, _PORT, server, ["-sess_out", str(session)]) as pair:
            _exchange_over_pair(stage, pair)
        request, answer, _ = ask(stage)
        early.write_bytes(request)
        with connected(stage, _PORT, server, ["-sess_in", str(session), "-early_data", str(early)]) as pair:
            pair.server_says(answer)
            _exchange_over_pair(stage, pair)


def _preshared(stage: Stage) -> None:
    for suite in (
        "PSK-AES128-GCM-SHA256",
        "DHE-PSK-AES256-CCM",
        "ECDHE-PSK-AES128-CBC-SHA256",
        "RSA-PSK-AES128-CBC-SHA",
    ):
        arguments = ["-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0", "-psk", "0123456789abcdef0123456789abcdef"]
        identity = stage.authority.issue("rsa", ("*.lab.test",), kind="rsa") if suite.startswith("RSA") else None
        with (
            serving(stage, _PORT, arguments, identity) as server,
            connected(stage, _PORT, server, arguments) as pair,
        ):
            _exchange_over_pair(stage, pair)


@scenario("tls-missing-keys")
def tls_missing_keys(directory: Path) -> None:
    """Connections of which the key log holds everything, nothing, and a part."""
    with Stage.built("tls-missing-keys", directory) as stage, stage.on_phone():
        # What the kept lines begin with; "-" keeps none.
        keep = {"all": "", "none": "-", "handshake alone": "CLIENT_HANDSHAKE", "client alone": "CLIENT_"}
        whole = ""
        for version in ("TLSv1.2", "TLSv1.3"):
            for note, prefix in keep.items():
                stage.keylog.write_bytes(b"")
                with conversation(stage, _PORT, Settings(version).contexts(stage), name=HOST) as talk:
                    exchange = exchange_over(stage, talk)
                lines = [line for line in stage.keylog.read_text().splitlines() if line.startswith(prefix)]
                whole += "".join(f"{line}\n" for line in lines)
                exchange.readable = stage.truth.connections[-1].decrypted = note == "all" or (
                    version == "TLSv1.2" and note == "client alone"
                )
                stage.truth.connections[-1].note = f"keys: {note}"
        stage.keylog.write_text(whole)
        stage.truth.exact_count = False
