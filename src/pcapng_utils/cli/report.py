"""`pcapng-utils report`: a HAR, a capture or an experiment as one page for people."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from pcapng_utils.cli.convert import (
    add_examination_options,
    add_reading_options,
    add_redact_option,
    examination_options,
    reading_options,
)
from pcapng_utils.cli.terminal import printable, show
from pcapng_utils.cli.values import file, size

if TYPE_CHECKING:
    from pcapng_utils.pipeline.options import Options
    from pcapng_utils.report.page import LeftOut
    from pcapng_utils.report.source import Har

_DEVICE: Final = "device.json"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "report",
        help="make one page, for people, of a HAR, a capture or an experiment",
        description="Make one HTML file that shows who sent what to whom. It holds everything it shows, and needs "
        "neither network nor server.",
    )
    parser.add_argument("input", metavar="INPUT", type=file, help="HAR file, capture, or experiment folder")
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        type=file,
        help="file to write; default: INPUT's name, .html; report.html in a folder",
    )
    parser.add_argument("-f", "--force", action="store_true", help="overwrite the output if it exists")
    parser.add_argument(
        "--max-size",
        type=size,
        default="100M",
        metavar="SIZE",
        help="bytes of the page (k, M, G: thousands, millions, billions; default: 100M): "
        "the largest bodies are left out if they do not fit",
    )
    add_reading_options(parser)
    add_examination_options(parser)
    add_redact_option(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, no summary")
    parser.set_defaults(command=report)


def report(arguments: argparse.Namespace) -> int:
    from pcapng_utils.har.whole import whole_or_nothing
    from pcapng_utils.report.page import write_page

    capture, options = _input(arguments)
    output = _output(arguments, (capture, *options.files))
    prefixes = options.system_frames
    with _har(capture, options, arguments) as har, whole_or_nothing(output) as out:
        left_out = write_page(
            har, out, title=_title(arguments.input), max_size=arguments.max_size, system_prefixes=prefixes
        )
    if not arguments.quiet:
        try:
            _summarise(output, left_out, arguments.max_size)
        except OSError as error:
            error.add_note(f"{output} was written")
            raise
    return 0


def _output(arguments: argparse.Namespace, read: Iterable[Path]) -> Path:
    from pcapng_utils.cli.convert import output_path
    from pcapng_utils.errors import UsageError
    from pcapng_utils.experiment import renamed

    asked = arguments.output
    if asked is None:
        name = arguments.input.resolve()
        asked = name / "report.html" if name.is_dir() else renamed(name, ".html")
    output = output_path(asked, arguments.input, read, force=arguments.force)
    if output is None:
        raise UsageError("the page is a file: name it with -o.")
    return output


@contextlib.contextmanager
def _har(capture: Path, options: Options, arguments: argparse.Namespace) -> Iterator[Har]:
    """What the page shows: the input itself, examined, or a temporary HAR that is made of it."""
    from pcapng_utils.har.reading import is_har
    from pcapng_utils.har.temporary import private_file
    from pcapng_utils.pipeline.examining import examination_of
    from pcapng_utils.report.examined import examined
    from pcapng_utils.report.source import open_har

    device = _device(arguments.input)
    if is_har(capture):
        with open_har(capture, device) as har:
            yield examined(har, examination_of(options, capture))
        return
    with private_file() as file:
        _convert(capture, options, file, quiet=arguments.quiet)
        file.flush()
        if options.redact:  # after the conversion, which reads what may be a pipe
            device = examination_of(options, capture).row(dict(device))
        with open_har(Path(f"/dev/fd/{file.fileno()}"), device) as har:
            yield har


def _input(arguments: argparse.Namespace) -> tuple[Path, Options]:
    """The HAR or the capture, and options with what goes with it."""
    from dataclasses import replace

    capture, options = reading_options(arguments)
    return capture, replace(options, **examination_options(arguments), redact=arguments.redact, indent=0)


def _convert(capture: Path, options: Options, out: BinaryIO, *, quiet: bool) -> None:
    from pcapng_utils.cli.progress import progress_bar
    from pcapng_utils.pipeline.convert import Conversion

    with Conversion(capture, options) as conversion:
        with progress_bar(capture, quiet=quiet) as progress:
            conversion.read(progress)
        conversion.write_to(out)


def _device(source: Path) -> dict[str, str]:
    """The phone's properties, where they lie beside the capture; what cannot be read is not shown."""
    import msgspec

    folder = source if source.is_dir() else source.parent
    try:
        properties = msgspec.json.decode((folder / _DEVICE).read_bytes(), type=dict[str, str | int | float | None])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return {name: str(value) for name, value in properties.items() if value not in (None, "")}


def _title(source: Path) -> str:
    from pcapng_utils.errors import file_name

    return file_name(source.resolve())


def _summarise(output: Path, left_out: LeftOut, asked: int) -> None:
    size = output.stat().st_size
    more = f": more than --max-size {asked:,}, for its program and its lists are not left out" if size > asked else ""
    show(f"Written      {printable(str(output))} ({size:,} bytes{more})")
    if left_out.bodies:
        show(f"Left out     {left_out.bodies:,} bodies of {left_out.bytes:,} bytes: --max-size makes room")
    if left_out.exchanges:
        show(f"Left out     the details of {left_out.exchanges:,} exchanges")
