"""A capture made of what both sides said, converted."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pcapng_utils.pipeline.convert import Conversion
from pcapng_utils.pipeline.options import Options
from tests.hostile.making import write_capture


def converted(folder: Path, packets: Iterable[bytes], keylog: bytes = b"") -> dict[str, Any]:
    """The HAR's `log`."""
    keys = folder / "keys.log"
    keys.write_bytes(keylog)
    with Conversion(write_capture(folder / "x.pcap", packets), Options(keylogs=(keys,))) as conversion:
        conversion.read()
        out = io.BytesIO()
        conversion.write_to(out)
    log: dict[str, Any] = json.loads(out.getvalue())["log"]
    return log


def urls(log: dict[str, Any]) -> list[str]:
    return [entry["request"]["url"] for entry in log["entries"]]
