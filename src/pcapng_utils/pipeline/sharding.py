"""Reading a capture with several processes.

Each of them reads all of the capture and follows its share of the flows (see `Shard`); what it finds goes to a spool of
its own. That was made beforehand, so that only its index has to be handed over, and the descriptors of the files that
large bodies are in. The first share is this process's own.

What flows tell one another makes no difference: names and look-ups are put in order once all are known, and problems
belong to connections. One thing does: a TLS session whose secret stands in the handshake of another connection. Where
one was missed, the shares cannot be joined, and the capture has to be read by one process.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from typing import TYPE_CHECKING, Self

from pcapng_utils.har.problems import ProblemLog
from pcapng_utils.har.spool import Index
from pcapng_utils.net.names import Names
from pcapng_utils.net.shards import Shard
from pcapng_utils.pipeline.digests import FileDigest
from pcapng_utils.pipeline.dissection import Counts
from pcapng_utils.pipeline.traced import TracedFlows

if TYPE_CHECKING:
    from multiprocessing.context import ForkProcess


@dataclass(frozen=True, slots=True)
class Share:
    """What one process found."""

    index: Index
    counts: Counts
    names: Names
    problems: ProblemLog
    capture: FileDigest
    blobs: dict[int, tuple[int, int]]
    """`Blobs.descriptors`, of the process that has this share in its hands."""
    missed_session: bool
    remembers_sessions: bool
    traced: TracedFlows
    """Empty where there is no trace to join with the flows."""
    decrypted: list[int]
    """Requests and responses whose bodies a cipher log opened."""


def can_share() -> bool:
    """Whether this system can make processes that begin with what is in memory here."""
    return "fork" in multiprocessing.get_all_start_methods()


def join(own: Share, others: Sequence[Share]) -> bool:
    """Put all that was found into the first share; False if that would not be what one process would have found."""
    shares = [own, *others]
    for one in shares:
        if one.missed_session and any(other.remembers_sessions for other in shares if other is not one):
            return False
    for other in others:
        own.traced.join(other.traced, len(own.index.offsets))
        own.index.join(other.index)
        for direction, count in enumerate(other.decrypted):
            own.decrypted[direction] += count
        own.counts.join(other.counts)
        own.names.join(other.names)
        if not own.problems.join(other.problems):
            return False
    return True


Read = Callable[[Shard, Callable[[int], None]], Share]
"""Reads one share, telling how far it is as it goes."""


class Helpers:
    """Processes that read the other shares. Use as a context manager: none of them outlives it."""

    def __init__(self, jobs: int, read: Read) -> None:
        """`read` is called in processes that are copies of this one."""
        context = multiprocessing.get_context("fork")
        self._running: list[tuple[ForkProcess, Connection]] = []
        gc.freeze()  # so that collections in either process do not take apart what they share
        for number in range(1, jobs):
            receiver, sender = context.Pipe()  # both ways: descriptors cannot go through a pipe
            process = context.Process(target=_help, args=(sender, read, Shard(number, jobs), os.getpid()), daemon=True)
            process.start()
            sender.close()
            self._running.append((process, receiver))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for process, receiver in self._running:
            receiver.close()
            process.terminate()
            process.join()

    def shares(self) -> list[Share] | None:
        """What they found, in the order of their numbers; None if one of them came to grief."""
        shares: list[Share] = []
        for _, receiver in self._running:
            try:
                shares.append(_receive(receiver))
            except EOFError:
                for share in shares:
                    _close(share.blobs)
                return None
        return shares


def _help(sender: Connection, read: Read, shard: Shard, parent: int) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this process ends it
    with contextlib.suppress(Exception):  # the process that asked reads by itself then, and says what is wrong
        _send(sender, read(shard, lambda size: _end_with(parent)))
    sender.close()


def _send(sender: Connection, share: Share) -> None:
    sender.send(share)
    for descriptor, _ in share.blobs.values():
        send_handle(sender, descriptor, None)


def _receive(receiver: Connection) -> Share:
    """A share, with descriptors of this process. Raises EOFError if all of it does not come."""
    share: Share = receiver.recv()
    files: dict[int, tuple[int, int]] = {}
    try:
        for number, (_, count) in share.blobs.items():
            files[number] = recv_handle(receiver), count
    except (EOFError, OSError, RuntimeError) as error:
        _close(files)
        raise EOFError from error
    return replace(share, blobs=files)


def _close(files: Mapping[int, tuple[int, int]]) -> None:
    for descriptor, _ in files.values():
        os.close(descriptor)


def _end_with(parent: int) -> None:
    """Leave nothing running behind a process that was killed."""
    if os.getppid() != parent:
        os._exit(1)
