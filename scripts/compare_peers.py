"""Hold our exchanges against those of pcapng-utils 1.1 and of tshark, for every capture below a folder.

    python scripts/compare_peers.py --peer ENV/bin/pcapng_to_har [--corpus DIR] [--cache DIR] [NAME ...]

Printed, for each capture: what pcapng-utils 1.1 finds (method, URL, status, SHA-1 of the decoded response body) and we
lack; and what we find in frames in which neither it nor tshark shows any HTTP. Both are looked up in the tables of
docs/public-captures.md, and marked "known" if they stand there. Exit code 1 if one does not, or if a conversion failed.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pcapng_utils.har.text import charset_of

ROOT = Path(__file__).resolve().parent.parent
SUFFIXES = {".pcap", ".pcapng"}
HTTP = "http || http2 || http3"


class Exchange(NamedTuple):
    method: str
    url: str
    status: int
    body_sha1: str


class Finding(NamedTuple):
    """One of our exchanges, and the packets that carried it."""

    exchange: Exchange
    frames: frozenset[int]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", default="pcapng_to_har", help="the command of pcapng-utils 1.1")
    parser.add_argument("--corpus", type=Path, default=default_corpus())
    parser.add_argument("--cache", type=Path, default=ROOT / "out" / "peers", help="where the peers' results are kept")
    parser.add_argument("names", nargs="*", help="parts of names of captures; default: all")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    known = (ROOT / "docs" / "public-captures.md").read_text()
    totals: Counter[str] = Counter()
    for capture in captures(arguments.corpus, arguments.names):
        name = str(capture.relative_to(arguments.corpus))
        for kind, text, key in compare(capture, arguments.peer, arguments.cache / name.replace("/", "_"), totals):
            listed = f"`{capture.name}`" in known and key in known
            totals[f"{kind} ({'known' if listed else 'UNKNOWN'})"] += 1
            print(f"{'known  ' if listed else 'UNKNOWN'} {kind:<8} {name}: {text}", flush=True)
    print("; ".join(f"{count} {what}" for what, count in sorted(totals.items())))
    return 1 if any("UNKNOWN" in what for what in totals) else 0


def default_corpus() -> Path:
    return Path(os.environ.get("PCAPNG_UTILS_CORPUS", ROOT / "../shared/captures")).resolve()


def captures(corpus: Path, names: list[str]) -> Iterator[Path]:
    for path in sorted(corpus.rglob("*")):
        if path.suffix in SUFFIXES and (not names or any(name in path.name for name in names)):
            yield path


def compare(capture: Path, peer: str, cache: Path, totals: Counter[str]) -> Iterator[tuple[str, str, str]]:
    """Kind of difference, a text, and what must stand in the documentation for it to be known."""
    ours, error = our_findings(capture)
    if error:
        yield "failed", error, error
    theirs = peer_exchanges(capture, peer, cache)
    totals["exchanges of pcapng-utils 1.1"] += sum(theirs.values())
    totals["exchanges of ours"] += len(ours)
    lacking = theirs - Counter(finding.exchange for finding in ours)
    for exchange, count in lacking.items():
        yield "lacking", f"{count} of {tuple(exchange)}", exchange.url
    more = Counter(finding.exchange for finding in ours) - theirs
    if more:
        shown = tshark_frames(capture, cache)
        for finding in ours:
            if more[finding.exchange] > 0 and not finding.frames & shown:
                frames = ", ".join(map(str, sorted(finding.frames)[:5]))
                yield "added", f"{tuple(finding.exchange)} in frames {frames}", f"frames {frames}"


def keylog_beside(capture: Path) -> Path | None:
    path = capture.with_suffix(".keys.txt")
    return path if path.exists() else None


def our_findings(capture: Path) -> tuple[list[Finding], str]:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "ours.har"
        command = [sys.executable, "-m", "pcapng_utils", "convert", str(capture), "-o", str(output), "--quiet"]
        keylog = keylog_beside(capture)
        if keylog is not None:
            command += ["-k", str(keylog)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if not output.exists():
            clear = result.returncode == 1 and "Traceback" not in result.stderr
            return [], "" if clear else result.stderr.strip()[-300:]
        entries = json.loads(output.read_bytes())["log"]["entries"]
    return [Finding(exchange_of(entry), frames_of(entry)) for entry in entries], ""


def peer_exchanges(capture: Path, peer: str, cache: Path) -> Counter[Exchange]:
    output = Path(f"{cache}.har")
    if not output.exists():
        source = with_secrets(capture, cache)
        subprocess.run([peer, "-i", source, "-o", output, "-f"], capture_output=True, check=False, timeout=600)
        if not output.exists():
            output.write_text('{"log": {"entries": []}}')
    return Counter(exchange_of(entry) for entry in json.loads(output.read_bytes())["log"]["entries"])


def with_secrets(capture: Path, cache: Path) -> Path:
    """The capture with the secrets that lie beside it inside: the peers read them from nowhere else."""
    keylog = keylog_beside(capture)
    if keylog is None:
        return capture
    combined = Path(f"{cache}.with-secrets.pcapng")
    editcap = shutil.which("editcap") or "editcap"
    subprocess.run([editcap, "--inject-secrets", f"tls,{keylog}", capture, combined], check=True)
    return combined


def tshark_frames(capture: Path, cache: Path) -> set[int]:
    output = Path(f"{cache}.frames")
    if not output.exists():
        tshark = shutil.which("tshark") or "tshark"
        command = [tshark, "-r", str(with_secrets(capture, cache)), "-o", "tcp.reassemble_out_of_order:TRUE"]
        command += ["-Y", HTTP, "-T", "fields", "-e", "frame.number"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        output.write_text(result.stdout)
    return {int(line) for line in output.read_text().split()}


def exchange_of(entry: dict[str, Any]) -> Exchange:
    request, response = entry["request"], entry["response"]
    return Exchange(request["method"], request["url"], response["status"], body_sha1(response["content"]))


def frames_of(entry: dict[str, Any]) -> frozenset[int]:
    return frozenset((*entry["request"]["_rawFramesNumbers"], *entry["response"]["_rawFramesNumbers"]))


def body_sha1(content: dict[str, Any]) -> str:
    text = content.get("text") or ""
    if content.get("encoding") == "base64":
        data = base64.b64decode(text)
    else:
        data = text.encode(charset_of(content.get("mimeType", "")), "surrogatepass")
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
