"""What a conversion found, in a few lines on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pcapng_utils.cli.terminal import printable

if TYPE_CHECKING:
    from pcapng_utils.evidence import Check
    from pcapng_utils.pipeline.convert import Conversion

#: Files whose digests do not match that are named in the summary.
_NAMED: Final = 5


def print_summary(conversion: Conversion, output: Path | None) -> None:
    for name, text in _lines(conversion, output):
        print(f"{name:<12} {printable(text)}", file=sys.stderr)  # noqa: T201


def _lines(conversion: Conversion, output: Path | None) -> Iterator[tuple[str, str]]:
    counts = conversion.counts
    duration = ((counts.last or 0) - (counts.first or 0)) / 1e9
    yield "Packets", f"{counts.packets:,} over {_span(duration)}"
    states = counts.connections
    undecrypted = f": {states['yes']:,} read, {states['partly']:,} in part, {states['no']:,} not" if states else ""
    yield "Connections", f"{states.total():,}{undecrypted}"
    if not conversion.secrets.lines and conversion.problems.counts["tls-undecrypted"]:
        yield "Secrets", "none for TLS: -k names a key log, as does sslkeylog.txt beside the capture"
    by_protocol = ", ".join(f"{count:,} {name}" for name, count in sorted(counts.exchanges.items()))
    yield "Exchanges", f"{counts.exchanges.total():,}" + (f": {by_protocol}" if by_protocol else "")
    if conversion.decrypted is not None and conversion.options.bodies:
        requests, responses = conversion.decrypted
        yield "Decrypted", f"the bodies of {requests:,} requests and {responses:,} responses, by the cipher log"
    attribution = conversion.attribution
    if attribution is not None:
        told = {name: attribution[name] for name in ("attributed", "ambiguous", "none")}
        shares = ", ".join(f"{count:,} {name}" for name, count in told.items())
        yield "Attribution", f"{sum(told.values()):,} messages: {shares}"
    if conversion.evidence:
        yield "Evidence", _evidence(conversion.evidence)
    if conversion.problems.counts:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in conversion.problems.counts.most_common())
        yield "Problems", kinds
    written = str(output) if output else "standard output"
    if conversion.left_out:
        whole = counts.exchanges.total()
        written += f", {whole - conversion.left_out:,} of {whole:,} exchanges: filters left the others out"
    yield "Written", written


def _span(seconds: float) -> str:
    """How long that is, in the two largest units that say something."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if days:
        return f"{days:,} d {hours % 24} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min {int(seconds % 60)} s"


def _evidence(checks: Sequence[Check]) -> str:
    bad = [check for check in checks if check.result != "matches"]
    stamps = [check for check in checks if "time" in check.details]
    told = f"{len(checks) - len(bad):,} of {len(checks):,} digests and time stamps match"
    if stamps:
        valid = sum(stamp.details["signature"].startswith("valid") for stamp in stamps)
        told += f", {valid:,} of {len(stamps):,} signatures are valid by the certificate beside them"
    return told + "".join(f"; {check.file}: {check.result}" for check in bad[:_NAMED])
