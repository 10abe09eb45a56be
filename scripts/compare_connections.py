"""Hold our list of connections against tshark's, for every capture below a folder.

    python scripts/compare_connections.py [--corpus DIR] [NAME ...]

For each capture: the set of TCP connections (both ends, packets and bytes each way) that tshark's fields add up to, the
server name of each TLS and QUIC connection, and its JA3. Differences are looked up in docs/public-captures.md, and
marked "known" if the capture stands in its table of connections. Exit code 1 if one does not.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SUFFIXES = {".pcap", ".pcapng"}
FIELDS = (
    "tcp.stream", "udp.stream", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport",
    "udp.srcport", "udp.dstport", "frame.len", "tls.handshake.extensions_server_name", "tls.handshake.ja3",
    "frame.protocols",
)  # fmt: skip

End = tuple[str, str]
Counts = tuple[int, int, int, int]
"""Packets and bytes from the lesser end, packets and bytes from the greater one."""


class Connections(NamedTuple):
    tcp: Counter[tuple[End, End, Counts]]
    names: Counter[tuple[frozenset[End], str]]
    """Server names of TLS and QUIC connections."""
    ja3: Counter[tuple[frozenset[End], str]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("PCAPNG_UTILS_CORPUS", ROOT / "../shared/captures")).resolve()
    parser.add_argument("--corpus", type=Path, default=default)
    parser.add_argument("names", nargs="*", help="parts of names of captures; default: all")
    arguments = parser.parse_args()
    text = (ROOT / "docs" / "public-captures.md").read_text().partition("## Connections")[2]
    known = set(re.findall(r"`([^`]+\.pcap(?:ng)?)`", text))
    totals: Counter[str] = Counter()
    for capture in sorted(path for path in arguments.corpus.rglob("*") if path.suffix in SUFFIXES):
        if arguments.names and not any(name in capture.name for name in arguments.names):
            continue
        ours, theirs = our_connections(capture), tshark_connections(capture)
        pairs: list[tuple[str, Counter[Any], Counter[Any]]] = list(zip(Connections._fields, ours, theirs, strict=True))
        for what, one, other in pairs:
            totals[f"{what} alike"] += sum((one & other).values())
            for side, difference in (("ours", one - other), ("tshark", other - one)):
                if difference:
                    mark = "known" if capture.name in known else "UNKNOWN"
                    totals[f"{what} of {side} alone ({mark})"] += sum(difference.values())
                    print(f"{mark:<7} {capture.name}: {what} of {side} alone: {list(difference)[:3]}", flush=True)
    print("; ".join(f"{count} {what}" for what, count in sorted(totals.items())))
    return 1 if any("UNKNOWN" in what for what in totals) else 0


def our_connections(capture: Path) -> Connections:
    command = [sys.executable, "-m", "pcapng_utils", "connections", str(capture), "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    rows: list[dict[str, Any]] = json.loads(result.stdout) if result.returncode == 0 else []
    found = Connections(Counter(), Counter(), Counter())
    for row in rows:
        ends = [(row[side]["ip"], str(row[side]["port"])) for side in ("client", "server")]
        if row["protocol"] == "TCP":
            sides = [(row["packets"][side], row["bytes"][side]) for side in ("client", "server")]
            (low, of_low), (high, of_high) = sorted(zip(ends, sides, strict=True))
            found.tcp[low, high, (*of_low, *of_high)] += 1
        if row["tls"] and row["tls"]["sni"]:
            found.names[frozenset(ends), row["tls"]["sni"]] += 1
        if row["tls"] and row["tls"]["ja3"]:
            found.ja3[frozenset(ends), row["tls"]["ja3"]] += 1
    return found


def tshark_connections(capture: Path) -> Connections:
    counts: dict[str, dict[End, list[int]]] = defaultdict(dict)
    names: dict[str, tuple[frozenset[End], str]] = {}
    ja3: dict[str, tuple[frozenset[End], str]] = {}
    for frame in tshark_frames(capture):
        transport = "tcp" if frame["tcp.stream"] else "udp"
        stream = transport + last(frame[f"{transport}.stream"])
        layers = frame["frame.protocols"].split(":")
        network = next(layer for layer in reversed(layers) if layer in {"ip", "ipv6"})  # the innermost
        source = (last(frame[f"{network}.src"]), last(frame[f"{transport}.srcport"]))
        target = (last(frame[f"{network}.dst"]), last(frame[f"{transport}.dstport"]))
        if transport == "tcp":
            counts[stream].setdefault(target, [0, 0])
            sent = counts[stream].setdefault(source, [0, 0])
            sent[0] += 1
            sent[1] += int(frame["frame.len"])
        if "dtls" not in layers:
            ends = frozenset((source, target))
            if frame["tls.handshake.extensions_server_name"]:
                names.setdefault(stream, (ends, first(frame["tls.handshake.extensions_server_name"])))
            if frame["tls.handshake.ja3"]:
                ja3.setdefault(stream, (ends, first(frame["tls.handshake.ja3"])))
    tcp: Counter[tuple[End, End, Counts]] = Counter()
    for sides in counts.values():
        (low, of_low), *rest = sorted(sides.items())
        high, of_high = rest[0] if rest else (low, [0, 0])
        tcp[low, high, (*of_low, *of_high)] += 1  # type: ignore[index]
    return Connections(tcp, Counter(names.values()), Counter(ja3.values()))


def tshark_frames(capture: Path) -> Iterator[dict[str, str]]:
    command = [
        "tshark",
        "-r",
        str(capture),
        "-o",
        "tcp.reassemble_out_of_order:TRUE",
        "-T",
        "fields",
        "-E",
        "separator=/t",
    ]
    for field in FIELDS:
        command += ["-e", field]
    result = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
    for line in result.stdout.split("\n"):
        values = line.split("\t")
        if len(values) == len(FIELDS) and (values[0] or values[1]):
            yield dict(zip(FIELDS, values, strict=True))


def first(value: str) -> str:
    return value.split(",")[0]


def last(value: str) -> str:
    return value.split(",")[-1]


if __name__ == "__main__":
    sys.exit(main())
