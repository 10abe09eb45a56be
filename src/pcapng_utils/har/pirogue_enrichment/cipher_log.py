"""The cipher calls of an app (`aes_info.json`), and the one among them that made or read a given body.

Calls are found by size first: a call can only be the body's if their sizes are near each other, so that of thousands
of calls a few are compared.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NamedTuple

import msgspec

from pcapng_utils.attribution.json_array import ArrayReader, NotAnArrayError, balanced_objects
from pcapng_utils.layers import CLIENT, SERVER

_HEAD: Final = 8
"""Bytes that are compared before all are."""

#: Algorithms whose output is not a text that was hidden: digests, MACs, signatures, key derivation and agreement.
_NO_CIPHER: Final = re.compile(
    r"(sha|md[245]|ripemd|whirlpool|blake|sm3|hmac|\w*[cgk]mac|poly1305|siphash|pbkdf|hkdf|none|ecdsa|dsa|ed25519|ed448|"
    r"x25519|x448|ecdh|dh$|pbewithhmac(?!.*and))",
    re.IGNORECASE,
)
_READ_SIZE: Final = 1 << 18

_Side = tuple[bytes, bytes, int]
"""What was encrypted, its first bytes, and its length."""


class Bounds(NamedTuple):
    """Which calls may be a body's."""

    min_encrypted: int = 8
    min_clear: int = 2
    max_difference: float = 0.5
    """Between the sizes of call and body, as a part of the body's."""


USUAL: Final = Bounds()


class CipherCall(msgspec.Struct, frozen=True):
    """A finished call. It is not logged whether it encrypted or decrypted: the direction of the message tells."""

    index: int
    """Of the record in its file."""
    pid: int | None
    process: str | None
    timestamp: float
    """Seconds, phone's clock."""
    algorithm: str
    iv: bytes
    key: bytes
    """Empty in all logs known: keys are records of their own."""
    input: bytes
    output: bytes

    def encrypted(self, direction: int) -> bytes:
        """The side that a body of that direction has: what a request's cipher put out, what a response's took in."""
        return self.output if direction == CLIENT else self.input

    def clear(self, direction: int) -> bytes:
        return self.input if direction == CLIENT else self.output

    @property
    def is_asymmetric(self) -> bool:
        return self.algorithm.upper().startswith("RSA")


class _Data(msgspec.Struct):
    iv: str | None = ""
    alg: str | None = ""
    key: str | None = None
    input: str | None = msgspec.field(default=None, name="in")
    output: str | None = msgspec.field(default=None, name="out")

    @property
    def is_foreign(self) -> bool:
        """Whether it has nothing that a cipher call or the making of a key has."""
        return self.input is self.output is self.key is None


class _Record(msgspec.Struct):
    data: _Data
    timestamp: float = 0.0
    pid: int | None = None
    process: str | None = None
    alg: str | None = ""


class CipherLog:
    """All calls and keys of a log."""

    def __init__(self, bounds: Bounds = USUAL) -> None:
        self._bounds = bounds
        self.calls: list[CipherCall] = []
        self.keys: dict[bytes, str] = {}
        """Keys that were made, in order, and the algorithm each was made for."""
        self.malformed = 0
        """Records that are no cipher calls, those of other logs among them."""
        self.foreign = 0
        self.truncated = False
        self._by_size: tuple[list[tuple[float, int]], list[tuple[float, int]]] = ([], [])
        self._sides: tuple[list[_Side], list[_Side]] = ([], [])
        self._count = 0
        self._decoder = msgspec.json.Decoder(_Record, strict=False)

    @classmethod
    def read(cls, stream: BinaryIO, bounds: Bounds = USUAL) -> CipherLog:
        """Read a log. Raises ValueError if it is not a JSON array of objects, or the log of something else altogether;
        an empty stream is an empty log."""
        log = cls(bounds)
        for piece in _pieces(stream, log):
            log._take(piece)
        if log.foreign and log.foreign == log._count:
            raise ValueError(f"none of its {log.foreign} elements is a cipher call")
        return log

    def _take(self, piece: bytes) -> None:
        """Take a record, or several that were not told apart."""
        try:
            self.add(self._count, self._decoder.decode(piece))
        except (ValueError, RecursionError):
            spans = list(balanced_objects(piece))
            if len(spans) > 1:
                for start, end in spans:
                    self._take(piece[start:end])
                return
            self.malformed += 1
        self._count += 1

    def add(self, index: int, record: _Record) -> None:
        """Take a record. Raises ValueError if its hex is none, or if it is the record of another log."""
        data = record.data
        if data.is_foreign:
            self.foreign += 1
            raise ValueError("no cipher call")
        algorithm = data.alg or record.alg or ""
        sides = bytes.fromhex(data.input or ""), bytes.fromhex(data.output or "")
        key, iv = bytes.fromhex(data.key or ""), bytes.fromhex(data.iv or "")
        if not any(sides):
            if key:
                self.keys.setdefault(key, algorithm)
            return
        if _NO_CIPHER.match(algorithm):
            return
        call = CipherCall(index, record.pid, record.process, record.timestamp / 1000, algorithm, iv, key, *sides)
        position = len(self.calls)
        self.calls.append(call)
        for direction in (CLIENT, SERVER):
            side = call.encrypted(direction)
            encrypted, clear = len(side), len(call.clear(direction))
            self._sides[direction].append((side, side[:_HEAD], encrypted))
            if encrypted >= self._bounds.min_encrypted and clear >= self._bounds.min_clear:
                size = float(encrypted) if call.is_asymmetric else (encrypted + clear) / 2
                insort(self._by_size[direction], (size, position))

    def find(self, body: bytes, direction: int) -> CipherCall | None:
        """The call whose encrypted side contains the body or is contained in it; of several, the one nearest in size,
        of these the first in the log."""
        size = len(body)
        if size < self._bounds.min_encrypted:
            return None
        by_size, sides, head = self._by_size[direction], self._sides[direction], body[:_HEAD]
        most = size * self._bounds.max_difference
        low = bisect_left(by_size, (size - most, -1))
        high = bisect_left(by_size, (size + most, len(self.calls)))
        found = []
        for length, position in by_size[low:high]:
            encrypted, begin, extent = sides[position]
            # Hardly any contains the other, which the first bytes tell: to look for a long text takes preparation.
            if extent <= size:
                fits = body.find(begin, 0, size - extent + _HEAD) >= 0 and encrypted in body
            else:
                fits = encrypted.find(head, 0, extent - size + _HEAD) >= 0 and body in encrypted
            if fits:
                found.append((abs(length - size), position))
        return self.calls[min(found)[1]] if found else None


def _pieces(stream: BinaryIO, log: CipherLog) -> Iterator[bytes]:
    reader = ArrayReader()
    try:
        while data := stream.read(_READ_SIZE):
            for block in reader.feed(data):
                yield from (piece for _, piece in block.pieces())
        for block in reader.finish():
            yield from (piece for _, piece in block.pieces())
    except NotAnArrayError as error:
        raise ValueError(str(error)) from None
    log.truncated = reader.truncated


def call_to_har(call: CipherCall, key: bytes) -> dict[str, Any]:
    """`primitiveParameters`."""
    return {"algorithm": call.algorithm, "key": key.hex(), "iv": call.iv.hex()}
