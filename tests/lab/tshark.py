"""tshark, the oracle."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

SEPARATOR: Final = "|"


def fields(
    folder: Path, names: Sequence[str], display_filter: str = "", options: Sequence[str] = ()
) -> list[list[str]]:
    """Rows of a folder's capture, decrypted where it has a key log; values of one field are joined with SEPARATOR."""
    command = [
        "tshark",
        "-r",
        str(folder / "traffic.pcap"),
        "-T",
        "fields",
        "-Y",
        display_filter,
        "-E",
        f"aggregator={SEPARATOR}",
    ]
    if (folder / "sslkeylog.txt").exists():
        command += ["-o", f"tls.keylog_file:{folder / 'sslkeylog.txt'}"]
    for option in options:
        command += ["-o", option]
    for name in names:
        command += ["-e", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]
