"""Which captures are read by whom, and what is to be shown by that."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from benchmarks.speed.programs import Bench, Demand, Program, limit, ours, peer, tshark

_MB: Final = 1_000_000
_TSHARK: Final = Program("tshark", tshark, slow=True)


def benches(peer_folder: Path) -> tuple[Bench, ...]:
    """`peer_folder`: where pcapng-utils 1.1.0 is installed."""
    old = Program("pcapng-utils 1.1.0", peer(peer_folder, traces=False), slow=True)
    old_traced = Program("pcapng-utils 1.1.0, traces", peer(peer_folder, traces=True), slow=True)
    return (
        Bench(
            "start",
            "small",
            "starting, and one small capture",
            (
                Program("python -c pass", lambda made, out: [sys.executable, "-c", "pass"]),
                Program("--help", lambda made, out: [Path(sys.executable).with_name("pcapng-utils"), "--help"]),
                Program("convert", ours()),
            ),
            (
                Demand("--help answers within 0.2 s", "--help", wall=0.2),
                Demand("a small capture takes 0.3 s at most", "convert", wall=0.3),
            ),
        ),
        Bench(
            "app",
            "app",
            "an app: 2,000 exchanges, TLS 1.3, HTTP/1.1 and HTTP/2, gzipped JSON",
            (
                Program("convert, traces", ours(traces=True)),
                Program("convert", ours()),
                old_traced,
                old,
                _TSHARK,
            ),
            (
                Demand("30 times faster than 1.1.0, with traces", "convert, traces", old_traced.name, faster=30),
                Demand("30 times faster than 1.1.0, without", "convert", old.name, faster=30),
                Demand("in a twentieth of its memory, with traces", "convert, traces", old_traced.name, memory=20),
                Demand("in a twentieth of its memory, without", "convert", old.name, memory=20),
                Demand("not slower than tshark", "convert", _TSHARK.name, faster=1),
            ),
        ),
        Bench(
            "bulk",
            "bulk",
            "1 GB of large downloads over TLS, 4 connections",
            (
                Program("convert", ours()),
                Program("convert --no-bodies", ours("--no-bodies")),
                Program("convert --jobs 2", ours("--jobs", "2")),
                _TSHARK,
                Program("limit", limit),
            ),
            (
                Demand("5 times faster than tshark with all bodies", "convert", _TSHARK.name, faster=5),
                Demand("8 times faster with --no-bodies", "convert --no-bodies", _TSHARK.name, faster=8),
                Demand("at most 16 times the limit", "convert", "limit", faster=1 / 16),
                Demand("at most 10 times the limit with --no-bodies", "convert --no-bodies", "limit", faster=1 / 10),
                Demand("under 150 MB", "convert", peak=150 * _MB),
                Demand("--jobs 2 takes at most 0.6 of the time", "convert --jobs 2", "convert", faster=1 / 0.6),
            ),
        ),
        Bench(
            "many",
            "many",
            "200,000 short connections, one exchange each",
            (
                Program("convert", ours()),
                Program("convert --jobs 2", ours("--jobs", "2")),
                _TSHARK,
            ),
            (
                Demand("3 times faster than tshark", "convert", _TSHARK.name, faster=3),
                Demand("under 300 MB", "convert", peak=300 * _MB),
                Demand("--jobs 2 takes at most 0.6 of the time", "convert --jobs 2", "convert", faster=1 / 0.6),
            ),
        ),
        Bench(
            "quic",
            "quic",
            "200 MB over HTTP/3",
            (Program("convert", ours()), _TSHARK),
            (
                Demand("faster than tshark", "convert", _TSHARK.name, faster=1),
                Demand("under 300 MB", "convert", peak=300 * _MB),
            ),
        ),
        Bench(
            "trace",
            "trace",
            "app, with a socket trace of 500 MB",
            (Program("convert, traces", ours(traces=True)),),
            (Demand("under 300 MB", "convert, traces", peak=300 * _MB),),
        ),
        Bench(
            "growth",
            "bulk",
            "twice the capture",
            (Program("half", ours()), Program("whole", ours())),
            (
                Demand("at most 2.1 times as long", "whole", "half", faster=1 / 2.1),
                Demand("in the same memory", "whole", "half", memory=0.9),
            ),
            scales=(0.5, 1.0),
        ),
    )
