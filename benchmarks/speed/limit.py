"""The limit: what it takes to read the records of a capture and to decrypt them, with nothing else done.

    python benchmarks/speed/limit.py RECORDS

No dissector can be faster in Python, for this one is told beforehand where each record is and which key opens it. The
file that it reads is written while the capture is made.
"""

from __future__ import annotations

import hmac
import sys
from pathlib import Path
from typing import BinaryIO, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_HEADER: Final = 5


def write_records(file: BinaryIO, flow: int, records: bytes) -> None:
    """Add TLS records, each behind the number of its flow."""
    start = 0
    while start < len(records):
        stop = start + _HEADER + int.from_bytes(records[start + 3 : start + _HEADER], "big")
        file.write(bytes((flow,)) + records[start:stop])
        start = stop


def write_secrets(records: Path, keylog: Path, randoms: list[bytes]) -> None:
    """Write the servers' traffic secrets, a line each, in the order of the flows."""
    lines = [line.split() for line in keylog.read_text().splitlines()]
    secrets = {words[1]: words[2] for words in lines if words[0] == "SERVER_TRAFFIC_SECRET_0"}
    records.with_suffix(".keys").write_text("".join(secrets[random.hex()] + "\n" for random in randoms))


def _expand_label(secret: bytes, label: bytes, size: int) -> bytes:
    """HKDF-Expand-Label (RFC 8446, section 7.1) where one block of the hash is enough."""
    label = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes((len(label),)) + label + b"\0\1"
    return hmac.digest(secret, info, "sha384" if len(secret) == 48 else "sha256")[:size]


def main(path: Path) -> None:
    secrets = [bytes.fromhex(line) for line in path.with_suffix(".keys").read_text().split()]
    ivs = [int.from_bytes(_expand_label(secret, b"iv", 12), "big") for secret in secrets]
    openers = [AESGCM(_expand_label(s, b"key", 32 if len(s) == 48 else 16)).decrypt for s in secrets]
    sequences = [0] * len(secrets)
    clear = 0
    with path.open("rb") as file:
        read = file.read
        while head := read(1 + _HEADER):
            flow = head[0]
            nonce = (ivs[flow] ^ sequences[flow]).to_bytes(12, "big")
            sequences[flow] += 1
            clear += len(openers[flow](nonce, read((head[4] << 8) + head[5]), head[1:]))
    print(f"{sum(sequences):,} records, {clear:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
