"""A recording: the capture, the keys, and every call of the client at its true time. Experiments are made from it.

A recording is a folder: `traffic.pcap`, `sslkeylog.txt`, `truth.json` (`lab.truth`), `recording.json.gz` (the load, the
seed, the stacks, the socket calls, the cipher calls). It is undistorted: times are nanoseconds of the clock that the
capture has too.
"""

from __future__ import annotations

import gzip
import json
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from lab import dns
from lab.capture import capture
from lab.certificates import Authority
from lab.experiment.app import App, CipherCall, run_loop, run_threads
from lab.experiment.operations import Frame, Label, Operation
from lab.experiment.plan import ZONE, Job, Load, jobs
from lab.network import SERVER_ADDRESSES, network
from lab.relay import Impairment
from lab.servers.hypercorn_server import Listening, hypercorn
from lab.truth import Truth

_NAME: Final = "recording.json.gz"


@dataclass(slots=True)
class Recording:
    directory: Path
    load: Load
    seed: int
    started: int
    """When the capture began, ns since the epoch."""
    stacks: list[list[Frame]]
    operations: list[Operation]
    """In the order in which they were entered; `index` is the place in this list."""
    cipher_calls: list[CipherCall]
    truth: Truth

    @property
    def capture(self) -> Path:
        return self.directory / "traffic.pcap"

    @property
    def keylog(self) -> Path:
        return self.directory / "sslkeylog.txt"

    def carriers(self) -> dict[Label, list[int]]:
        """For each part of each message, the indices of the calls that carried it, in order. The first one of
        "request headers" (of "response headers", of "send 3", ...) is *the* operation of that message."""
        found: dict[Label, list[int]] = {}
        for operation in self.operations:
            for label in operation.labels:
                found.setdefault(label, []).append(operation.index)
        return found

    def save(self) -> None:
        self.truth.save(self.directory / "truth.json")
        raw = {
            "load": asdict(self.load),
            "seed": self.seed,
            "started": self.started,
            "stacks": self.stacks,
            "operations": [asdict(operation) for operation in self.operations],
            "cipher_calls": [_hex(call) for call in self.cipher_calls],
        }
        with gzip.open(self.directory / _NAME, "wt", encoding="utf-8", compresslevel=6) as file:
            json.dump(raw, file)

    @classmethod
    def load_from(cls, directory: Path) -> Self:
        with gzip.open(directory / _NAME, "rt", encoding="utf-8") as file:
            raw = json.load(file)
        raw["load"]["protocols"] = tuple(raw["load"]["protocols"])
        return cls(
            directory,
            Load(**raw["load"]),
            raw["seed"],
            raw["started"],
            [[Frame(*frame) for frame in stack] for stack in raw["stacks"]],
            [_operation(item) for item in raw["operations"]],
            [_cipher_call(item) for item in raw["cipher_calls"]],
            Truth.load(directory / "truth.json"),
        )


def _operation(raw: dict[str, Any]) -> Operation:
    raw["local"], raw["remote"] = tuple(raw["local"]), tuple(raw["remote"])
    raw["labels"] = [Label(*label) for label in raw["labels"]]
    return Operation(**raw)


def _hex(call: CipherCall) -> dict[str, Any]:
    raw = asdict(call)
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in raw.items()}


def _cipher_call(raw: dict[str, Any]) -> CipherCall:
    whole = {name: bytes.fromhex(raw[name]) for name in ("iv", "given", "result", "key")}
    return CipherCall(raw["time"], raw["algorithm"], **whole)


def record(load: Load, directory: Path, seed: int = 0, impairment: Impairment | None = None) -> Recording:
    """Run the load between the lab's machines, under tcpdump; `impairment`: over a bad network. `directory` is made
    where it is missing.

    Raises lab.network.LabUnavailableError where the machine does not permit network namespaces.
    """
    directory.mkdir(parents=True, exist_ok=True)
    keylog = directory / "sslkeylog.txt"
    keylog.unlink(missing_ok=True)
    keylog.touch()
    todo = jobs(load, seed)
    with tempfile.TemporaryDirectory() as scratch, network(impairment) as net:
        work = Path(scratch)
        authority = Authority.create(work / "ca")
        identity = authority.issue("server", sorted(ZONE))
        tls = [f"{address}:443" for address in SERVER_ADDRESSES[:4]]
        listening = Listening(tls, [f"{SERVER_ADDRESSES[2]}:80"])
        with (
            hypercorn(net.internet, identity, work, listening, keep_alive_timeout=60),
            dns.serving(net.internet, ZONE, work),
            capture(net, directory / "traffic.pcap"),
            net.phone.entered(),
        ):
            started = time.time_ns()
            app = App(load, lambda: authority.client_context(keylog), dns.Resolver())
            _run(app, load, todo)
    truth = Truth(f"experiment, seed {seed}", sorted(app.exchanges, key=lambda exchange: exchange.id))
    log = app.operations
    recording = Recording(directory, load, seed, started, log.stacks, log.operations, app.cipher_calls, truth)
    recording.save()
    return recording


def _run(app: App, load: Load, todo: list[Job]) -> None:
    if load.client == "threads":
        run_threads(app, todo)
    elif "websocket" in load.protocols:
        raise ValueError('the lab\'s asyncio client speaks HTTP alone: leave "websocket" out of Load.protocols')
    else:
        run_loop(app, todo)
