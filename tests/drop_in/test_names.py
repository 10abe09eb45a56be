"""Names of pcapng-utils 1.1 that others import."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from pcapng_utils.har.pirogue_enrichment import ContentDecryption, Stacktrace
from pcapng_utils.har.pirogue_enrichment.base import ENRICHMENT_KEY, HASH_ALGO
from pcapng_utils.payload import HARPayloadDict, Payload
from pcapng_utils.pcapng_to_har import (
    PIROGUE_CRYPTO_TRACES_FNAME,
    PIROGUE_SOCKET_TRACES_FNAME,
    PcapngToHar,
    enrich_har_with_io,
)
from pcapng_utils.tshark import NetworkTrafficDump, Tshark
from pcapng_utils.tshark.wrapper import Tshark as Wrapped
from tests.cli.making import entries, experiment

LOGGER = logging.getLogger(__name__)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return experiment(tmp_path / "experiment")


def test_constants_are_what_they_were() -> None:
    assert (PIROGUE_SOCKET_TRACES_FNAME, PIROGUE_CRYPTO_TRACES_FNAME) == ("socket_trace.json", "aes_info.json")
    assert (ENRICHMENT_KEY, HASH_ALGO) == ("enrichment_files_sha1", "sha1")
    assert Wrapped is Tshark
    body: HARPayloadDict = Payload(b"x").to_har_dict()
    assert body == {"size": 1, "text": "x"}


def test_the_command_is_an_object(folder: Path, tmp_path: Path) -> None:
    PcapngToHar(folder, tmp_path / "a.har", socket_operations_file="", ensure_ascii=True).run(indent=1)
    text = (tmp_path / "a.har").read_bytes()
    assert text.isascii() and text.startswith(b'{\n "log"')
    assert "_stacktrace" not in entries(tmp_path / "a.har")[0]["request"]
    with pytest.raises(FileExistsError):
        PcapngToHar(folder, tmp_path / "a.har").run()
    PcapngToHar(folder, tmp_path / "a.har", force=True).run()
    assert "_stacktrace" in entries(tmp_path / "a.har")[0]["request"]


def test_traffic_becomes_a_har_and_is_enriched_step_by_step(folder: Path) -> None:
    dump = NetworkTrafficDump(Tshark(hash_algo="sha256").load_traffic(folder / "traffic.pcap"))
    dump.parse_traffic()
    har: dict[str, Any] = dump.to_har()
    assert len(har["log"]["creator"]["_metadata"]["input_sha256"]) == 64
    (entry,) = har["log"]["entries"]
    assert "_stacktrace" not in entry["request"]
    for enricher, name in ((Stacktrace, "socket_trace.json"), (ContentDecryption, "aes_info.json")):
        assert enrich_har_with_io(har, enricher, folder, None, name, LOGGER)
    assert entry["request"]["_stacktrace"]["compact"] == ["org.example.Tracker"]
    json.dumps(har)


@pytest.mark.parametrize("named", ["", False, None])
def test_an_enrichment_that_is_not_there_or_not_wanted_is_none(tmp_path: Path, named: Any) -> None:
    assert not enrich_har_with_io({"log": {}}, ContentDecryption, tmp_path, named, "aes_info.json", LOGGER)


def test_an_enrichment_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        enrich_har_with_io({"log": {}}, ContentDecryption, tmp_path, tmp_path / "none.json", "aes_info.json", LOGGER)
