"""A conversation as a row of `log._connections`, and, where it could not be decrypted, of `log._tlsErrors`."""

from __future__ import annotations

from typing import Any, Final

from pcapng_utils.har.services import likely_service
from pcapng_utils.har.timings import iso_time, seconds
from pcapng_utils.layers import CLIENT, SERVER
from pcapng_utils.net.flow import Flow
from pcapng_utils.quic.facts import QuicFacts
from pcapng_utils.tls.dtls import DTLS
from pcapng_utils.tls.facts import Certificate, TlsFacts

#: Why records could not be read (`TlsFacts.reason`), for people.
REASONS: Final = {
    "no-secret": "no secret for this client random",
    "unknown-cipher": "unknown cipher",
    "handshake-not-captured": "the handshake was not captured",
    "lost-packets": "packets were lost, or cut short by the capture",
    "ech": "Encrypted Client Hello",
    "bad-record": "records that do not decrypt with the secret at hand",
    "unknown-version": "unknown version of QUIC",
    "gquic": "Google's QUIC before the standard",
}

_UNANSWERED: Final = "a QUIC handshake that led to no connection"

_SIDES: Final = ("client", "server")


def connection_fields(flow: Flow, tls: TlsFacts | None, quic: QuicFacts | None, application: str) -> dict[str, Any]:
    """Everything that is known when the flow has ended; names, exchanges and code are added by the writer."""
    decrypted, reason = decryption_state(flow, tls, application, quic)
    fields: dict[str, Any] = {
        "protocol": flow.transport.upper(),
        "application": application,
        "service": likely_service(flow.transport, flow.server.port, application),
        "decrypted": decrypted,
        "reason": reason,
        "startedDateTime": iso_time(flow.first),
        "_timestamp": seconds(flow.first),
        "time": (flow.last // 1000 - flow.first // 1000) / 1000,
        "frames": [flow.first_frame, flow.last_frame],
        "packets": _by_side(flow.packets),
        "bytes": _by_side(flow.bytes),
        "payloadBytes": _by_side(flow.payload),
        "lostBytes": _by_side(flow.lost),
        "retransmittedPackets": _by_side(flow.retransmitted),
        "begun": flow.begun,
        "ended": flow.ended,
        "endedBy": None if flow.ended_by is None else _SIDES[flow.ended_by],
        "tls": None if tls is None else _tls_fields(tls),
    }
    if quic is not None:
        fields["quic"] = _quic_fields(quic)
    if flow.tunnels:
        fields["tunnels"] = list(flow.tunnels)
    if flow.processes:
        fields["processes"] = dict(flow.processes)
    if flow.uids:
        fields["uids"] = sorted(flow.uids)
    return fields


def decryption_state(
    flow: Flow, tls: TlsFacts | None, application: str, quic: QuicFacts | None = None
) -> tuple[str, str]:
    """`decrypted` ("yes", "no", "partly") and the reason, a few words."""
    if tls is None:
        if not any(flow.payload):
            return ("no", "none of the data was captured") if any(flow.lost) else ("yes", "no data was exchanged")
        if application == DTLS:
            return "no", "DTLS, which nothing here reads"
        if application:
            return "yes", "not TLS"
        if likely_service(flow.transport, flow.server.port) == "QUIC":
            return "no", "QUIC by its port: the handshake was not captured"
        return "no", "not TLS, and no known protocol"
    read, unread = sum(tls.read), sum(tls.unread)
    reason = REASONS.get(tls.reason, tls.reason)
    if unread:
        return ("partly" if read or application else "no"), reason
    if quic is not None and not read and not tls.reason:
        return ("no", "QUIC packets that nothing here reads") if any(quic.unread) else ("no", _UNANSWERED)
    if read or not tls.reason:
        return "yes", "" if read else "nothing to decrypt"
    return "no", reason


def tls_error(flow: Flow, tls: TlsFacts) -> dict[str, Any]:
    """A conversation that could not be decrypted, as HTTP Toolkit writes it in `_tlsErrors`."""
    return {
        "startedDateTime": iso_time(flow.first),
        "time": (flow.last // 1000 - flow.first // 1000) / 1000,
        "hostname": tls.sni,
        "cause": decryption_state(flow, tls, "")[1],
        "tlsMetadata": {
            "sniHostname": tls.sni,
            "clientAlpn": list(tls.alpn_offered),
            "ja3Fingerprint": tls.ja3,
            "ja4Fingerprint": tls.ja4,
        },
        "clientIPAddress": flow.client.ip,
        "clientPort": flow.client.port,
        "remoteIPAddress": flow.server.ip,
        "remotePort": flow.server.port,
        "_connection": flow.id,
    }


def _by_side(pair: list[int]) -> dict[str, int]:
    return {"client": pair[CLIENT], "server": pair[SERVER]}


def _tls_fields(tls: TlsFacts) -> dict[str, Any]:
    return {
        "version": tls.version,
        "cipher": tls.cipher,
        "sni": tls.sni,
        "alpn": tls.alpn,
        "alpnOffered": list(tls.alpn_offered),
        "ech": tls.ech,
        "resumed": tls.resumed,
        "earlyData": tls.early_data,
        "clientCertificate": tls.client_certificate,
        "ja3": tls.ja3,
        "ja3s": tls.ja3s,
        "ja4": tls.ja4,
        "clientRandom": tls.client_random,
        "certificates": [_certificate(certificate) for certificate in tls.certificates],
        "alerts": list(tls.alerts),
        "recordsRead": _by_side(tls.read),
        "recordsUnread": _by_side(tls.unread),
    }


def _quic_fields(quic: QuicFacts) -> dict[str, Any]:
    return {
        "version": quic.version,
        "firstVersion": quic.first_version,
        "clientConnectionId": quic.client_id,
        "serverConnectionId": quic.server_id,
        "originalConnectionId": quic.original_id,
        "retry": quic.retry,
        "versionNegotiation": quic.version_negotiation,
        "offeredVersions": list(quic.offered_versions),
        "migrations": [
            {"time": seconds(time), "client": list(client), "server": list(server)}
            for time, client, server in quic.migrations
        ],
        "keyUpdates": _by_side(quic.key_updates),
        "close": quic.close,
        "packetsRead": _by_side(quic.packets),
        "packetsUnread": _by_side(quic.unread),
    }


def _certificate(certificate: Certificate) -> dict[str, Any]:
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "names": list(certificate.names),
        "notBefore": certificate.not_before,
        "notAfter": certificate.not_after,
        "sha256": certificate.sha256,
    }
