"""Numbers of the TLS protocol and the names they go by (IANA, https://www.iana.org/assignments/tls-parameters)."""

from __future__ import annotations

from typing import Final

CHANGE_CIPHER_SPEC: Final = 20
ALERT: Final = 21
HANDSHAKE: Final = 22
APPLICATION_DATA: Final = 23
HEARTBEAT: Final = 24
TLS12_CID: Final = 25
"""Of DTLS alone, as the next."""
ACK: Final = 26

HELLO_REQUEST: Final = 0
CLIENT_HELLO: Final = 1
SERVER_HELLO: Final = 2
NEW_SESSION_TICKET: Final = 4
END_OF_EARLY_DATA: Final = 5
ENCRYPTED_EXTENSIONS: Final = 8
CERTIFICATE: Final = 11
SERVER_KEY_EXCHANGE: Final = 12
CERTIFICATE_REQUEST: Final = 13
SERVER_HELLO_DONE: Final = 14
CERTIFICATE_VERIFY: Final = 15
CLIENT_KEY_EXCHANGE: Final = 16
FINISHED: Final = 20
CERTIFICATE_URL: Final = 21
CERTIFICATE_STATUS: Final = 22
SUPPLEMENTAL_DATA: Final = 23
KEY_UPDATE: Final = 24
COMPRESSED_CERTIFICATE: Final = 25
NEXT_PROTOCOL: Final = 67

HANDSHAKE_TYPES: Final = frozenset(
    (
        HELLO_REQUEST,
        CLIENT_HELLO,
        SERVER_HELLO,
        NEW_SESSION_TICKET,
        END_OF_EARLY_DATA,
        ENCRYPTED_EXTENSIONS,
        CERTIFICATE,
        SERVER_KEY_EXCHANGE,
        CERTIFICATE_REQUEST,
        SERVER_HELLO_DONE,
        CERTIFICATE_VERIFY,
        CLIENT_KEY_EXCHANGE,
        FINISHED,
        CERTIFICATE_URL,
        CERTIFICATE_STATUS,
        SUPPLEMENTAL_DATA,
        KEY_UPDATE,
        COMPRESSED_CERTIFICATE,
        NEXT_PROTOCOL,
    )
)

EXT_SERVER_NAME: Final = 0
EXT_SUPPORTED_GROUPS: Final = 10
EXT_EC_POINT_FORMATS: Final = 11
EXT_SIGNATURE_ALGORITHMS: Final = 13
EXT_ALPN: Final = 16
EXT_ENCRYPT_THEN_MAC: Final = 22
EXT_EXTENDED_MASTER_SECRET: Final = 23
EXT_SESSION_TICKET: Final = 35
EXT_PRE_SHARED_KEY: Final = 41
EXT_EARLY_DATA: Final = 42
EXT_SUPPORTED_VERSIONS: Final = 43
EXT_NEXT_PROTOCOL: Final = 13172
EXT_ECH: Final = 0xFE0D

SSL30: Final = 0x0300
TLS10: Final = 0x0301
TLS11: Final = 0x0302
TLS12: Final = 0x0303
TLS13: Final = 0x0304

_VERSION_NAMES: Final = {
    0x0002: "SSL 2.0",
    SSL30: "SSL 3.0",
    TLS10: "TLS 1.0",
    TLS11: "TLS 1.1",
    TLS12: "TLS 1.2",
    TLS13: "TLS 1.3",
}

FATAL: Final = 2
CLOSE_NOTIFY: Final = 0

ALERT_LEVELS: Final = {1: "warning", FATAL: "fatal"}

ALERT_NAMES: Final = {
    CLOSE_NOTIFY: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    21: "decryption_failed",
    22: "record_overflow",
    30: "decompression_failure",
    40: "handshake_failure",
    41: "no_certificate",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    52: "too_many_cids_requested",
    60: "export_restriction",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    100: "no_renegotiation",
    109: "missing_extension",
    110: "unsupported_extension",
    111: "certificate_unobtainable",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    114: "bad_certificate_hash_value",
    115: "unknown_psk_identity",
    116: "certificate_required",
    117: "general_error",
    120: "no_application_protocol",
    121: "ech_required",
}


def is_grease(value: int) -> bool:
    """Whether a two-byte value is one of those reserved to be ignored (RFC 8701)."""
    return value & 0x0F0F == 0x0A0A and value >> 8 == value & 0xFF


def version_name(version: int) -> str:
    """ "TLS 1.2" for 0x0303; drafts of TLS 1.3 are named as it is; "0x1234" for one unknown."""
    return _VERSION_NAMES.get(settled_version(version), f"0x{version:04x}")


def settled_version(version: int) -> int:
    """The version that `version` became: TLS 1.3 for its drafts (0x7f12 to 0x7f1c), else itself."""
    return TLS13 if version >> 8 == 0x7F else version
