"""The page: one HTML file that holds the program which shows a HAR, and the HAR itself in compressed blocks.

An *index* (a row for each exchange and connection) is opened at once; *chunks* (the entries themselves, some dozens
together) and large bodies when somebody looks at them. What the page has no room for is left out, whole bodies first,
the largest first of all, and the page says so.

The program (`page.html`) is built from `report-ui/`. Its Content-Security-Policy admits that one script, by its
digest, and nothing from anywhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from typing import Any, BinaryIO, Final, NamedTuple

import msgspec

from pcapng_utils import __version__
from pcapng_utils.attribution.sites import SYSTEM_PREFIXES
from pcapng_utils.errors import InputError, well_formed
from pcapng_utils.har.problems import lost_packets
from pcapng_utils.report.blocks import Block, BlockSpool, block_element
from pcapng_utils.report.bodies import move_large_bodies
from pcapng_utils.report.rows import ConnectionRow, Row, connection_row, exchange_row
from pcapng_utils.report.source import Har, Json

#: Bytes of the page, where nobody asks for another limit.
MAX_SIZE: Final = 100_000_000

_PLACEHOLDER: Final = b"<!--DATA-->"
_CHUNK: Final = 128 * 1024
_encode = msgspec.json.Encoder().encode


class LeftOut(NamedTuple):
    """What the page had no room for."""

    bodies: int
    bytes: int
    """Bytes of those bodies."""
    exchanges: int
    """Exchanges of which there is a row, and nothing else."""


def write_page(
    har: Har, out: BinaryIO, *, title: str, max_size: int = MAX_SIZE, system_prefixes: tuple[str, ...] = ()
) -> LeftOut:
    """Write the page of a HAR.

    `system_prefixes`: beginnings of class names that are not the app's, besides those known. The rows and the program
    are written even where they alone are more than `max_size` bytes. Raises InputError if an entry is not HAR's.
    """
    template = files("pcapng_utils.report").joinpath("page.html").read_bytes()
    before, _, after = template.partition(_PLACEHOLDER)
    with BlockSpool() as spool:
        page = _Page(spool, (*SYSTEM_PREFIXES, *system_prefixes))
        page.read(har)
        left_out = page.choose(max_size - len(template))
        out.write(before)
        out.write(block_element("index", page.index(har, title, left_out)))
        for block in page.chosen:
            spool.write(block, out)
        out.write(after)
    return left_out


class _Page:
    """Everything in the page but the program."""

    def __init__(self, spool: BlockSpool, prefixes: tuple[str, ...]) -> None:
        self._spool = spool
        self._prefixes = prefixes
        self._rows: list[Row] = []
        self._connections: list[ConnectionRow] = []
        self._findings: list[Json] = []
        self._lost: list[str] = []
        """What was wrong with the capture itself."""
        self._chunks: list[Block] = []
        self._exchange_chunks = 0
        self._bodies: list[Block] = []
        self._lists: list[Block] = []
        self.chosen: list[Block] = []

    def read(self, har: Har) -> None:
        """Go through the HAR, once."""
        chunks = _Chunks()
        for number, entry in enumerate(har.entries):
            try:
                self._rows.append(exchange_row(entry, chunks.place, self._prefixes))
            except msgspec.ValidationError as error:
                raise InputError(f"{har.name}: entries[{number}] is not what HAR has there ({error}).") from None
            move_large_bodies(entry, self._keep_body)
            self._keep_chunk(chunks.add(entry))
        self._keep_chunk(chunks.cut())
        self._exchange_chunks = len(self._chunks)
        for number, connection in enumerate(har.connections):
            try:
                self._connections.append(connection_row(connection, chunks.place))
            except msgspec.ValidationError as error:
                raise InputError(f"{har.name}: _connections[{number}] is not what we write there ({error}).") from None
            self._keep_chunk(chunks.add(connection))
        self._keep_chunk(chunks.cut())
        self._findings = list(har.findings)
        problems = list(har.problems)
        self._lost = lost_packets(problems)
        for name, rows in (("problems", problems), ("dns", har.dns)):
            self._lists.append(self._spool.add(name, _encode(list(rows))))

    def _keep_chunk(self, items: bytes | None) -> None:
        if items is not None:
            self._chunks.append(self._spool.add(f"chunk-{len(self._chunks)}", items))

    def _keep_body(self, content: bytes) -> str:
        block = self._spool.add(f"body-{len(self._bodies)}", content)
        self._bodies.append(block)
        return block.name

    def choose(self, room: int) -> LeftOut:
        """Choose the blocks that fit into so many bytes: lists and chunks in order, then bodies, the smallest first."""
        room -= len(block_element("index", _encode([self._rows, self._connections, self._findings])))
        chunks, room = _fitting([*self._lists, *self._chunks], room)
        bodies, _ = _fitting(sorted(self._bodies, key=lambda block: block.page_size), room)
        self.chosen = [*chunks, *sorted(bodies, key=lambda block: block.offset)]
        names = {block.name for block in self.chosen}
        missing = [block for block in self._bodies if block.name not in names]
        closed = {number for number in range(self._exchange_chunks) if f"chunk-{number}" not in names}
        return LeftOut(
            len(missing), sum(block.content for block in missing), sum(row.at[0] in closed for row in self._rows)
        )

    def index(self, har: Har, title: str, left_out: LeftOut) -> bytes:
        return _encode(
            {
                "title": title,
                "creator": har.creator,
                "version": __version__,
                "device": har.device,
                "systemPrefixes": list(map(well_formed, self._prefixes)),
                "leftOut": left_out._asdict(),
                "lost": self._lost,
                "rows": self._rows,
                "connections": self._connections,
                "findings": self._findings,
            }
        )


def _fitting(blocks: Iterable[Block], room: int) -> tuple[list[Block], int]:
    """The blocks for which there is room, first come, first served, and the room that is left."""
    chosen = []
    for block in blocks:
        if block.page_size <= room:
            chosen.append(block)
            room -= block.page_size
    return chosen, room


class _Chunks:
    """Items put together until they are a chunk."""

    def __init__(self) -> None:
        self._number = 0
        self._items: list[bytes] = []
        self._size = 0

    @property
    def place(self) -> tuple[int, int]:
        """Chunk and place of the item that is added next."""
        return self._number, len(self._items)

    def add(self, item: Any) -> bytes | None:
        """Add an item; gives the chunk, if it is full."""
        encoded = _encode(item)
        self._items.append(encoded)
        self._size += len(encoded)
        return self.cut() if self._size >= _CHUNK else None

    def cut(self) -> bytes | None:
        """The chunk as it is, if there is something in it; what follows goes to the next."""
        if not self._items:
            return None
        chunk = b"[" + b",".join(self._items) + b"]"
        self._number += 1
        self._items, self._size = [], 0
        return chunk
