"""A conversion from end to end: read the secrets, dissect the capture, join the phone's logs, write the HAR."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self, cast

from pcapng_utils import __version__
from pcapng_utils.capture.errors import CaptureError
from pcapng_utils.capture.reader import CaptureReader
from pcapng_utils.errors import STANDARD_OUTPUT, InputError, file_name, naming, standard_output, unreadable
from pcapng_utils.evidence import Check, check_evidence
from pcapng_utils.faults import fault
from pcapng_utils.har.body import SMALL_BODY
from pcapng_utils.har.problems import ProblemLog
from pcapng_utils.har.spool import Spool
from pcapng_utils.har.temporary import temporary_folder
from pcapng_utils.har.whole import whole_or_nothing
from pcapng_utils.har.writer import Annotations
from pcapng_utils.layers import CLIENT, SERVER, Problem
from pcapng_utils.net.names import Names
from pcapng_utils.net.shards import WHOLE, Shard
from pcapng_utils.pipeline.created import asked_time
from pcapng_utils.pipeline.digests import DigestedSource, FileDigest, Source, digest_of, file_digest
from pcapng_utils.pipeline.dissection import BuilderOptions, Counts, Dissection
from pcapng_utils.pipeline.examining import examination_of
from pcapng_utils.pipeline.memory import Budget
from pcapng_utils.pipeline.options import Options
from pcapng_utils.pipeline.output import Annotate, AnnotateConnection, Output
from pcapng_utils.pipeline.stream import LineSink
from pcapng_utils.pipeline.traced import TracedFlows
from pcapng_utils.tls.keylog import SecretStore, read_keylog

if TYPE_CHECKING:
    from pcapng_utils.attribution.operations import OperationLog
    from pcapng_utils.har.pirogue_enrichment.decryption import ContentDecryption

#: Bytes of a body that is held in memory to be matched with cipher calls, or redacted.
_SMALL_BODY_TO_CHANGE: Final = 8 << 20

_EVIDENCE: Final = {
    "differs": "the file has changed since",
    "missing": "there is no such file",
    "unreadable": "what it says cannot be read",
}

STDIN: Final = Path("-")

Progress = Callable[[int], None]
"""Told how many bytes of the capture were read so far."""


class Conversion:
    """One capture, with the files that go with it. Use as a context manager: `read`, then `write` (once)."""

    def __init__(self, capture: Path, options: Options) -> None:
        self.capture = capture
        self.options = options
        self.secrets = SecretStore()
        self.files: list[FileDigest] = []
        self.enrichment_digests: dict[str, str] = {}
        self.attribution: dict[str, Any] | None = None
        self.evidence: list[Check] = []
        """Of what was said of the experiment's files beforehand, how it is now."""
        self.decrypted: tuple[int, int] | None = None
        """Requests and responses whose bodies the cipher log opened; None without such a log."""
        self.left_out = 0
        """Exchanges that the filters kept out of what was written."""
        self._created = asked_time()
        self._lines: LineSink | None = None
        self._annotate: Annotate = lambda ordinal: Annotations()
        self._annotate_connection: AnnotateConnection = lambda connection: {}
        self._examination = examination_of(options, capture)
        self._hosts = None if options.hosts_file is None else _read(options.hosts_file)
        self._trace_was_cut = False
        """The trace ends before its first call does."""
        self._trace = self._open_trace()
        self.spool = Spool()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.spool.close()
        if self._trace is not None:
            self._trace.close()

    @property
    def streamed(self) -> int:
        """Lines that were written, whole."""
        return self._lines.written if self._lines else 0

    def _begin(self, lines: BinaryIO | None = None, name: str = "", shard: Shard = WHOLE) -> None:
        """Nothing of the capture was read so far. `lines`: where exchanges go at once, rather than to the spool."""
        self.problems = ProblemLog()
        self.names = Names()
        self.spool.clear()
        self.secrets.begin()
        self._lines = None
        if lines is not None:
            self._lines = LineSink(lines, name, self.spool, self.names, self.options, self._examination)
        self._decryption = self._open_cipher_log()
        small_body = _SMALL_BODY_TO_CHANGE if self._decryption or self.options.redact else SMALL_BODY
        builder = BuilderOptions(self.options.bodies, small_body)
        budget = Budget.of(self.options.max_memory // shard.total, self.options.limits)
        self._dissection = Dissection(
            self._lines or self.spool, self.secrets, self.names, self.problems, builder, shard, budget
        )
        if self._decryption is not None:
            enrich = self._decryption.enrich_messages
            self._dissection.enrichers.append(lambda entry: enrich(entry.request, entry.response))
        self._traced = TracedFlows()
        if self._trace is not None:
            self._dissection.watch = self._traced.exchange
            self._dissection.watch_end = self._traced.end
        self._learn_hosts()

    @property
    def counts(self) -> Counts:
        return self._dissection.counts

    def read(self, progress: Progress = lambda size: None) -> None:
        """Dissect the capture. Raises InputError if it, or a file that was named, cannot be used."""
        self._read_keylogs()
        self.files.insert(0, self._read_together(progress) or self._read_share(progress))
        self._add_bad_lines()
        self._add_hosts()
        self._add_decryption()
        self._join_trace()
        self._add_identifiers()
        self._check_evidence()

    def _read_share(self, progress: Progress, shard: Shard = WHOLE) -> FileDigest:
        """Read the capture, and once more where secrets came behind the packets they are for."""
        self._begin(shard=shard)
        capture = self._dissect(progress, shard)
        if self._dissection.secrets_came_late and self.capture.is_file():
            self._begin(shard=shard)
            capture = self._dissect(progress, shard)
        return capture

    def _read_together(self, progress: Progress) -> FileDigest | None:
        """Read the capture with several processes; None if it takes one to do it."""
        jobs = self.options.jobs
        if jobs < 2 or not self.capture.is_file():
            return None
        from pcapng_utils.pipeline import sharding

        if not sharding.can_share():
            return None
        spools = [self.spool, *(Spool(number=number) for number in range(1, jobs))]

        def read(shard: Shard, progress: Progress = lambda size: None) -> sharding.Share:
            self.spool = spools[shard.number]
            capture = self._read_share(progress, shard)
            self.spool.flush()
            return sharding.Share(
                self.spool.index,
                self.counts,
                self.names,
                self.problems,
                capture,
                self.spool.blobs.descriptors(),
                self.secrets.missed_session,
                self.secrets.remembers_sessions,
                self._traced,
                self._decryption.decrypted if self._decryption else [0, 0],
            )

        with sharding.Helpers(jobs, read) as helpers:
            own = read(Shard(0, jobs), progress)
            others = helpers.shares()
        for spool, share in zip(spools[1:], others or (), strict=False):
            spool.blobs.open(share.blobs)
        if others is not None and sharding.join(own, others):
            for spool in spools[1:]:
                self.spool.take_over(spool)
            return own.capture
        for spool in spools[1:]:
            spool.close()
        return None

    def stream(self, lines: BinaryIO, progress: Progress = lambda size: None, *, name: str = STANDARD_OUTPUT) -> None:
        """Write each exchange as a line of JSON as soon as it is complete, without attribution.

        `name` is what an error calls `lines`. Raises as `read` does, and OSError: `streamed` says how far it came.
        """
        self._begin(lines, name)
        self._read_keylogs()
        self.files.insert(0, self._dissect(progress))
        self.left_out = self._lines.left_out if self._lines else 0

    def _dissect(self, progress: Progress, shard: Shard = WHOLE) -> FileDigest:
        """Read the capture once, from its beginning to its end."""
        with _opened(self.capture) as file:
            name = str(self.capture)
            source = Source(file, name) if shard.number else DigestedSource(file, self.options.hash_algorithm, name)
            try:
                reader = CaptureReader(cast(BinaryIO, source), str(self.capture))
            except CaptureError as error:
                raise InputError(str(error)) from None
            with naming(temporary_folder()):
                try:
                    for event in reader:
                        self._dissection.feed(event)
                        progress(reader.size)
                except Exception as error:
                    self.problems.add(fault(error, "the rest of the capture was not read"))
                    source.skip_rest()
                self._dissection.close()
            return source.finish(file_name(self.capture))

    def write(self, output: Path | None) -> None:
        """Write the HAR to a file, whole or not at all; None: to standard output. Raises OSError."""
        if output is None:
            with standard_output() as out:
                self.write_to(out)
        elif output.exists() and not output.is_file():  # a device or a pipe: there is nothing to be replaced
            with naming(output), output.open("wb") as file:
                self.write_to(file)
        else:
            with whole_or_nothing(output) as file:
                self.write_to(file)

    def _read_keylogs(self) -> None:
        for path in self.options.keylogs:
            try:
                with path.open("rb") as file:
                    for lines in read_keylog(file):
                        self.secrets.add_keylog(lines, file_name(path))
            except OSError as error:
                raise unreadable(path, error) from None
            self.files.append(file_digest(path, self.options.hash_algorithm))

    def _open_trace(self) -> OperationLog | None:
        path = self.options.socket_trace
        if path is None or self.options.attribution == "none":
            return None
        from pcapng_utils.pipeline.joining import open_trace

        trace = open_trace(path)
        if len(trace):
            return trace
        self._trace_was_cut = trace.truncated
        trace.close()
        return None

    def _join_trace(self) -> None:
        """Find out which code sent what; note which trace was used, and what was wrong with it."""
        trace, path = self._trace, self.options.socket_trace
        if path is not None and (self._trace_was_cut if trace is None else trace.truncated):
            message = f"{file_name(path)} is cut short: it was read as far as it goes"
            self.problems.add(Problem("socket-trace-truncated", message))
        if trace is None or path is None:
            return
        from pcapng_utils.pipeline.joining import JoinedTrace

        joined = JoinedTrace(trace, self._traced, self.options)
        self.attribution = joined.metadata
        for problem in joined.problems:
            self.problems.add(problem)
        self._annotate = joined.annotate
        self._annotate_connection = joined.annotate_connection
        digest = file_digest(path, self.options.hash_algorithm)
        self.files.append(digest)
        self.enrichment_digests["pirogue_stacktrace"] = digest.digest
        self.files += [file_digest(read, self.options.hash_algorithm) for read in joined.read]
        if trace.malformed:
            message = f"records of {file_name(path)} are no socket calls: they were skipped"
            self.problems.add(Problem("socket-trace-bad-record", message, detail=f"{trace.malformed} records"))

    def _learn_hosts(self) -> None:
        path = self.options.hosts_file
        if path is None or self._hosts is None:
            return
        if bad := self.names.learn_hosts(self._hosts.decode(errors="replace")):
            message = f"lines of {file_name(path)} are no address with a name: they were skipped"
            self.problems.add(Problem("hosts-bad-line", message, detail=f"{bad} lines"))

    def _add_hosts(self) -> None:
        """Note which file gave names: as it was read, for it may be a pipe."""
        if self._hosts is not None and self.options.hosts_file is not None:
            name = file_name(self.options.hosts_file)
            self.files.append(digest_of(self._hosts, self.options.hash_algorithm, name))

    def _open_cipher_log(self) -> ContentDecryption | None:
        path = self.options.cipher_log
        if path is None:
            return None
        from pcapng_utils.har.pirogue_enrichment.decryption import ContentDecryption

        decryption = ContentDecryption({}, path)
        try:
            return decryption if decryption.has_data() else None
        except OSError as error:
            raise unreadable(path, error) from None
        except ValueError as error:
            raise InputError(f"{error}.") from None

    def _add_decryption(self) -> None:
        """Note which cipher log was used, and what was wrong with it."""
        decryption = self._decryption
        if decryption is None:
            return
        log, path = decryption.log, decryption.input_data_file
        digest = file_digest(path, self.options.hash_algorithm)
        self.files.append(digest)
        self.enrichment_digests[decryption.ID] = digest.digest
        self.decrypted = (decryption.decrypted[CLIENT], decryption.decrypted[SERVER])
        if log.malformed:
            message = f"records of {file_name(path)} are no cipher calls: they were skipped"
            self.problems.add(Problem("cipher-log-bad-record", message, detail=f"{log.malformed} records"))
        if log.truncated:
            self.problems.add(
                Problem("cipher-log-truncated", f"{file_name(path)} is cut short: it was read as far as it goes")
            )

    def _add_identifiers(self) -> None:
        """Note which files named what was looked for; not where that is hidden: their digests would tell it."""
        options = self.options
        if not options.redact:
            for path in (options.device, options.ad_ids, options.identifiers, options.trackers, options.rules):
                if path is not None:
                    self.files.append(file_digest(path, options.hash_algorithm))

    def _check_evidence(self) -> None:
        """Check the digests and time stamps that were taken of the experiment's files."""
        if self.options.evidence is None:
            return
        self.evidence = check_evidence(self.options.evidence)
        for check in self.evidence:
            if check.result != "matches":
                told = check.to_har()
                message = f"{told['by']} was expected to match {told['file']}: {_EVIDENCE[check.result]}"
                self.problems.add(Problem(f"evidence-{check.result}", message))

    def _add_bad_lines(self) -> None:
        for source, count in self.secrets.bad_lines_by_source.items():
            message = f"lines of {source} are no lines of a key log (NSS key log format): they were skipped"
            self.problems.add(Problem("keylog-bad-line", message, detail=f"{count} lines"))

    def connections(self) -> Iterator[dict[str, Any]]:
        """`log._connections`, by first frame."""
        return self._output().connections()

    @property
    def looks_for_something(self) -> bool:
        """Whether there are identifiers or rules to be found."""
        return bool(self._examination.finders)

    def findings(self) -> Iterator[dict[str, Any]]:
        """`log._findings`, by entry."""
        return self._output().findings()

    def _output(self) -> Output:
        return Output(
            self.spool,
            self.names,
            self.problems,
            self.options,
            self._annotate,
            self._annotate_connection,
            self._examination,
        )

    def write_to(self, out: BinaryIO) -> None:
        """Write the HAR to a binary stream."""
        creator = {"name": "pcapng-utils", "version": __version__, "_metadata": self._metadata()}
        output = self._output()
        output.write(out, creator)
        self.left_out = output.left_out

    def _metadata(self) -> dict[str, Any]:
        algorithm = self.options.hash_algorithm
        capture = self.files[0]
        metadata: dict[str, Any] = {
            "creation_datetime": (self._created or datetime.now(UTC)).isoformat(),
            f"input_{algorithm}": capture.digest,
            "input_sha256": capture.sha256,
            "files": [file.to_har() for file in self.files],
            "options": self.options.to_har(),
        }
        if self.enrichment_digests:
            metadata[f"enrichment_files_{algorithm}"] = self.enrichment_digests
        if self.attribution is not None:
            metadata["attribution"] = self.attribution
        if self.evidence:
            metadata["evidence"] = [check.to_har() for check in self.evidence]
        return metadata


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if path == STDIN:
        if not sys.stdin:
            raise InputError("standard input is closed: a capture was expected there.")
        yield sys.stdin.buffer
        return
    try:
        file = path.open("rb", buffering=0)
    except OSError as error:
        raise unreadable(path, error) from None
    with file:
        yield cast(BinaryIO, file)
