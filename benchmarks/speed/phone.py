"""What a PiRogue logs on the phone: calls on sockets, each with its Java stack, and cipher calls."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, Final, Self

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from benchmarks.speed.packets import BEGIN, Ends

_PROCESS: Final = "org.example.bench"
_PID: Final = 4242
_DEPTH: Final = 32
_SITES: Final = 20
"""Places in the app's code that open connections; each reads and writes in places of its own."""
_KEYS: Final = 8
_DELAY: Final = 300
"""Time from a write call to its bytes on the wire, in µs."""
_OTHER_FLOWS: Final = 50


class _JsonArray:
    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._file.write("[")
        self._separator = ""

    def add(self, record: dict[str, Any]) -> int:
        """Returns the characters written."""
        text = self._separator + json.dumps(record, separators=(",", ":"))
        self._separator = ",\n"
        return self._file.write(text)

    def close(self) -> None:
        self._file.write("]\n")
        self._file.close()


class SocketTrace:
    """`socket_trace.json`. If it is to be larger than the app makes it, calls on other sockets fill it."""

    def __init__(self, path: Path, size: int = 0) -> None:
        self._array = _JsonArray(path)
        self._size = size
        self._written = 0
        self._stacks = [_stack(number) for number in range(2 * _SITES)]
        self._rng = random.Random("trace")
        self._last = BEGIN

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        while self._written < self._size:
            flow = self._rng.randrange(_OTHER_FLOWS)
            ends = Ends(("10.0.0.2", 20_000 + flow), ("198.51.100.7", 443))
            self._last += 1000
            self.call(ends, 1000 + flow, self._last, self._rng.random() < 0.5)
        self._array.close()

    def call(self, ends: Ends, descriptor: int, time: int, write: bool) -> None:
        """One call on a socket; `time` on the wire, in µs since the epoch."""
        self._last = time
        self._written += self._array.add(
            {
                "type": "socket_trace_log",
                "dump": "socket_trace.json",
                "pid": _PID,
                "process": _PROCESS,
                "data_type": "json",
                "timestamp": (time - _DELAY) // 1000,
                "data": {
                    "socket_fd": 80 + descriptor,
                    "socket_type": "tcp6",
                    "pid": _PID,
                    "thread_id": 4300 + descriptor % 8,
                    "socket_event_type": "write" if write else "read",
                    "dest_ip": f"::ffff:{ends.server[0]}",
                    "dest_port": ends.server[1],
                    "local_ip": f"::ffff:{ends.client[0]}",
                    "local_port": ends.client[1],
                    "stack": self._stacks[descriptor % _SITES * 2 + write],
                },
            }
        )


def _stack(number: int) -> list[dict[str, Any]]:
    frames = []
    for depth in range(_DEPTH):
        class_ = f"org.example.bench.package{depth}.Class{number * 7 % 40 + depth}"
        method, line = f"method{(number + depth) % 9}", number + 10 * depth
        frames.append(
            {
                "class": class_,
                "file": f"{class_.rpartition('.')[2]}.java",
                "line": line,
                "method": method,
                "is_native": False,
                "str": f"{class_}.{method}({class_.rpartition('.')[2]}.java:{line})",
            }
        )
    return frames


class CipherLog:
    """`aes_info.json`."""

    def __init__(self, path: Path) -> None:
        self._array = _JsonArray(path)
        self._keys = [random.Random(number).randbytes(16) for number in range(_KEYS)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._array.close()

    def encrypt(self, rng: random.Random, clear: bytes, time: int) -> bytes:
        """AES in CBC mode, as the app would call it at `time` (µs since the epoch)."""
        key, iv = self._keys[rng.randrange(_KEYS)], rng.randbytes(16)
        padder = PKCS7(128).padder()
        encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
        secret = encryptor.update(padder.update(clear) + padder.finalize()) + encryptor.finalize()
        self._add(time, {"alg": "AES", "key": key.hex()})
        data = {"iv": iv.hex(), "alg": "AES/CBC/PKCS5Padding", "in": clear.hex(), "out": secret.hex(), "key": ""}
        self._add(time, data)
        return secret

    def _add(self, time: int, data: dict[str, str]) -> None:
        self._array.add(
            {
                "type": "aes_info_log",
                "dump": "aes_info.json",
                "data_type": "json",
                "pid": _PID,
                "process": _PROCESS,
                "timestamp": time // 1000,
                "data": data,
            }
        )
