"""A bad network: a third machine between phone and internet that loses, repeats, delays and reorders Ethernet frames.

It stands for `tc qdisc netem`, which many kernels lack, and for what happens on the air: TCP and QUIC really repair the
damage, and the capture at the phone shows how. What is damaged is decided by a seed and the frames' order alone.
"""

from __future__ import annotations

import heapq
import json
import random
import select
import socket
import sys
import time
from dataclasses import asdict, dataclass
from typing import Final

_MAX_FRAME: Final = 2048
_ETH_P_ALL: Final = 0x0003
_ARP: Final = b"\x08\x06"


@dataclass(frozen=True, slots=True)
class Impairment:
    """Shares from 0 to 1, times in seconds. The first frames (`spare`) pass unharmed."""

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    """Share of the frames that are held back for `hold`, so that others overtake them."""
    hold: float = 0.004
    delay: float = 0.0
    """Each way, for all frames."""
    seed: int = 1
    spare: int = 0

    def arguments(self) -> str:
        return json.dumps(asdict(self))


def relay(interfaces: tuple[str, str], impairment: Impairment) -> None:
    """Pass frames between both interfaces, until the process is ended."""
    sockets = [_open(name) for name in interfaces]
    other = {sockets[0]: sockets[1], sockets[1]: sockets[0]}
    chance = random.Random(impairment.seed)
    waiting: list[tuple[float, int, bytes, socket.socket]] = []
    count = 0
    print("relaying", flush=True)
    while True:
        patience = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for source in select.select(sockets, [], [], patience)[0]:
            frame, address = source.recvfrom(_MAX_FRAME)
            if address[2] == socket.PACKET_OUTGOING:
                continue
            for due in _fates(frame, count, impairment, chance):
                count += 1
                heapq.heappush(waiting, (due, count, frame, other[source]))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, frame, target = heapq.heappop(waiting)
            target.send(frame)


def _fates(frame: bytes, count: int, impairment: Impairment, chance: random.Random) -> list[float]:
    """The times at which a frame leaves: none if it is lost, two if it is repeated."""
    now = time.monotonic() + impairment.delay
    lost, repeated, held = (chance.random() for _ in range(3))
    if count < impairment.spare or frame[12:14] == _ARP:
        return [now]
    if lost < impairment.loss:
        return []
    first = now + impairment.hold if held < impairment.reorder else now
    return [first, now + impairment.hold / 2] if repeated < impairment.duplicate else [first]


def _open(interface: str) -> socket.socket:
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    raw.bind((interface, _ETH_P_ALL))
    return raw


if __name__ == "__main__":
    relay((sys.argv[1], sys.argv[2]), Impairment(**json.loads(sys.argv[3])))
