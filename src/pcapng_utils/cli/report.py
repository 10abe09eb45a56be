"""`pcapng-utils report`: a HAR, a capture or an experiment as one page for people."""

from __future__ import annotations

import argparse
import contextlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pcapng_utils.cli.convert import add_reading_options, reading_options

if TYPE_CHECKING:
    from pcapng_utils.report.page import LeftOut

_UNITS: Final = {"": 1, "k": 1000, "M": 1000**2, "G": 1000**3}
_DEVICE: Final = "device.json"
_LOOKED_AT: Final = 256


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "report",
        help="make one page, for people, of a HAR, a capture or an experiment",
        description="Make one HTML file that shows who sent what to whom. It holds everything it shows, and needs "
        "neither network nor server.",
    )
    parser.add_argument("input", metavar="INPUT", type=Path, help="HAR file, capture, or experiment folder")
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, help="file to write; default: INPUT's name, .html")
    parser.add_argument("-f", "--force", action="store_true", help="overwrite the output if it exists")
    parser.add_argument(
        "--max-size",
        type=size,
        default="100M",
        metavar="SIZE",
        help="bytes of the page (k, M, G: thousands, millions, billions; default: 100M): "
        "the largest bodies are left out if they do not fit",
    )
    parser.add_argument(
        "--system-frames",
        default="",
        metavar="PREFIXES",
        help="class prefixes that are not the app's, besides those known, with commas between them",
    )
    add_reading_options(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, no summary")
    parser.set_defaults(command=report)


def size(text: str) -> int:
    """A number of bytes: `64M`."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kMG]?)B?", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r}: a number of bytes was expected, such as 64M")
    return int(float(match[1]) * _UNITS[match[2]])


def report(arguments: argparse.Namespace) -> int:
    from pcapng_utils.har.writer import whole_or_nothing
    from pcapng_utils.report.page import write_page
    from pcapng_utils.report.source import open_har

    output = _output(arguments)
    prefixes = tuple(prefix for prefix in arguments.system_frames.split(",") if prefix)
    with _har_file(arguments) as path, open_har(path, _device(arguments.input)) as har, whole_or_nothing(output) as out:
        left_out = write_page(
            har, out, title=_title(arguments.input), max_size=arguments.max_size, system_prefixes=prefixes
        )
    if not arguments.quiet:
        _summarise(output, left_out)
    return 0


def _output(arguments: argparse.Namespace) -> Path:
    from pcapng_utils.cli.convert import output_path
    from pcapng_utils.errors import UsageError

    asked = arguments.output
    if asked is None:
        name = arguments.input.resolve()
        asked = name / "report.html" if name.is_dir() else name.with_suffix(".html")
    output = output_path(asked, arguments.input, force=arguments.force)
    if output is None:
        raise UsageError("the page is a file: name it with -o.")
    return output


@contextlib.contextmanager
def _har_file(arguments: argparse.Namespace) -> Iterator[Path]:
    """The HAR: the input itself, or a temporary one that is made of it."""
    if arguments.input.is_file() and _is_json(arguments.input):
        yield arguments.input
        return
    with tempfile.TemporaryDirectory(prefix="pcapng-utils-") as folder:
        path = Path(folder) / "report.har"
        _convert(arguments, path)
        yield path


def _is_json(path: Path) -> bool:
    """Whether a file begins as a HAR does: no capture begins with a brace."""
    with path.open("rb") as file:
        return file.read(_LOOKED_AT).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


def _convert(arguments: argparse.Namespace, path: Path) -> None:
    from dataclasses import replace

    from pcapng_utils.cli.progress import progress_bar
    from pcapng_utils.pipeline.convert import Conversion

    capture, options = reading_options(arguments)
    with Conversion(capture, replace(options, indent=0)) as conversion:
        with progress_bar(capture, quiet=arguments.quiet) as progress:
            conversion.read(progress)
        conversion.write(path)


def _device(source: Path) -> dict[str, str]:
    """The phone's properties, where they lie beside the capture; what cannot be read is not shown."""
    import msgspec

    folder = source if source.is_dir() else source.parent
    try:
        properties = msgspec.json.decode((folder / _DEVICE).read_bytes(), type=dict[str, str | int | float | None])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return {name: str(value) for name, value in properties.items() if value not in (None, "")}


def _title(source: Path) -> str:
    return source.resolve().name


def _summarise(output: Path, left_out: LeftOut) -> None:
    from pcapng_utils.cli.terminal import printable

    print(f"Written      {printable(str(output))} ({output.stat().st_size:,} bytes)")  # noqa: T201
    if left_out.bodies:
        print(f"Left out     {left_out.bodies:,} bodies of {left_out.bytes:,} bytes: --max-size makes room")  # noqa: T201
    if left_out.exchanges:
        print(f"Left out     the details of {left_out.exchanges:,} exchanges")  # noqa: T201
