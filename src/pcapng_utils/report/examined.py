"""A HAR from elsewhere, examined on its way to the page: labels, findings, redaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pcapng_utils.findings.examination import Examination
from pcapng_utils.har.reading import check_connection, check_entry
from pcapng_utils.report.source import Har, Json


def examined(har: Har, examination: Examination) -> Har:
    """The HAR with labels, with findings where there is something to look for (else its own), redacted if asked.

    Its entries have to be gone through before its findings. Raises InputError where an entry is not HAR's.
    """
    return replace(
        har,
        creator=examination.row(har.creator),
        entries=_entries(har, examination),
        connections=_connections(har, examination),
        dns=map(examination.row, har.dns),
        problems=map(examination.row, har.problems),
        findings=examination.findings() if examination.finders else map(examination.row, har.findings),
        device=examination.row(dict(har.device)),
    )


def _entries(har: Har, examination: Examination) -> Iterator[Json]:
    for number, entry in enumerate(har.entries):
        check_entry(number, entry, har.name)
        examination.entry(number, entry)
        yield entry


def _connections(har: Har, examination: Examination) -> Iterator[Json]:
    for number, row in enumerate(har.connections):
        check_connection(number, row, har.name)
        yield examination.connection(row)
