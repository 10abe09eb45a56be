"""The commands. Everything heavy is imported when a command that needs it runs."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from pcapng_utils import __version__

DONE: Final = 0
INPUT_UNUSABLE: Final = 1
WRONG_USAGE: Final = 2
FAULT: Final = 70
"""EX_SOFTWARE of sysexits.h."""
_KILLED_BY: Final = 128

_COMMANDS: Final = ("convert", "report", "findings", "connections", "attribution")
"""Names of commands, and of the modules here that have them."""

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """`pcapng-utils`. Returns the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    return run("pcapng-utils", lambda: _parser(words), words)


def main_pcapng_to_har(arguments: Sequence[str] | None = None) -> int:
    """`pcapng_to_har`: the command of pcapng-utils 1.1, with its options."""
    words = sys.argv[1:] if arguments is None else arguments
    return run("pcapng_to_har", _legacy_parser, [_hyphened(word) for word in words])


def _hyphened(word: str) -> str:
    """An option as it is written here: pcapng-utils 1.1 takes `--time_shift` for `--time-shift`."""
    if not word.startswith("--"):
        return word
    name, *value = word.split("=", 1)
    return "=".join((name.replace("_", "-"), *value))


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """What reads these words: where the first of them is a command, the others need not be imported."""
    parser = argparse.ArgumentParser(
        prog="pcapng-utils",
        description="Which code in this app sent what about this person, to whom, and how sure are we?",
        epilog="`pcapng-utils COMMAND --help` tells more of a command.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in words[:1] if words and words[0] in _COMMANDS else _COMMANDS:
        import_module(f"pcapng_utils.cli.{name}").add_parser(commands)
    return parser


def _legacy_parser() -> argparse.ArgumentParser:
    from pcapng_utils.cli import legacy

    return legacy.parser()


def run(name: str, make_parser: Callable[[], argparse.ArgumentParser], arguments: Sequence[str] | None) -> int:
    """Parse the arguments, run the command, and turn what ends it early into a sentence and an exit code."""
    if not sys.stderr:  # closed: there is nobody to be told anything
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for as long as the process lives
    try:
        return _run(name, make_parser, arguments)
    except BrokenPipeError:
        # Whoever read our output has left: nothing is to be said, and nothing more to be flushed at exit.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _KILLED_BY + signal.SIGPIPE
    except KeyboardInterrupt as error:
        return _say(name, f"interrupted: {_written(error)}.", _KILLED_BY + signal.SIGINT)
    except _TerminatedError as error:
        return _say(name, f"terminated: {_written(error)}.", _KILLED_BY + signal.SIGTERM)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _say(name, f"{where}{os.strerror(error.errno or 0)}: {_written(error)}.", INPUT_UNUSABLE)


def _run(name: str, make_parser: Callable[[], argparse.ArgumentParser], arguments: Sequence[str] | None) -> int:
    from pcapng_utils.errors import InputError, UsageError, uninterrupted

    with uninterrupted():  # an import of msgspec that is interrupted may pass that over, and crash later
        from pcapng_utils.faults import fault

    try:
        namespace = make_parser().parse_args(arguments)
        command: Command = namespace.command
        with _terminable():
            return command(namespace)
    except UsageError as error:
        return _say(name, str(error), WRONG_USAGE)
    except InputError as error:
        return _say(name, str(error), INPUT_UNUSABLE)
    except Exception as error:
        problem = fault(error, _written(error))
        return _say(name, f"{problem.message} ({problem.detail}).", FAULT)


def _written(error: BaseException) -> str:
    """What a command had written before this ended it, by the notes that it added."""
    return "; ".join(getattr(error, "__notes__", ())) or "nothing was written"


def _say(name: str, message: str, code: int) -> int:
    from pcapng_utils.cli.terminal import printable

    print(f"{name}: {printable(message)}", file=sys.stderr)  # noqa: T201
    return code


class _TerminatedError(BaseException):
    """SIGTERM or SIGHUP came: unwind, so that everything is cleaned up."""


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    def terminate(signal_number: int, frame: FrameType | None) -> NoReturn:
        raise _TerminatedError

    previous = {}
    for number in (signal.SIGTERM, signal.SIGHUP):
        with contextlib.suppress(ValueError):  # not in the main thread: the caller's business
            previous[number] = signal.signal(number, terminate)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
