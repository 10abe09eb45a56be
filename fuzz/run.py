"""One target under atheris (libFuzzer): `python -m fuzz.run TARGET [libFuzzer options] [corpus folders]`.

A crash, an input that takes longer than `-timeout`, or one that takes more memory than `-rss_limit_mb` ends the run;
the input is kept where `-artifact_prefix` says.
"""

from __future__ import annotations

import os
import sys

import atheris  # type: ignore[import-untyped]

from pcapng_utils.faults import SWITCH

os.environ[SWITCH] = "1"

with atheris.instrument_imports(include=["pcapng_utils"]):
    from fuzz.targets import TARGETS


def main() -> None:
    name, *options = sys.argv[1:]
    atheris.Setup([sys.argv[0], *options], TARGETS[name], enable_python_coverage=True)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
