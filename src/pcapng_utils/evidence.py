"""The digests and time stamps that were taken of an experiment's files, checked against the files as they are now.

The PiRogue's evidence collector leaves, beside a file F, `F.metadata.json` (its size and its digests) and `F.tsr` (an
RFC 3161 time stamp of it); for a whole folder, `hashes.txt` (a line each: name, SHA-512) and `hashes.txt.tsr`. With a
time stamp comes the authority's root certificate, `*cacert.pem`.

What is checked: that the files have these digests, that a time stamp is of that file, and that its signature leads to
the root certificate beside it. That this certificate is the authority's is for whoever keeps the evidence to know.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from pcapng_utils.errors import file_name, well_formed

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, GeneralName
    from rfc3161_client import TimeStampResponse

Result = Literal["matches", "differs", "missing", "unreadable"]

_METADATA: Final = ".metadata.json"
_TIMESTAMP: Final = ".tsr"
_LIST: Final = "hashes.txt"
_ROOTS: Final = "*cacert.pem"
#: Digests that are trusted, and those that are better than none.
_STRONG: Final = ("sha512", "sha256")
_WEAK: Final = ("sha1", "md5")
#: Digests of time stamps, by their object identifiers.
_ALGORITHMS: Final = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
#: Such a file is a few KB.
_LARGEST: Final = 1 << 20
_LONGEST_LIST: Final = 64 << 20


class Check(msgspec.Struct, frozen=True):
    """One thing that was checked."""

    file: str
    """What was checked."""
    by: str
    """The file that says what it should be."""
    result: Result
    details: dict[str, str] = msgspec.field(default_factory=dict)

    def to_har(self) -> dict[str, str]:
        return {"file": well_formed(self.file), "by": well_formed(self.by), "result": self.result, **self.details}


def has_evidence(folder: Path) -> bool:
    """Whether there is anything in the folder that says what its files should be."""
    try:
        return any(says_what_files_were(path.name) for path in folder.iterdir())
    except OSError:
        return False


def is_evidence(path: Path) -> bool:
    """Whether a file says what others were, helps to, or is one of which that was said."""
    said = any(path.with_name(path.name + suffix).exists() for suffix in (_METADATA, _TIMESTAMP))
    return said or says_what_files_were(path.name) or path.match(_ROOTS)


def says_what_files_were(name: str) -> bool:
    """Whether a file of this name holds digests or a time stamp of others."""
    return name == _LIST or name.endswith((_METADATA, _TIMESTAMP))


def check_evidence(folder: Path) -> list[Check]:
    """Check what the folder says of its own files, by name of what says it."""
    checks: list[Check] = []
    digests = _Digests(folder)
    for path in sorted(folder.iterdir()):
        if path.name.endswith(_METADATA):
            checks.append(_check_metadata(path, digests))
        elif path.name.endswith(_TIMESTAMP):
            checks.append(_check_timestamp(path, digests))
        elif path.name == _LIST:
            checks += _check_list(path, digests)
    return checks


class _Digests:
    """Digests of the folder's files, each file read once for each algorithm at most."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[tuple[str, str], str | None] = {}

    def of(self, name: str, algorithm: str) -> str | None:
        """Hex, lower case; None if there is no such file."""
        key = name, algorithm
        if key not in self._known:
            try:
                with (self.folder / name).open("rb") as file:
                    digest = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
                self._known[key] = digest.hexdigest()
            except OSError:
                self._known[key] = None
        return self._known[key]

    def compare(self, name: str, algorithm: str, expected: str) -> Result:
        found = self.of(name, algorithm)
        if found is None:
            return "missing"
        return "matches" if found == expected.lower() else "differs"


class _Metadata(msgspec.Struct):
    sha512: str = ""
    sha256: str = ""
    sha1: str = ""
    md5: str = ""


def _check_metadata(path: Path, digests: _Digests) -> Check:
    name = path.name.removesuffix(_METADATA)
    try:
        metadata = msgspec.json.decode(_small_file(path), type=_Metadata)
    except (OSError, ValueError, RecursionError) as error:  # msgspec's and Unicode's errors are ValueErrors
        return Check(name, path.name, "unreadable", {"detail": str(error)})
    named = [algorithm for algorithm in (*_STRONG, *_WEAK) if getattr(metadata, algorithm)]
    wanted = [algorithm for algorithm in named if algorithm in _STRONG] or named[:1]
    if not wanted:
        return Check(name, path.name, "unreadable", {"detail": "it has no digest"})
    results = [digests.compare(name, algorithm, getattr(metadata, algorithm)) for algorithm in wanted]
    worst: Result = next((result for result in results if result != "matches"), "matches")
    return Check(name, path.name, worst, {"digests": ", ".join(wanted)})


def _check_list(path: Path, digests: _Digests) -> Iterator[Check]:
    try:
        text = _small_file(path, _LONGEST_LIST).decode()
    except (OSError, ValueError) as error:
        yield Check(_LIST, path.name, "unreadable", {"detail": str(error)})
        return
    for line in text.splitlines():
        name, _, digest = line.rpartition(" ")
        if not name or Path(name).name != name:
            yield Check(line, path.name, "unreadable", {"detail": "a file's name and its SHA-512 were expected"})
        else:
            yield Check(name, path.name, digests.compare(name, "sha512", digest), {"digests": "sha512"})


def _check_timestamp(path: Path, digests: _Digests) -> Check:
    from rfc3161_client import decode_timestamp_response

    name = path.name.removesuffix(_TIMESTAMP)
    try:
        stamp = decode_timestamp_response(_small_file(path))
        info = stamp.tst_info
        algorithm = _ALGORITHMS[info.message_imprint.hash_algorithm.dotted_string]
        details = {
            "digests": algorithm,
            "time": info.gen_time.isoformat(),
            "authority": _name(info.name),
            "signature": _signature(stamp, digests.folder),
        }
    except (OSError, ValueError) as error:
        return Check(name, path.name, "unreadable", {"detail": str(error)})
    except KeyError as error:
        return Check(name, path.name, "unreadable", {"detail": f"an unknown digest, {error}"})
    return Check(name, path.name, digests.compare(name, algorithm, info.message_imprint.message.hex()), details)


def _name(name: GeneralName | None) -> str:
    """Who signed, as the time stamp itself says; empty if it does not."""
    from cryptography.x509 import DirectoryName

    return name.value.rfc4514_string() if isinstance(name, DirectoryName) else ""


def _signature(stamp: TimeStampResponse, folder: Path) -> str:
    """Whether the signature leads to a root certificate that lies beside it."""
    from rfc3161_client import VerificationError, VerifierBuilder

    tried = []
    for path in sorted(folder.glob(_ROOTS)):
        try:
            for root in _certificates(path):
                verifier = VerifierBuilder().add_root_certificate(root).build()
                verifier.verify(stamp, stamp.tst_info.message_imprint.message)
                return f"valid, by {file_name(path)}"
        except (OSError, ValueError, VerificationError):
            tried.append(file_name(path))
    return f"not valid by {', '.join(tried)}" if tried else "not checked: there is no root certificate beside it"


def _certificates(path: Path) -> list[Certificate]:
    from cryptography.x509 import load_pem_x509_certificates

    return load_pem_x509_certificates(_small_file(path))


def _small_file(path: Path, limit: int = _LARGEST) -> bytes:
    """A file's content. Raises OSError if it cannot be had, ValueError if it is far larger than such a file is."""
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"larger than {limit} bytes")
    return data
