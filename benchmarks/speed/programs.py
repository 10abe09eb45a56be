"""The programs that are run, and what each of them is asked for."""

from __future__ import annotations

import compileall
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.speed.workloads import Made

PEER: Final = "pcapng-utils==1.1.0"
TSHARK: Final = "tshark"
_OURS: Final = Path(sys.executable).with_name("pcapng-utils")
_LIMIT: Final = Path(__file__).with_name("limit.py")

Command = Callable[[Made, Path], list[str | Path]]
"""The command line that reads a capture; what it writes goes to the path."""


@dataclass(frozen=True, slots=True)
class Program:
    name: str
    command: Command
    slow: bool = False
    """Takes minutes where ours takes seconds: may be run less often."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What is to be shown: one program's time (or memory) against another's, or against a number."""

    text: str
    ours: str
    theirs: str = ""
    faster: float = 0.0
    """Wall time of theirs must be at least so many times ours."""
    memory: float = 0.0
    """Peak memory of theirs must be at least so many times ours."""
    peak: int = 0
    """Bytes that ours may take at most."""
    wall: float = 0.0
    """Seconds that ours may take at most."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A capture, who reads it, and what is to be shown by that."""

    name: str
    capture: str
    what: str
    programs: tuple[Program, ...]
    demands: tuple[Demand, ...] = ()
    scales: tuple[float, ...] = field(default=(1.0,))


def ours(*options: str, traces: bool = False) -> Command:
    def command(made: Made, out: Path) -> list[str | Path]:
        beside: list[str | Path] = (
            ["-sf", made.socket_trace, "-cf", made.cipher_log] if traces else ["-sf", "", "-cf", ""]
        )
        return [_OURS, "convert", "-q", "-f", made.capture, "-k", made.keylog, *beside, *options, "-o", out]

    return command


def tshark(made: Made, out: Path) -> list[str | Path]:
    """Decrypt and dissect everything, print next to nothing."""
    return [
        TSHARK, "-r", made.capture, "-o", f"tls.keylog_file:{made.keylog}", "-o", "tcp.reassemble_out_of_order:TRUE",
        "-Y", "http || http2 || http3", "-T", "fields", "-e", "frame.number",
    ]  # fmt: skip


def peer(folder: Path, *, traces: bool) -> Command:
    """pcapng-utils 1.1.0 from `folder`, an environment of its own. It takes its key log from inside the capture."""

    def command(made: Made, out: Path) -> list[str | Path]:
        beside: list[str | Path] = ["-sf", made.socket_trace, "-cf", made.cipher_log] if traces else []
        return [folder / "bin" / "pcapng_to_har", "-f", "-i", with_secrets(made), *beside, "-o", out]

    return command


def limit(made: Made, out: Path) -> list[str | Path]:
    return [sys.executable, _LIMIT, made.records]


def compile_ours() -> None:
    """Bytecode, as pip leaves it of what it installs: of a checkout it may be missing, or older than the source."""
    import pcapng_utils

    compileall.compile_dir(Path(pcapng_utils.__file__).parent, quiet=1)


def install_peer(folder: Path) -> Path:
    """An environment with pcapng-utils 1.1.0; made, if it is not there yet."""
    if not (folder / "bin" / "pcapng_to_har").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", PEER], check=True)
    return folder


def with_secrets(made: Made) -> Path:
    """The capture as pcapng with the secrets inside, in a folder without traces."""
    path = made.folder / "with-secrets" / "traffic.pcapng"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        subprocess.run(["editcap", "--inject-secrets", f"tls,{made.keylog}", made.capture, path], check=True)
    return path


def versions(peers: Path | None) -> list[tuple[str, str]]:
    """Programs and their versions."""
    found = [("Python", sys.version.split()[0]), ("tshark", _first_line([TSHARK, "--version"]))]
    if peers is not None:
        found.append(("pcapng-utils (peer)", PEER.partition("==")[2]))
    found.append(("pcapng-utils", _first_line([_OURS, "--version"])))
    import cryptography

    found.append(("cryptography", cryptography.__version__))
    return found


def _first_line(command: list[str | Path]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.partition("\n")[0].rstrip(".")
