"""The files of a PiRogue experiment: found by their names, in the folder of the capture."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from msgspec import Struct

from pcapng_utils.errors import InputError, UsageError
from pcapng_utils.evidence import has_evidence, is_evidence

CAPTURE: Final = "traffic.pcap"
KEYLOG: Final = "sslkeylog.txt"
SOCKET_TRACE: Final = "socket_trace.json"
CIPHER_LOG: Final = "aes_info.json"
METADATA: Final = "experiment.json"
DEVICE: Final = "device.json"
ADVERTISING_IDS: Final = "ad_ids.txt"
_ALL: Final = frozenset(
    {
        *(CAPTURE, KEYLOG, SOCKET_TRACE, CIPHER_LOG, METADATA, DEVICE, ADVERTISING_IDS),
        *("dynamic_hook.json", "screen.mp4"),
    }
)

_PLAIN: Final = (".pcap", ".pcapng", ".cap")
_COMPRESSED: Final = tuple(plain + compression for plain in _PLAIN for compression in (".gz", ".zst", ".lz4"))


def renamed(source: Path, suffix: str) -> Path:
    """What is made of a file, by default: beside it, with this suffix in place of all of its own.

    `x.pcap.gz` has two of them; of other names only what stands behind the last dot is one.
    """
    inner = source.with_suffix("") if source.name.lower().endswith(_COMPRESSED) else source
    return inner.with_suffix(suffix)


def spare_inputs(output: Path, read: Iterable[Path]) -> None:
    """Raise UsageError if what is written to `output` would take the place of a file of `read` or of an experiment."""
    if not output.is_file():
        return
    for path in read:
        if path.exists() and output.samefile(path):
            raise UsageError(f"{output} is read: -o names another file to write.")
    if output.name in _ALL or is_evidence(output):
        raise UsageError(f"{output} is one of an experiment's files, which are not replaced: -o names another.")


class Experiment(Struct, frozen=True):
    """Where the files are; None for those that are missing."""

    capture: Path
    keylog: Path | None
    socket_trace: Path | None
    cipher_log: Path | None
    metadata: Path | None
    device: Path | None = None
    ad_ids: Path | None = None
    evidence: Path | None = None
    """The folder, if it has digests or time stamps of its files."""

    @classmethod
    def beside(cls, capture: Path) -> Experiment:
        """The files that lie in the capture's folder."""
        folder = capture.parent

        def present(name: str) -> Path | None:
            path = folder / name
            return path if path.is_file() else None

        return cls(
            capture,
            keylog=present(KEYLOG),
            socket_trace=present(SOCKET_TRACE),
            cipher_log=present(CIPHER_LOG),
            metadata=present(METADATA),
            device=present(DEVICE),
            ad_ids=present(ADVERTISING_IDS),
            evidence=folder if has_evidence(folder) else None,
        )

    @classmethod
    def of(cls, path: Path) -> Experiment:
        """An experiment's folder, or a capture with what lies beside it. Raises InputError if there is no capture."""
        if not path.exists():
            raise InputError(f"{path} does not exist: a capture, or the folder of an experiment, was expected.")
        if not path.is_dir():
            return cls.beside(path)
        if (path / CAPTURE).is_file():
            return cls.beside(path / CAPTURE)
        captures = sorted(file for file in path.iterdir() if file.name.lower().endswith(_PLAIN + _COMPRESSED))
        if len(captures) == 1:
            return cls.beside(captures[0])
        found = f"{len(captures)} captures" if captures else "no capture"
        raise InputError(
            f"{path} holds {found} and no {CAPTURE}: an experiment has one capture. Name the capture itself instead."
        )
