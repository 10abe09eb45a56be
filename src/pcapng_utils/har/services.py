"""Services that are likely behind a port, for conversations that nobody here reads (IANA, and what apps really use)."""

from __future__ import annotations

from typing import Final

from pcapng_utils.tls.dtls import DTLS

_UDP: Final = {
    53: "DNS",
    67: "DHCP",
    68: "DHCP",
    123: "NTP",
    137: "NetBIOS",
    138: "NetBIOS",
    161: "SNMP",
    443: "QUIC",
    500: "IKE",
    514: "syslog",
    546: "DHCPv6",
    547: "DHCPv6",
    853: "DNS over QUIC",
    1194: "OpenVPN",
    1900: "SSDP",
    3478: "STUN",
    3479: "STUN",
    3480: "STUN",
    4500: "IPsec",
    5004: "RTP",
    5060: "SIP",
    5353: "mDNS",
    5355: "LLMNR",
    5683: "CoAP",
    5684: "CoAP over DTLS",
    19302: "STUN",
    51820: "WireGuard",
}
_TCP: Final = {
    21: "FTP",
    22: "SSH",
    23: "Telnet",
    25: "SMTP",
    53: "DNS",
    80: "HTTP",
    110: "POP3",
    143: "IMAP",
    443: "HTTPS",
    465: "SMTP over TLS",
    587: "SMTP",
    853: "DNS over TLS",
    993: "IMAP over TLS",
    995: "POP3 over TLS",
    1080: "SOCKS",
    1883: "MQTT",
    1935: "RTMP",
    3306: "MySQL",
    5060: "SIP",
    5222: "XMPP",
    5223: "XMPP over TLS",
    5228: "Google push",
    5432: "PostgreSQL",
    6379: "Redis",
    8080: "HTTP",
    8443: "HTTPS",
    8883: "MQTT over TLS",
}


def likely_service(transport: str, port: int, application: str = "") -> str | None:
    """The name of the service, or None if the port says nothing, or what `application` shows to be wrong."""
    service = (_TCP if transport == "tcp" else _UDP).get(port)
    return None if application == DTLS and service == "QUIC" else service
