"""`pcapng-utils connections`: what did this app talk to, and what could not be read, and why."""

from __future__ import annotations

import argparse
import csv
import sys
from typing import Any, Final

from pcapng_utils.cli.convert import add_reading_options, reading_options
from pcapng_utils.cli.terminal import show, show_json, table
from pcapng_utils.cli.values import file, named

_COLUMNS: Final = (
    "id",
    "started",
    "protocol",
    "server",
    "host",
    "version",
    "exchanges",
    "sent",
    "received",
    "read",
    "why",
)
_NUMBERS: Final = frozenset({0, 6, 7, 8})


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "connections",
        help="list every connection of a capture, decrypted or not",
        description="List every connection of a capture, an experiment or a HAR made of one: with whom, how much, and "
        "what could not be read, and why.",
    )
    parser.add_argument("input", metavar="INPUT", type=file, help="capture, experiment folder, or HAR file")
    add_reading_options(parser)
    parser.add_argument("--undecrypted", action="store_true", help="those alone that were not (wholly) read")
    parser.add_argument(
        "--host", action="append", type=named, default=[], help="this host and those below it; repeatable"
    )
    parser.add_argument("--sort", choices=("start", "bytes", "host"), default="start")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="the rows of log._connections, as JSON")
    form.add_argument("--csv", action="store_true", help="the table as CSV")
    parser.set_defaults(command=connections)


def connections(arguments: argparse.Namespace) -> int:
    from pcapng_utils.cli.unread import say

    rows, lost = _read(arguments)
    rows = [row for row in rows if _wanted(row, arguments)]
    rows.sort(key=_ORDERS[arguments.sort])
    if arguments.json:
        show_json(rows)
    elif arguments.csv:
        from pcapng_utils.errors import standard_output

        with standard_output():
            writer = csv.writer(sys.stdout)
            writer.writerow(_COLUMNS)
            writer.writerows(map(_cells, rows))
    else:
        show(table(_COLUMNS, map(_cells, rows), right=_NUMBERS))
    say("connections", lost)
    return 0


def _read(arguments: argparse.Namespace) -> tuple[list[dict[str, Any]], list[str]]:
    """The connections, and what was wrong with the capture itself."""
    from pcapng_utils.har.problems import lost_packets

    if arguments.input.suffix == ".har":
        from pcapng_utils.har.reading import check_connection, read_har

        log = read_har(arguments.input)["log"]
        for number, row in enumerate(log.get("_connections") or ()):
            check_connection(number, row, str(arguments.input), whole=True)
        lost = lost_packets(log.get("_problems") or ())
        if "_connections" not in log:
            lost.insert(0, f"{arguments.input} lists no connections: their capture does, if it is named instead.")
        return log.get("_connections") or [], lost
    from pcapng_utils.pipeline.convert import Conversion

    capture, options = reading_options(arguments)
    with Conversion(capture, options) as conversion:
        conversion.read()
        return list(conversion.connections()), lost_packets(conversion.problems.rows())


def _wanted(row: dict[str, Any], arguments: argparse.Namespace) -> bool:
    if arguments.undecrypted and row["decrypted"] == "yes":
        return False
    host = row["server"]["host"].lower()
    return not arguments.host or any(
        host == name or host.endswith("." + name) for name in map(str.lower, arguments.host)
    )


_ORDERS: Final = {
    "start": lambda row: (row["_timestamp"], row["frames"]),
    "bytes": lambda row: -sum(row["bytes"].values()),
    "host": lambda row: (row["server"]["host"], row["_timestamp"]),
}


def _protocol(row: dict[str, Any]) -> str:
    """What was read; else what it is inside of; else what its port says, in brackets."""
    if row["application"]:
        return str(row["application"])
    wrapped = "QUIC" if row.get("quic") else "TLS" if row["tls"] else ""
    return wrapped or row["protocol"] + (f" ({row['service']})" if row["service"] else "")


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    server = row["server"]
    address = f"[{server['ip']}]" if ":" in server["ip"] else server["ip"]
    version = (row.get("quic") or row.get("tls") or {}).get("version") or ""
    return (
        row["id"],
        row["startedDateTime"][:23],
        _protocol(row),
        f"{address}:{server['port']}",
        server["host"] if server["host"] != server["ip"] else "",
        version,
        str(row["exchanges"]),
        str(row["bytes"]["client"]),
        str(row["bytes"]["server"]),
        row["decrypted"],
        row["reason"],
    )
