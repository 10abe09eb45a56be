"""The cipher calls of an app (`aes_info.json`), and the one among them that made or read a given body.

The file is read once, a block at a time. What stays in memory is where each call is in the file, and an index of its
two sides (`cipher_index`); calls are read again where they are compared with a body or found to be its.
"""

from __future__ import annotations

import re
import shutil
from array import array
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final, NamedTuple

import msgspec

from pcapng_utils.attribution.json_array import ArrayReader, NotAnArrayError, balanced_objects
from pcapng_utils.har.pirogue_enrichment.cipher_index import Bounds, SideIndex
from pcapng_utils.har.temporary import private_file
from pcapng_utils.layers import CLIENT, SERVER

#: Algorithms whose output is not a text that was hidden: digests, MACs, signatures, key derivation and agreement.
_NO_CIPHER: Final = re.compile(
    r"(sha|md[245]|ripemd|whirlpool|blake|sm3|hmac|\w*[cgk]mac|poly1305|siphash|pbkdf|hkdf|none|ecdsa|dsa|ed25519|ed448|"
    r"x25519|x448|ecdh|dh$|pbewithhmac(?!.*and))",
    re.IGNORECASE,
)
_READ_SIZE: Final = 1 << 18

USUAL: Final = Bounds()


class CipherCall(msgspec.Struct, frozen=True):
    """A finished call. It is not logged whether it encrypted or decrypted: the direction of the message tells."""

    index: int
    """Of the record in its file."""
    pid: int | None
    """None where the collector did not know it ("unknown")."""
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
    pid: int | str | None = None
    process: str | None = None
    alg: str | None = ""


class CipherLog:
    """All calls and keys of a log. The file is kept open for the calls to be read again."""

    def __init__(self, stream: BinaryIO, bounds: Bounds = USUAL) -> None:
        """`stream`: can seek."""
        self._stream = stream
        self._bounds = bounds
        self.keys: dict[bytes, int] = {}
        """Keys that were made, and their number in the order of their first making."""
        self.made = array("L")
        """Each time that a key was made: its number."""
        self.made_at = array("Q")
        """And the index of the record that says so."""
        self.malformed = 0
        """Records that are no cipher calls, those of other logs among them."""
        self.foreign = 0
        self.truncated = False
        self._indices = array("Q")
        """Of the record of each call; so the next two."""
        self._offsets = array("Q")
        self._lengths = array("L")
        self._positions = (array("L"), array("L"))
        """By direction: the call of each row of the index."""
        self._sides = SideIndex(bounds, self._reader(CLIENT)), SideIndex(bounds, self._reader(SERVER))
        self._last: tuple[int, CipherCall] | None = None
        """The call that was read last."""
        self._count = 0
        self._decoder = msgspec.json.Decoder(_Record, strict=False)

    @classmethod
    def read(cls, stream: BinaryIO, bounds: Bounds = USUAL) -> CipherLog:
        """Read a log. Raises ValueError if it is not a JSON array of objects, or the log of something else altogether;
        an empty stream is an empty log."""
        if not stream.seekable():
            copy = private_file()
            shutil.copyfileobj(stream, copy)
            copy.seek(0)
            stream = copy
        log = cls(stream, bounds)
        for offset, piece in _pieces(stream, log):
            log._take(offset, piece)
        if log.foreign and log.foreign == log._count:
            raise ValueError(f"none of its {log.foreign} elements is a cipher call")
        return log

    def __len__(self) -> int:
        """Number of calls."""
        return len(self._offsets)

    def close(self) -> None:
        self._stream.close()

    def call(self, position: int) -> CipherCall:
        """A call, read from the file. Raises ValueError if the file is not what it was any more."""
        if self._last is None or self._last[0] != position:
            self._stream.seek(self._offsets[position])
            record = self._decoder.decode(self._stream.read(self._lengths[position]))
            self._last = position, _call(self._indices[position], record, _hex(record.data))
        return self._last[1]

    def find(self, body: bytes, direction: int) -> CipherCall | None:
        """The call whose encrypted side contains the body or is contained in it; of several, the one nearest in size,
        of these the first in the log."""
        if len(body) < max(self._bounds.min_encrypted, 1):
            return None
        row = self._sides[direction].find(body)
        return None if row is None else self.call(self._positions[direction][row])

    def _reader(self, direction: int) -> Callable[[int], bytes]:
        def read(row: int) -> bytes:
            try:
                return self.call(self._positions[direction][row]).encrypted(direction)
            except ValueError:  # somebody has changed the file
                return b""

        return read

    def _take(self, offset: int, piece: bytes) -> None:
        """Take a record, or several that were not told apart."""
        try:
            self._add(self._decoder.decode(piece), offset, len(piece))
        except (ValueError, RecursionError):
            spans = list(balanced_objects(piece))
            if len(spans) > 1:
                for start, end in spans:
                    self._take(offset + start, piece[start:end])
                return
            self.malformed += 1
        self._count += 1

    def _add(self, record: _Record, offset: int, length: int) -> None:
        """Take a record. Raises ValueError if its hex is none, or if it is the record of another log."""
        if record.data.is_foreign:
            self.foreign += 1
            raise ValueError("no cipher call")
        values = _hex(record.data)
        if not values.input and not values.output:
            if values.key:
                self.made.append(self.keys.setdefault(values.key, len(self.keys)))
                self.made_at.append(self._count)
            return
        if _NO_CIPHER.match(_algorithm(record)):
            return
        call = _call(self._count, record, values)
        for direction in (CLIENT, SERVER):
            side = call.encrypted(direction)
            encrypted, clear = len(side), len(call.clear(direction))
            if encrypted >= max(self._bounds.min_encrypted, 1) and clear >= self._bounds.min_clear:
                self._sides[direction].add(side, 2 * encrypted if call.is_asymmetric else encrypted + clear)
                self._positions[direction].append(len(self))
        self._indices.append(self._count)
        self._offsets.append(offset)
        self._lengths.append(length)


class _Values(NamedTuple):
    iv: bytes
    key: bytes
    input: bytes
    output: bytes


def _hex(data: _Data) -> _Values:
    return _Values(*(bytes.fromhex(text or "") for text in (data.iv, data.key, data.input, data.output)))


def _algorithm(record: _Record) -> str:
    return record.data.alg or record.alg or ""


def _pid(logged: int | str | None) -> int | None:
    if isinstance(logged, str):
        return int(logged) if logged.isdecimal() and len(logged) < 20 else None
    return logged


def _call(index: int, record: _Record, values: _Values) -> CipherCall:
    return CipherCall(index, _pid(record.pid), record.process, record.timestamp / 1000, _algorithm(record), *values)


def _pieces(stream: BinaryIO, log: CipherLog) -> Iterator[tuple[int, bytes]]:
    """Each record's offset and text."""
    reader = ArrayReader()
    try:
        while data := stream.read(_READ_SIZE):
            for block in reader.feed(data):
                yield from block.pieces()
        for block in reader.finish():
            yield from block.pieces()
    except NotAnArrayError as error:
        raise ValueError(str(error)) from None
    log.truncated = reader.truncated


def call_to_har(call: CipherCall, key: bytes) -> dict[str, Any]:
    """`primitiveParameters`."""
    return {"algorithm": call.algorithm, "key": key.hex(), "iv": call.iv.hex()}
