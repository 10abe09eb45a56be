"""A capture as a HAR in memory, with nothing joined to it: `NetworkTrafficDump` of pcapng-utils 1.1."""

from __future__ import annotations

import io
import json
from typing import Any

from pcapng_utils.tshark.wrapper import TsharkOutput


class NetworkTrafficDump:
    """The exchanges of a capture, without attribution and decryption of bodies."""

    def __init__(self, tshark_output: TsharkOutput) -> None:
        """`tshark_output`: what `Tshark.load_traffic` gives."""
        self._output = tshark_output
        self._har: dict[str, Any] | None = None

    def parse_traffic(self) -> None:
        """Read the capture. Raises InputError if it cannot be used."""
        self._har = self._read()

    def to_har(self) -> dict[str, Any]:
        """The HAR; the capture is read if it was not."""
        if self._har is None:
            self._har = self._read()
        return self._har

    def _read(self) -> dict[str, Any]:
        from pcapng_utils.experiment import Experiment
        from pcapng_utils.pipeline.convert import Conversion
        from pcapng_utils.pipeline.options import Options

        tshark = self._output.tshark
        experiment = Experiment.of(self._output.capture)
        options = Options(
            keylogs=(experiment.keylog,) if experiment.keylog else (),
            hosts_file=tshark.hosts_file,
            hash_algorithm=tshark.hash_algo,
        )
        document = io.BytesIO()
        with Conversion(experiment.capture, options) as conversion:
            conversion.read()
            conversion.write_to(document)
        har: dict[str, Any] = json.loads(document.getvalue())
        return har
