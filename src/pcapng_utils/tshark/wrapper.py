"""`Tshark`: the settings of pcapng-utils 1.1, of which those are obeyed that do not need tshark."""

from __future__ import annotations

import warnings
from dataclasses import KW_ONLY, dataclass, fields
from pathlib import Path
from typing import Final, Literal

_OBEYED: Final = frozenset({"hash_algo", "hosts_file"})


@dataclass(frozen=True)
class Tshark:
    """The settings of a wrapper that is no more. `hash_algo` and `hosts_file` work, the rest is warned about once."""

    tshark_cmd: str = "/usr/bin/tshark"
    _: KW_ONLY
    hash_algo: str = "sha1"
    name_resolution: Literal[False] | str = "nds"
    hosts_file: Path | None = None
    display_filter: str = "http || http2 || websocket"
    protocol_match_filter: str = "http http2 websocket"
    tcp_reassemble_out_of_order: bool = True
    timeout: float = 60.0

    def __post_init__(self) -> None:
        ignored = [
            field.name
            for field in fields(self)
            if field.name not in _OBEYED and getattr(self, field.name) != field.default
        ]
        if ignored:
            warnings.warn(f"no tshark is run: {', '.join(ignored)} have no effect", stacklevel=3)

    def load_traffic(self, pcapng_file: Path) -> TsharkOutput:
        """What `NetworkTrafficDump` takes; the capture is read by that."""
        return TsharkOutput(Path(pcapng_file), self)


@dataclass(frozen=True)
class TsharkOutput:
    """A capture to be read, and how. There are no packets as JSON in it, for no tshark has made any."""

    capture: Path
    tshark: Tshark
