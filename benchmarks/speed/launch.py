"""Runs one program and prints, as four numbers, wall time (s), CPU time (s) and peak memory (bytes), of it and all that
it started and of the largest of these processes alone.

    python -IS benchmarks/speed/launch.py PROGRAM ARGUMENT...

A process of its own, and a small one: the system counts to a program's peak what the process that started it held.
"""

import os
import sys
import threading
import time

_LOOK_EVERY = 0.05
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Watch(threading.Thread):
    """Looks now and then at the memory of a process and its children: the system only keeps the peak of one."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._pid = pid
        self._done = threading.Event()

    def stop(self) -> None:
        self._done.set()
        self.join()

    def run(self) -> None:
        while not self._done.wait(_LOOK_EVERY):
            if _children(self._pid):
                self.peak = max(self.peak, _resident(self._pid))


def _read(path: str) -> str:
    """A file of /proc; empty if the process has ended."""
    try:
        with open(path) as file:  # noqa: PTH123 - pathlib would double the size of this process
            return file.read()
    except OSError:
        return ""


def _children(pid: int) -> list[int]:
    return [int(child) for child in _read(f"/proc/{pid}/task/{pid}/children").split()]


def _resident(pid: int) -> int:
    """Resident bytes of a process and its children; what they share with it is counted once."""
    pages = (_read(f"/proc/{pid}/statm").split() or ["0", "0"])[1]
    return int(pages) * _PAGE + sum(_private(child) for child in _children(pid))


def _private(pid: int) -> int:
    lines = _read(f"/proc/{pid}/smaps_rollup").splitlines()
    kib = sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean:", "Private_Dirty:")))
    return kib * 1024 + sum(_private(child) for child in _children(pid))


def main(words: list[str]) -> int:
    quiet = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
    start = time.perf_counter()
    pid = os.posix_spawnp(words[0], words, os.environ, file_actions=quiet)
    watch = Watch(pid)
    watch.start()
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    watch.stop()
    largest = usage.ru_maxrss * 1024
    print(wall, usage.ru_utime + usage.ru_stime, max(largest, watch.peak), largest)
    return os.waitstatus_to_exitcode(status) & 0xFF


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
