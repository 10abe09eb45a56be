"""Who is the client of a flow whose beginning was not seen: a guess from the ports.

A port at which services listen is the server's. Where that does not decide, the lower port of a TCP connection is, for
clients take theirs from the top of the range; of a UDP conversation the sender of the first datagram is the client.
What is read in the flow later may know better (`Flow.swap`).
"""

from __future__ import annotations

from typing import Final

_SERVICES: Final = frozenset(
    {1080, 1433, 1521, 1883, 1900, 1935, 2049, 3128, 3306, 3389, 3478, 3479, 4433, 5060, 5061, 5222, 5223, 5228, 5353}
    | {5355, 5432, 5671, 5672, 5900, 6379, 6443, 7000, 8000, 8008, 8009, 8080, 8081, 8123, 8443, 8853, 8883, 8888}
    | {9000, 9001, 9090, 9092, 9200, 9443, 19302, 25565, 27017}
)
_PRIVILEGED: Final = 1024


def _is_service(port: int) -> bool:
    return port < _PRIVILEGED or port in _SERVICES


def sender_is_client(source_port: int, destination_port: int, transport: str) -> bool:
    """Whether the sender of the first packet seen is taken for the client; the packet is neither SYN nor SYN-ACK."""
    from_service, to_service = _is_service(source_port), _is_service(destination_port)
    if from_service != to_service:
        return to_service
    return transport == "udp" or source_port >= destination_port
