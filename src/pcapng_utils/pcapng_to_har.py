"""The function `pcapng_to_har`, as those who call pcapng-utils 1.1 know it."""

from __future__ import annotations

import errno
import json
import logging
import math
import sys
import tempfile
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NoReturn

from pcapng_utils.errors import UsageError
from pcapng_utils.experiment import CIPHER_LOG, SOCKET_TRACE, Experiment, spare_inputs
from pcapng_utils.har.pirogue_enrichment.base import HarEnrichment
from pcapng_utils.har.whole import whole_or_nothing
from pcapng_utils.pipeline.convert import Conversion
from pcapng_utils.pipeline.options import Options
from pcapng_utils.tshark import Tshark

PIROGUE_SOCKET_TRACES_FNAME: Final = SOCKET_TRACE
PIROGUE_CRYPTO_TRACES_FNAME: Final = CIPHER_LOG

_JSON_DEFAULTS: Final[dict[str, Any]] = {"indent": 2, "ensure_ascii": False, "allow_nan": False}


def pcapng_to_har(
    input_file: Path | str,
    output_file: Path | str | None = None,
    *,
    tshark: Tshark | None = None,
    output_raw_tshark: Path | str | bool | None = None,
    socket_operations_file: Path | str | Literal[False] | None = None,
    cryptography_operations_file: Path | str | Literal[False] | None = None,
    overwrite: bool = False,
    systematic_time_shift: float | None = None,
    **json_dump_kws: Any,
) -> None:
    """Convert a capture (or an experiment's folder) to a HAR file; the files beside it are found by their names.

    `output_file` None: the capture with suffix .har. `tshark`: its `hash_algo` and `hosts_file` are obeyed.
    `socket_operations_file`, `cryptography_operations_file`: None is the file beside the capture; an empty string or
    False switches it off. `systematic_time_shift`: seconds to add to network times to get the phone's; None: estimated.
    `json_dump_kws` go to the standard library's `json.dump`, over `indent=2, ensure_ascii=False, allow_nan=False`;
    with them the whole HAR is held in memory.

    Raises FileExistsError if the output exists and is not to be overwritten, InputError if an input cannot be used,
    UsageError for `output_raw_tshark` and for an output that is read or is
    an experiment's, OSError if the output cannot be written.
    """
    if output_raw_tshark:
        raise UsageError("output_raw_tshark: no tshark is run, so there is no output of it.")
    if systematic_time_shift is not None and not math.isfinite(systematic_time_shift):
        raise UsageError(f"systematic_time_shift {systematic_time_shift}: a number of seconds was expected.")
    experiment = Experiment.of(Path(input_file))
    output = Path(output_file) if output_file is not None else experiment.capture.with_suffix(".har")
    if output.exists() and not overwrite:
        raise FileExistsError(errno.EEXIST, "exists, and overwrite is not set", str(output))
    options = Options(
        keylogs=(experiment.keylog,) if experiment.keylog else (),
        hosts_file=Path(tshark.hosts_file) if tshark and tshark.hosts_file else None,
        socket_trace=_file_or_none(socket_operations_file, experiment.socket_trace),
        cipher_log=_file_or_none(cryptography_operations_file, experiment.cipher_log),
        metadata=experiment.metadata,
        evidence=experiment.evidence,
        time_shift=systematic_time_shift,
        hash_algorithm=tshark.hash_algo if tshark else "sha1",
    )
    spare_inputs(output, (experiment.capture, *options.files))
    with Conversion(experiment.capture, options) as conversion:
        conversion.read()
        if not json_dump_kws:
            conversion.write(output)
            return
        with tempfile.TemporaryDirectory() as folder:
            plain = Path(folder) / "plain.har"
            conversion.write(plain)
            har = json.loads(plain.read_bytes())
    with whole_or_nothing(output) as file:
        file.write(json.dumps(har, **{**_JSON_DEFAULTS, **json_dump_kws}).encode())


@dataclass
class PcapngToHar:
    """The options of the command `pcapng_to_har`, as an object: `run` does what the command does."""

    input: Path
    output: Path | None = None
    _: KW_ONLY
    tshark_out: Path | str | bool | None = None
    tshark: Tshark = field(default_factory=Tshark)
    ensure_ascii: bool = False
    time_shift: float | None = None
    socket_operations_file: Path | Literal[""] | None = None
    cryptography_operations_file: Path | Literal[""] | None = None
    force: bool = False
    verbose: int = 0

    @classmethod
    def cli(cls) -> NoReturn:
        """The command itself, with the arguments of the process."""
        from pcapng_utils.cli import main_pcapng_to_har

        sys.exit(main_pcapng_to_har())

    def run(self, **json_dump_kws: Any) -> None:
        """Convert. Raises as `pcapng_to_har` does."""
        if self.ensure_ascii:
            json_dump_kws.setdefault("ensure_ascii", True)
        pcapng_to_har(
            self.input,
            self.output,
            tshark=self.tshark,
            output_raw_tshark=self.tshark_out,
            socket_operations_file=self.socket_operations_file,
            cryptography_operations_file=self.cryptography_operations_file,
            overwrite=self.force,
            systematic_time_shift=self.time_shift,
            **json_dump_kws,
        )


def enrich_har_with_io(
    har_data: dict[str, Any],
    enricher: type[HarEnrichment],
    input_dir: Path,
    input_enrichment_file: Path | str | Literal[False] | None,
    default_enrichment_filename: str,
    logger: logging.Logger,
    **enrich_params: Any,
) -> bool:
    """Enrich a HAR with a file, in place; returns whether there was anything to do.

    `input_enrichment_file` None: the one of `default_enrichment_filename` in `input_dir`, where there is one; an empty
    string or False: none. `enrich_params` go to `enricher`. Raises FileNotFoundError for a file that was named.
    """
    beside = Path(input_dir) / default_enrichment_filename
    path = _file_or_none(input_enrichment_file, beside if beside.is_file() else None)
    if path is None:
        return False
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, "No such file", str(path))
    enriched = enricher(har_data, path, **enrich_params).enrich()
    logger.info("The HAR was %s with %s of %s", "enriched" if enriched else "not enriched", enricher.ID, path)
    return enriched


def _file_or_none(asked: Path | str | Literal[False] | None, found: Path | None) -> Path | None:
    if asked is None:
        return found
    return Path(asked) if asked else None
