"""What a conversion is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pcapng_utils.errors import file_name, well_formed
from pcapng_utils.pipeline.limits import Asked
from pcapng_utils.pipeline.memory import DEFAULT

Attribution = Literal["alignment", "nearest", "none"]


@dataclass(frozen=True, slots=True)
class Filters:
    """What is written of what was found; an exchange must pass all of them."""

    begin: int | None = None
    """Exchanges that begin at this time or later (ns since the epoch)."""
    end: int | None = None
    """Exchanges that begin before this time (ns since the epoch)."""
    hosts: tuple[str, ...] = ()
    """Exchanges with one of these hosts, or a host below one of these domains."""
    processes: tuple[str, ...] = ()
    """Exchanges of one of these processes, as named by the trace or by the capture."""

    def admits(self, begin: int, hosts: set[str], processes: set[str]) -> bool:
        if self.begin is not None and begin < self.begin:
            return False
        if self.end is not None and begin >= self.end:
            return False
        if self.hosts and not any(_is_below(host, domain) for host in hosts for domain in self.hosts):
            return False
        return not self.processes or not processes.isdisjoint(self.processes)


def _is_below(host: str, domain: str) -> bool:
    host, domain = host.lower().rstrip("."), domain.lower().strip(".")
    return host == domain or host.endswith("." + domain)


@dataclass(frozen=True, slots=True)
class Options:
    """Everything a conversion depends on but the capture itself."""

    keylogs: tuple[Path, ...] = ()
    hosts_file: Path | None = None
    socket_trace: Path | None = None
    cipher_log: Path | None = None
    metadata: Path | None = None
    device: Path | None = None
    """Properties of the phone: those that single it out are looked for."""
    ad_ids: Path | None = None
    """Advertising IDs the app asked for."""
    evidence: Path | None = None
    """The folder whose digests and time stamps are to be checked."""
    identifiers: Path | None = None
    """What else is to be looked for, as lines name=value."""
    trackers: Path | None = None
    """Signatures of trackers, in the form of Exodus Privacy's API."""
    system_frames: tuple[str, ...] = ()
    """Beginnings of class names that are not the app's, besides those known."""
    rules: Path | None = None
    """YARA rules."""
    redact: bool = False
    attribution: Attribution = "alignment"
    time_shift: float | None = None
    min_confidence: float = 0.5
    filters: Filters = field(default_factory=Filters)
    bodies: bool = True
    indent: int = 2
    ensure_ascii: bool = False
    hash_algorithm: str = "sha1"
    """Of the digests whose names say which algorithm made them."""
    jobs: int = 1
    """Processes that read the capture; what they find does not depend on how many they are."""
    max_memory: int = DEFAULT
    """Bytes of memory that what is open at a time may take, in all processes together (see `Budget`)."""
    limits: Asked = ()
    """Limits that are not to be the default ones."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything that is read besides the capture."""
        named = (
            *(self.hosts_file, self.socket_trace, self.cipher_log, self.metadata),
            *(self.device, self.ad_ids, self.identifiers, self.trackers, self.rules),
        )
        return (*self.keylogs, *(path for path in named if path is not None))

    def to_har(self) -> dict[str, Any]:
        """What was asked, where it is not the default: `creator._metadata.options`."""
        asked: dict[str, Any] = {}
        if self.attribution != "alignment":
            asked["attribution"] = self.attribution
        if self.time_shift is not None:
            asked["timeShift"] = self.time_shift
        if self.min_confidence != 0.5:
            asked["minConfidence"] = self.min_confidence
        if self.system_frames:
            asked["systemFrames"] = list(map(well_formed, self.system_frames))
        if self.redact:
            asked["redact"] = True
        if self.hosts_file is not None:
            asked["hostsFile"] = file_name(self.hosts_file)
        if self.limits:
            asked["limits"] = dict(self.limits)
        if not self.bodies:
            asked["bodies"] = False
        filters = {
            "from": _seconds(self.filters.begin),
            "to": _seconds(self.filters.end),
            "hosts": list(map(well_formed, self.filters.hosts)) or None,
            "processes": list(map(well_formed, self.filters.processes)) or None,
        }
        asked.update({name: value for name, value in filters.items() if value is not None})
        return asked


def _seconds(ns: int | None) -> float | None:
    return None if ns is None else ns // 1000 / 1e6  # ns as a float would lose what µs keep
