"""The frame of an enrichment: a file of the phone's log, joined to each entry of a HAR that is in memory."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final

import msgspec

ENRICHMENT_KEY: Final = "enrichment_files_sha1"
HASH_ALGO: Final = "sha1"


class HarEnrichment(ABC):
    """Enriches the entries of a HAR dict in place. A subclass gives `ID` and `enrich_entry`."""

    ID: ClassVar[str]
    """Names the enrichment in `creator._metadata.enrichment_files_sha1`."""

    def __init__(self, har_data: dict[str, Any], input_data_file: Path) -> None:
        self.har_data = har_data
        self.input_data_file = Path(input_data_file)

    @cached_property
    def input_data(self) -> Any:
        """The parsed JSON of the file; None if it is empty. Raises ValueError naming the file if it is not JSON."""
        text = self.input_data_file.read_bytes()
        if not text.strip():
            return None
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"{self.input_data_file}: JSON was expected: {error}") from None

    @abstractmethod
    def enrich_entry(self, har_entry: dict[str, Any]) -> None:
        """Add to one entry, in place, what the file knows of it."""

    def enrich_all(self, entries: list[dict[str, Any]]) -> None:
        """Enrich the entries one by one; for enrichments that must see all of them first to override."""
        for entry in entries:
            self.enrich_entry(entry)

    def has_data(self) -> bool:
        """Whether the file has anything to give."""
        return bool(self.input_data)

    def enrich(self) -> bool:
        """Enrich all entries, and note the file's digest in the HAR's metadata.

        Returns whether there was anything to do: False for a HAR without entries or a file without data. Raises
        ValueError if the HAR was enriched so before, or if the file is not what it should be.
        """
        log = self.har_data["log"]
        metadata = log["creator"].setdefault("_metadata", {})
        digests = metadata.get(ENRICHMENT_KEY, {})
        if self.ID in digests:
            raise ValueError(f"this HAR was enriched with {self.ID} before")
        if not log["entries"] or not self.has_data():
            return False
        self.enrich_all(log["entries"])
        metadata[ENRICHMENT_KEY] = {**digests, self.ID: _sha1(self.input_data_file)}
        return True


def _sha1(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.sha1(usedforsecurity=False)).hexdigest()
