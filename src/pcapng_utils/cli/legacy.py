"""`pcapng_to_har`: the command of pcapng-utils 1.1, option for option."""

from __future__ import annotations

import argparse
import logging
import sys
from typing import Final

from pcapng_utils.cli.values import file, seconds

#: Options that tuned tshark, with what they were set to when nothing was said.
_WITHOUT_EFFECT: Final = {
    "tshark": "/usr/bin/tshark",
    "timeout": 60.0,
    "name_resolution": "nds",
    "no_tcp_reassemble_out_of_order": False,
}
_DISPLAY_FILTER: Final = "http || http2 || websocket"
_PROTOCOL_FILTER: Final = "http http2 websocket"


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pcapng_to_har",
        description="Turn a capture into a HAR file. `pcapng-utils convert` does the same and more.",
    )
    parser.add_argument("-i", "--input", type=file, required=True, metavar="PATH", help="capture, or experiment folder")
    parser.add_argument("-o", "--output", type=file, metavar="PATH", help="default: the input with suffix .har")
    parser.add_argument("-f", "--force", action="store_true", help="overwrite the output if it exists")
    parser.add_argument("-k", "--keylog", action="append", type=file, default=[], metavar="PATH", help="TLS secrets")
    parser.add_argument(
        "-sf", "--socket-operations-file", metavar="PATH", help="'' for none; default: socket_trace.json beside INPUT"
    )
    parser.add_argument(
        "-cf", "--cryptography-operations-file", metavar="PATH", help="'' for none; default: aes_info.json beside INPUT"
    )
    parser.add_argument(
        "--time-shift", type=seconds, metavar="SECONDS", help="phone's clock minus router's clock; default: estimated"
    )
    parser.add_argument("--ensure-ascii", action="store_true", help="escape everything that is not ASCII")
    parser.add_argument("--hash-algo", default="sha1", metavar="ALGO", help="of the digests (default: sha1)")
    parser.add_argument("--hosts-file", type=file, metavar="PATH", help="names of addresses")
    parser.add_argument("-v", "--verbose", action="count", default=0, help="say more (repeatable)")
    tuning = parser.add_argument_group("options that tuned tshark", "accepted, and without effect: no tshark is run")
    tuning.add_argument("-c", "--tshark", default=_WITHOUT_EFFECT["tshark"], metavar="CMD")
    tuning.add_argument("--timeout", type=float, default=_WITHOUT_EFFECT["timeout"], metavar="SECONDS")
    tuning.add_argument("--name-resolution", default=_WITHOUT_EFFECT["name_resolution"], metavar="FLAGS")
    tuning.add_argument("--no-tcp-reassemble-out-of-order", action="store_true")
    tuning.add_argument("-ot", "--tshark-out", metavar="PATH", help=argparse.SUPPRESS)
    tuning.add_argument("-Y", "--display-filter", default=_DISPLAY_FILTER, help=argparse.SUPPRESS)
    tuning.add_argument("-J", "--protocol-match-filter", default=_PROTOCOL_FILTER, help=argparse.SUPPRESS)
    parser.set_defaults(command=pcapng_to_har, limit=[])
    return parser


def pcapng_to_har(arguments: argparse.Namespace) -> int:
    from dataclasses import replace

    from pcapng_utils.cli.convert import output_path, reading_options
    from pcapng_utils.cli.progress import progress_bar
    from pcapng_utils.cli.summary import print_summary
    from pcapng_utils.pipeline.convert import STDIN, Conversion

    logging.basicConfig(level=max(logging.WARNING - 10 * arguments.verbose, logging.DEBUG), format="%(message)s")
    _check(arguments)
    capture, options = reading_options(arguments)
    asked = arguments.output
    if asked is None and capture != STDIN:
        asked = capture.with_suffix(".har")  # x.pcap.gz gives x.pcap.har, as it did in 1.1
    output = output_path(asked, capture, options.files, force=arguments.force)
    options = replace(
        options,
        time_shift=arguments.time_shift,
        ensure_ascii=arguments.ensure_ascii,
        hash_algorithm=arguments.hash_algo,
    )
    with Conversion(capture, options) as conversion:
        with progress_bar(capture, quiet=False) as progress:
            conversion.read(progress)
        conversion.write(output)
        if arguments.verbose:
            print_summary(conversion, output)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    """Warn of options without effect; refuse those whose effect would be missed."""
    import hashlib

    from pcapng_utils.errors import UsageError

    if arguments.tshark_out is not None:
        raise UsageError("-ot: no tshark is run, so there is no output of it. `tshark -T json` writes such a file.")
    if arguments.display_filter != _DISPLAY_FILTER:
        raise UsageError("-Y: display filters are tshark's. `pcapng-utils convert` has --from, --to and --host.")
    if arguments.protocol_match_filter != _PROTOCOL_FILTER:
        raise UsageError("-J: protocol filters are tshark's. All protocols that are known are read.")
    known = arguments.hash_algo in hashlib.algorithms_available
    if not known or not hashlib.new(arguments.hash_algo).digest_size:  # shake's digests are as long as one asks for
        raise UsageError(f"--hash-algo {arguments.hash_algo}: not known here. For example: sha1, sha256, blake2b.")
    for name, default in _WITHOUT_EFFECT.items():
        if getattr(arguments, name) != default:
            option = "--" + name.replace("_", "-")
            print(f"pcapng_to_har: {option} has no effect: no tshark is run.", file=sys.stderr)  # noqa: T201
