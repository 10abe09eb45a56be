"""Digests and time stamps of an experiment's files, checked. The authority is OpenSSL's, made for the test."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pcapng_utils.evidence import Check, check_evidence, has_evidence
from tests.cli.making import experiment, har, run

OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")

TSA_CONFIG = """
[tsa]
default_tsa = ours
[ours]
serial = serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha1, sha256, sha512
ess_cert_id_alg = sha256
tsa_name = yes
"""


def metadata_of(path: Path, **changes: Any) -> Path:
    """What the collector writes beside a file."""
    data = path.read_bytes()
    digests = {name: hashlib.new(name, data).hexdigest() for name in ("md5", "sha1", "sha256", "sha512")}
    written = path.with_name(f"{path.name}.metadata.json")
    content = {"filename": path.name, "size": len(data), "resolved_type": "application/json", **digests, **changes}
    written.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))
    return written


def file_of(folder: Path, content: bytes = b"captured") -> Path:
    path = folder / "traffic.pcap"
    path.write_bytes(content)
    return path


def test_a_file_that_has_its_digests_matches(tmp_path: Path) -> None:
    metadata_of(file_of(tmp_path))
    details = {"digests": "sha512, sha256"}
    assert check_evidence(tmp_path) == [Check("traffic.pcap", "traffic.pcap.metadata.json", "matches", details)]
    assert has_evidence(tmp_path)


@pytest.mark.parametrize(
    ("changes", "result"),
    [
        ({"sha512": "00"}, "differs"),
        ({"sha256": "00"}, "differs"),
        ({"sha512": None}, "matches"),
        ({"sha512": None, "sha256": None}, "matches"),
        ({"sha512": None, "sha256": None, "sha1": "00"}, "differs"),
        ({"sha512": None, "sha256": None, "sha1": None, "md5": None}, "unreadable"),
        ({"sha256": 5}, "unreadable"),
    ],
)
def test_one_digest_that_differs_is_enough(tmp_path: Path, changes: dict[str, Any], result: str) -> None:
    metadata_of(file_of(tmp_path), **changes)
    assert [check.result for check in check_evidence(tmp_path)] == [result]


def test_a_file_that_is_gone_is_missing(tmp_path: Path) -> None:
    path = file_of(tmp_path)
    metadata_of(path)
    path.unlink()
    assert [(check.file, check.result) for check in check_evidence(tmp_path)] == [("traffic.pcap", "missing")]


@pytest.mark.parametrize("content", [b"", b"no json", b"[]", b"\xff", b"{" * 100_000, b" " * (2 << 20)])
def test_metadata_that_cannot_be_read_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.metadata.json").write_bytes(content)
    (check,) = check_evidence(tmp_path)
    assert (check.file, check.result) == ("x", "unreadable") and check.details["detail"]


def test_a_list_of_digests_is_checked_line_by_line(tmp_path: Path) -> None:
    digest = hashlib.sha512(file_of(tmp_path).read_bytes()).hexdigest()
    (tmp_path / "a name").write_bytes(b"other")
    lines = [f"traffic.pcap {digest}", f"a name {digest}", f"gone {digest}", f"../etc/passwd {digest}", "nothing"]
    (tmp_path / "hashes.txt").write_text("\n".join(lines))
    assert [(check.file, check.result) for check in check_evidence(tmp_path)] == [
        ("traffic.pcap", "matches"),
        ("a name", "differs"),
        ("gone", "missing"),
        (lines[3], "unreadable"),
        (lines[4], "unreadable"),
    ]


class Authority:
    """A time-stamping authority with a root certificate of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.root = folder / "lab_cacert.pem"
        (folder / "tsa.cnf").write_text(TSA_CONFIG)
        (folder / "serial").write_text("01\n")
        (folder / "usage").write_text("extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n")
        new_key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
        self._run(f"req -x509 {new_key} -keyout ca.key -out lab_cacert.pem -days 3650 -subj /CN=Root")
        self._run(f"req {new_key} -keyout tsa.key -out tsa.csr -subj /O=Lab/CN=Stamps")
        signed = "-CA lab_cacert.pem -CAkey ca.key -CAcreateserial -days 3650 -extfile usage"
        self._run(f"x509 -req -in tsa.csr {signed} -out tsa.crt")

    def stamp(self, path: Path, digest: str = "sha512") -> Path:
        """Write a file's time stamp beside it."""
        stamped = path.with_name(f"{path.name}.tsr")
        self._run(f"ts -query -data {path} -no_nonce -{digest} -cert -out query")
        self._run(f"ts -reply -config tsa.cnf -queryfile query -signer tsa.crt -inkey tsa.key -out {stamped}")
        return stamped

    def _run(self, arguments: str) -> None:
        subprocess.run(["openssl", *arguments.split()], cwd=self._folder, check=True, capture_output=True)


@pytest.fixture
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@needs_openssl
@pytest.mark.parametrize("digest", ["sha512", "sha256"])
def test_a_time_stamp_tells_when_who_and_that_the_signature_holds(
    tmp_path: Path, authority: Authority, digest: str
) -> None:
    authority.stamp(file_of(tmp_path), digest)
    shutil.copy(authority.root, tmp_path)
    (check,) = check_evidence(tmp_path)
    assert (check.file, check.by, check.result) == ("traffic.pcap", "traffic.pcap.tsr", "matches")
    assert check.details["digests"] == digest
    assert check.details["authority"] == "CN=Stamps,O=Lab"
    assert check.details["signature"] == "valid, by lab_cacert.pem"
    assert check.details["time"].endswith("+00:00")


@needs_openssl
def test_a_time_stamp_of_another_file_differs(tmp_path: Path, authority: Authority) -> None:
    path = file_of(tmp_path)
    authority.stamp(path)
    path.write_bytes(b"changed since")
    (check,) = check_evidence(tmp_path)
    assert check.result == "differs"
    assert check.details["signature"].startswith("not checked")


@needs_openssl
def test_a_signature_that_leads_elsewhere_is_not_valid(
    tmp_path: Path, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> None:
    authority.stamp(file_of(tmp_path))
    shutil.copy(Authority(tmp_path_factory.mktemp("other")).root, tmp_path / "other_cacert.pem")
    (tmp_path / "broken_cacert.pem").write_text("no certificate")
    (check,) = check_evidence(tmp_path)
    assert check.result == "matches"
    assert check.details["signature"] == "not valid by broken_cacert.pem, other_cacert.pem"


@needs_openssl
def test_time_stamps_that_are_damaged_are_said_to_be(tmp_path: Path, authority: Authority) -> None:
    path = file_of(tmp_path)
    shutil.copy(authority.root, tmp_path)
    whole = authority.stamp(path).read_bytes()
    (undamaged,) = check_evidence(tmp_path)
    for at in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[at] ^= 0x41
        for content in (bytes(damaged), whole[:at]):
            path.with_name("traffic.pcap.tsr").write_bytes(content)
            (check,) = check_evidence(tmp_path)
            if check.result == "matches" and check.details["signature"].startswith("valid"):
                # Damaged where nothing is signed, it says what it said before.
                assert check == undamaged


@needs_openssl
def test_a_folders_list_may_be_stamped(tmp_path: Path, authority: Authority) -> None:
    digest = hashlib.sha512(file_of(tmp_path).read_bytes()).hexdigest()
    (tmp_path / "hashes.txt").write_text(f"traffic.pcap {digest}\n")
    authority.stamp(tmp_path / "hashes.txt")
    assert [(check.by, check.result) for check in check_evidence(tmp_path)] == [
        ("hashes.txt", "matches"),
        ("hashes.txt.tsr", "matches"),
    ]


def test_the_command_reports_what_was_found(tmp_path: Path) -> None:
    folder = experiment(tmp_path / "experiment")
    metadata_of(folder / "traffic.pcap")
    metadata_of(folder / "socket_trace.json", sha256="00")
    done = run("convert", folder)
    assert done.returncode == 0
    assert b"Evidence     1 of 2 digests and time stamps match; socket_trace.json: differs" in done.stderr
    log = har(folder / "traffic.har")["log"]
    assert [(row["file"], row["result"]) for row in log["creator"]["_metadata"]["evidence"]] == [
        ("socket_trace.json", "differs"),
        ("traffic.pcap", "matches"),
    ]
    assert "evidence-differs" in {row["kind"] for row in log["_problems"]}


def test_without_evidence_nothing_is_said(tmp_path: Path) -> None:
    folder = experiment(tmp_path / "experiment")
    done = run("convert", folder)
    assert b"Evidence" not in done.stderr
    assert "evidence" not in har(folder / "traffic.har")["log"]["creator"]["_metadata"]
