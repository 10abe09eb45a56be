"""`pcapng-utils convert`: a capture, or an experiment, becomes a HAR."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pcapng_utils.cli.values import file, named, seconds, size

if TYPE_CHECKING:
    from pcapng_utils.pipeline.convert import Conversion
    from pcapng_utils.pipeline.options import Options

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "convert",
        help="turn a capture, or a PiRogue experiment, into a HAR file",
        description="Turn a capture, or the folder of a PiRogue experiment, into a HAR file: each HTTP message with "
        "the code that sent it and its clear text.",
    )
    parser.add_argument("input", metavar="INPUT", type=file, help="capture (- for standard input) or experiment folder")
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        type=file,
        help="HAR file to write; default: the capture's name with .har in place of .pcap, .pcapng.gz or the like; "
        "- for standard output",
    )
    parser.add_argument("-f", "--force", action="store_true", help="overwrite the output if it exists")
    add_reading_options(parser)
    attribution = parser.add_argument_group("attribution")
    attribution.add_argument("--attribution", choices=("alignment", "nearest", "none"), help="default: alignment")
    attribution.add_argument("--min-confidence", type=float, metavar="P", help="default: 0.5")
    attribution.add_argument(
        "--time-shift", type=seconds, metavar="SECONDS", help="phone's clock minus router's clock; default: estimated"
    )
    add_examination_options(parser)
    filters = parser.add_argument_group("what is written")
    filters.add_argument(
        "--from",
        dest="begin",
        type=moment,
        metavar="TIME",
        help="ISO 8601 (UTC if it says no zone), or seconds since 1970",
    )
    filters.add_argument("--to", dest="end", type=moment, metavar="TIME")
    filters.add_argument(
        "--host", action="append", type=named, default=[], help="this host and those below it; repeatable"
    )
    filters.add_argument("--process", action="append", type=named, default=[], help="this process; repeatable")
    filters.add_argument(
        "--no-bodies",
        action="store_true",
        help="leave bodies out, and what is found or decrypted in them; sizes and digests stay",
    )
    add_redact_option(filters)
    filters.add_argument("--ensure-ascii", action="store_true", help="escape everything that is not ASCII")
    filters.add_argument("--compact", action="store_true", help="one line an entry, no indentation")
    parser.add_argument(
        "--stream",
        action="store_true",
        help="write each exchange as one line of JSON as soon as it is complete, without attribution",
    )
    parser.add_argument(
        "-j",
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="processes that read the capture (default: 1); the result is the same. One alone reads standard input",
    )
    parser.add_argument(
        "--max-memory",
        type=size,
        default="512M",
        metavar="SIZE",
        help="of what is open at a time (k, M, G; default: 512M): larger bodies wait in files, and connections beyond "
        "it that are idle for longest are taken for ended",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, no summary")
    parser.set_defaults(command=convert)


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """What goes with a capture."""
    group = parser.add_argument_group("what goes with the capture (found beside it by default)")
    group.add_argument(
        "-k", "--keylog", action="append", type=file, default=[], metavar="FILE", help="TLS secrets; repeatable"
    )
    group.add_argument("-sf", "--socket-operations-file", metavar="FILE", help="socket trace; '' for none")
    group.add_argument("-cf", "--cryptography-operations-file", metavar="FILE", help="cipher log; '' for none")
    group.add_argument("--hosts-file", type=file, metavar="FILE", help="names of addresses, in the form of /etc/hosts")
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="change what is kept at most, such as http1.head=1M; repeatable; for the names see docs/limits.md",
    )


def add_examination_options(parser: argparse.ArgumentParser) -> None:
    """Whose code it was, and what is looked for."""
    group = parser.add_argument_group("labels and findings")
    group.add_argument(
        "--identifiers",
        type=file,
        metavar="FILE",
        help="what to look for besides the identifiers of device.json and ad_ids.txt: lines name=value",
    )
    group.add_argument(
        "--trackers", type=file, metavar="FILE", help="signatures of trackers: what Exodus Privacy's API gives, as JSON"
    )
    group.add_argument(
        "--system-frames",
        default="",
        metavar="PREFIXES",
        help="class prefixes that are not the app's, besides those known, with commas between them",
    )
    group.add_argument(
        "--yara", type=file, metavar="RULES", help="YARA rules to apply to URLs, headers, clear bodies and messages"
    )


def add_redact_option(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--redact",
        action="store_true",
        help="put pseudonyms for identifiers, cookies and credentials, in whatever form they were sent",
    )


def examination_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """`Options` for labels and findings."""
    return {
        "identifiers": arguments.identifiers,
        "trackers": arguments.trackers,
        "system_frames": tuple(prefix for prefix in arguments.system_frames.split(",") if prefix),
        "rules": arguments.yara,
    }


def moment(text: str) -> int:
    """A time in ns since the epoch. Raises ArgumentTypeError if it is none that a capture can hold."""
    try:
        ns = _moment(text)
    except (ValueError, OverflowError):
        ns = None
    if ns is None or abs(ns) >= 1 << 63:
        raise argparse.ArgumentTypeError(
            f"{text!r}: a time was expected, such as 2026-01-31T12:00:00Z or 1769860800 (seconds since 1970)"
        )
    return ns


def _moment(text: str) -> int:
    try:
        return int(Decimal(text).scaleb(9))
    except InvalidOperation:
        parsed = datetime.fromisoformat(text)
        since = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)) - _EPOCH
        return since // timedelta(microseconds=1) * 1000


def convert(arguments: argparse.Namespace) -> int:
    from pcapng_utils.cli.progress import progress_bar
    from pcapng_utils.cli.summary import print_summary
    from pcapng_utils.pipeline.convert import Conversion

    capture, options = reading_options(arguments)
    options = replace(options, **examination_options(arguments))
    output = output_path(arguments.output, capture, options.files, force=arguments.force)
    _check(arguments)
    options = replace(
        options,
        redact=arguments.redact,
        attribution=arguments.attribution or options.attribution,
        min_confidence=options.min_confidence if arguments.min_confidence is None else arguments.min_confidence,
        time_shift=arguments.time_shift,
        bodies=not arguments.no_bodies,
        ensure_ascii=arguments.ensure_ascii,
        indent=0 if arguments.compact else 2,
        filters=_filters(arguments),
        jobs=arguments.jobs,
        max_memory=arguments.max_memory,
    )
    with Conversion(capture, options) as conversion, progress_bar(capture, quiet=arguments.quiet) as progress:
        if arguments.stream:
            _stream(conversion, output, progress)
        else:
            conversion.read(progress)
            conversion.write(output)
    if not arguments.quiet:
        print_summary(conversion, output)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    """Raise UsageError for what cannot be meant."""
    from pcapng_utils.errors import UsageError
    from pcapng_utils.pipeline.memory import LEAST

    confidence, begin, end = arguments.min_confidence, arguments.begin, arguments.end
    if confidence is not None and not 0 <= confidence <= 1:
        raise UsageError(f"--min-confidence {confidence}: a probability, from 0 to 1, was expected.")
    if begin is not None and end is not None and begin >= end:
        raise UsageError("--from was expected to be earlier than --to: no exchange is from such a time.")
    if arguments.jobs < 1:
        raise UsageError(f"--jobs {arguments.jobs}: a number of processes was expected, 1 at least.")
    if arguments.max_memory < LEAST:
        raise UsageError(f"--max-memory {arguments.max_memory}: {LEAST // 1_000_000}M at least.")
    asked = {
        "-sf": bool(arguments.socket_operations_file),
        "--attribution": arguments.attribution not in (None, "none"),
        "--min-confidence": confidence is not None,
        "--time-shift": arguments.time_shift is not None,
    }
    for option in (name for name, is_asked in asked.items() if is_asked and arguments.stream):
        raise UsageError(
            f"--stream attributes nothing, which takes whole connections: leave out {option}, or --stream."
        )
    idle = {"none": ("--min-confidence", "--time-shift"), "nearest": ("--min-confidence",)}
    for option in (name for name in idle.get(arguments.attribution, ()) if asked[name]):
        raise UsageError(f"{option} has no effect with --attribution {arguments.attribution}: leave out one of them.")


def _stream(conversion: Conversion, output: Path | None, progress: Callable[[int], None]) -> None:
    """Write lines, and have whatever ends that early tell how many there are."""
    from pcapng_utils.errors import STANDARD_OUTPUT, naming, standard_output

    name = str(output) if output else STANDARD_OUTPUT
    try:
        with naming(name), output.open("wb") if output else standard_output() as lines:
            conversion.stream(lines, progress, name=name)
    except BaseException as error:
        lines_were = "line was" if conversion.streamed == 1 else "lines were"
        error.add_note(f"{conversion.streamed:,} whole {lines_were} written to {name}")
        raise


def reading_options(arguments: argparse.Namespace) -> tuple[Path, Options]:
    """The capture, and options with the files that go with it."""
    from pcapng_utils.experiment import Experiment
    from pcapng_utils.pipeline.convert import STDIN
    from pcapng_utils.pipeline.options import Options

    if arguments.input == STDIN:
        experiment = Experiment(STDIN, None, None, None, None)
    else:
        experiment = Experiment.of(arguments.input)
    keylogs = list(arguments.keylog)
    if experiment.keylog is not None:
        keylogs.append(experiment.keylog)
    return experiment.capture, Options(
        keylogs=tuple(keylogs),
        hosts_file=arguments.hosts_file,
        socket_trace=_file_or_none(arguments.socket_operations_file, experiment.socket_trace),
        cipher_log=_file_or_none(arguments.cryptography_operations_file, experiment.cipher_log),
        metadata=experiment.metadata,
        evidence=experiment.evidence,
        limits=_limits(arguments.limit),
        device=experiment.device,
        ad_ids=experiment.ad_ids,
    )


def _limits(asked: list[str]) -> tuple[tuple[str, int], ...]:
    """Limits by name. Raises UsageError for one that is none."""
    from pcapng_utils.errors import UsageError
    from pcapng_utils.pipeline.limits import Limits

    limits = []
    for text in asked:
        name, _, value = text.partition("=")
        try:
            limits.append((name, size(value)))
        except argparse.ArgumentTypeError:
            raise UsageError(f"--limit {text}: a name and a number were expected, such as http1.head=1M.") from None
    Limits().but(tuple(limits))
    return tuple(limits)


def _file_or_none(asked: str | None, found: Path | None) -> Path | None:
    """The file that was asked for; an empty name switches it off; None: the one that was found."""
    if asked is None:
        return found
    return Path(asked) if asked else None


def output_path(asked: Path | None, capture: Path, files: Iterable[Path], *, force: bool) -> Path | None:
    """Where to write; None is standard output. Raises UsageError if that cannot be meant; `files` are read, too."""
    from pcapng_utils.errors import UsageError
    from pcapng_utils.experiment import renamed, spare_inputs
    from pcapng_utils.pipeline.convert import STDIN

    if asked == STDIN:
        return None
    if asked is None:
        if capture == STDIN:
            raise UsageError("the capture comes from standard input: name the output with -o (- is standard output).")
        asked = renamed(capture, ".har")
    if asked.is_dir():
        raise UsageError(f"{asked} is a folder: the name of a HAR file was expected.")
    if not asked.parent.is_dir():
        raise UsageError(f"{asked.parent} is no folder: {asked.name} cannot be written there.")
    spare_inputs(asked, (capture, *files))
    if asked.is_file() and not force:
        raise UsageError(f"{asked} exists: -f overwrites it, -o names another.")
    return asked


def _filters(arguments: argparse.Namespace) -> Any:
    from pcapng_utils.pipeline.options import Filters

    return Filters(arguments.begin, arguments.end, tuple(arguments.host), tuple(arguments.process))
