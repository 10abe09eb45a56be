"""A PiRogue's folder (spec: the files of an experiment), out of a recording and a distortion."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from lab.edit import Capture
from lab.experiment.app import CipherCall
from lab.experiment.distortion import PID, PROCESS, Distortion, Trace, distort
from lab.experiment.plan import IDENTIFIERS
from lab.experiment.recording import Recording

_MS: Final = 1_000_000
_START_UP: Final = 2.9
"""Seconds that the tools took to start: the PiRogue reads both start times from one clock, its own."""


def write_experiment(
    recording: Recording, directory: Path, distortion: Distortion | None = None, seed: int = 0
) -> Trace:
    """Make `directory` the experiment that a PiRogue would have left. Its `truth.json` is the recording's;
    `trace_truth.json` says, for each record of `socket_trace.json`, which true call it is, and for each part of each
    message its records."""
    directory.mkdir(parents=True, exist_ok=True)
    distortion = distortion or Distortion()
    trace = distort(recording, distortion, seed)
    if distortion.capture_loss:
        Capture.read(recording.capture).lossy(distortion.capture_loss, seed).write(directory / "traffic.pcap")
    else:
        shutil.copyfile(recording.capture, directory / "traffic.pcap")
    shutil.copyfile(recording.keylog, directory / "sslkeylog.txt")
    with (directory / "socket_trace.json").open("w", encoding="utf-8") as file:
        file.write("[")
        for number, record in enumerate(trace.records):
            file.write((",\n" if number else "") + json.dumps(record, separators=(",", ":")))
        file.write("]\n")
    clock = distortion.offset
    _dump(directory / "aes_info.json", [_cipher_record(call, clock) for call in recording.cipher_calls])
    device = {"ro.product.model": "Pixel 6", "ro.build.version.sdk": "33"}
    device |= {name: IDENTIFIERS[name] for name in ("android_id", "imei")}
    _dump(directory / "device.json", device)
    (directory / "ad_ids.txt").write_text(IDENTIFIERS["advertising_id"] + "\n")
    _dump(directory / "experiment.json", _experiment(recording.started))
    recording.truth.save(directory / "truth.json")
    carriers = [[label.exchange, label.part, places] for label, places in sorted(trace.carriers.items())]
    facts = {"distortion": asdict(distortion), "seed": seed, "source": trace.source, "carriers": carriers}
    (directory / "trace_truth.json").write_text(json.dumps(facts, separators=(",", ":")) + "\n")
    return trace


def _experiment(started: int) -> dict[str, Any]:
    network = started / _MS
    return {
        "network": {"start_capture_time": network, "file": "traffic.pcap"},
        "device": {"start_capture_time": network - _START_UP * 1000, "file": "device.json"},
        "socket_traces": {"file": "socket_trace.json"},
        "crypto_traces": {"file": "aes_info.json"},
        "sslkeylog": {"file": "sslkeylog.txt"},
    }


def _cipher_record(call: CipherCall, offset: float) -> dict[str, Any]:
    return {
        "type": "aes_info_log",
        "dump": "aes_info.json",
        "data_type": "json",
        "pid": PID,
        "process": PROCESS,
        "timestamp": call.time // _MS + round(offset * 1000),
        "data": {
            "iv": call.iv.hex(),
            "alg": call.algorithm,
            "in": call.given.hex(),
            "out": call.result.hex(),
            "key": call.key.hex(),
        },
    }


def _dump(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
