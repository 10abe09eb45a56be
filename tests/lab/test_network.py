"""The lab's machines, its captures and its bad network."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lab.capture import Format, capture
from lab.network import MTU, Network, network
from lab.relay import Impairment
from pcapng_utils.capture.events import PacketBatch
from pcapng_utils.capture.reader import CaptureReader
from tests.lab.needs import network_allowed

pytestmark = network_allowed

ETHERNET_HEADER = 14
ROOT = Path(__file__).parents[2]
HERE = Path("/proc/thread-self/ns/net")


def namespaces() -> list[Path]:
    return list(Path("/run/netns").glob(f"lab-{os.getpid()}-*"))


def transfer(net: Network, data: bytes) -> bytes:
    """What arrives at the phone of what the internet sends it over TCP."""
    with net.internet.entered():
        listener = socket.create_server((net.internet.address, 80))

    def serve() -> None:
        with listener.accept()[0] as connection:
            connection.sendall(data)

    server = threading.Thread(target=serve)
    server.start()
    with net.phone.entered():
        client = socket.create_connection((net.internet.address, 80))
    received = b""
    with listener, client:
        while part := client.recv(1 << 16):
            received += part
    server.join()
    return received


def packets(path: Path) -> list[bytes]:
    found = []
    with path.open("rb") as file:
        for event in CaptureReader(file, path.name):
            if isinstance(event, PacketBatch):
                found += [event.data[packet[2] : packet[3]] for packet in event.packets]
    return found


def segments_to_phone(path: Path) -> list[tuple[int, int]]:
    """What port 80 sent: the sequence numbers behind the first, and their sizes."""
    found = []
    for packet in packets(path):
        if packet[12:14] == b"\x08\x00" and packet[23] == socket.IPPROTO_TCP:
            tcp = ETHERNET_HEADER + 20
            if struct.unpack_from("!H", packet, tcp)[0] == 80:
                size = int.from_bytes(packet[16:18]) - 20 - (packet[tcp + 12] >> 4) * 4
                found.append((struct.unpack_from("!I", packet, tcp + 4)[0], size))
    first = found[0][0] + 1
    return [((sequence - first) % (1 << 32), size) for sequence, size in found if size]


def sent(path: Path) -> int:
    """Bytes of payload to the phone, repeated ones counted."""
    return sum(size for _, size in segments_to_phone(path))


def covered(path: Path) -> int:
    """Bytes of the stream to the phone, whatever a busy machine made TCP send twice."""
    total = end = 0
    for begin, size in sorted(segments_to_phone(path)):
        total += max(0, begin + size - max(begin, end))
        end = max(end, begin + size)
    return total


@pytest.mark.parametrize("form", ["pcap", "pcap-ns", "pcapng"])
def test_a_capture_holds_every_byte_in_packets_as_small_as_a_phones(tmp_path: Path, form: Format) -> None:
    data = bytes(range(256)) * 2000
    with network() as net, capture(net, tmp_path / "capture", form):
        assert transfer(net, data) == data
    sizes = [len(packet) for packet in packets(tmp_path / "capture")]
    assert max(sizes) == MTU + ETHERNET_HEADER
    assert covered(tmp_path / "capture") == len(data)


def test_a_capture_begins_with_the_first_packet_and_ends_with_the_last(tmp_path: Path) -> None:
    """Twenty times, since what is missed is missed by chance."""
    with network() as net:
        for number in range(20):
            path = tmp_path / str(number)
            with capture(net, path):
                assert transfer(net, b"x") == b"x"
            flags = [packet[47] for packet in packets(path) if packet[12:14] == b"\x08\x00"]
            assert flags[0] == 0x02, "the SYN"
            assert sum(flag & 1 for flag in flags) == 2, "both FINs"


def test_nothing_stays_behind_when_the_block_is_left_by_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), network(Impairment()):
        assert len(namespaces()) == 3
        raise ZeroDivisionError
    assert not namespaces()


def test_a_thread_is_on_a_machine_only_inside_the_block() -> None:
    here = HERE.stat().st_ino
    with network() as net:
        with net.phone.entered():
            assert HERE.stat().st_ino != here
        assert HERE.stat().st_ino == here


def test_a_bad_network_loses_and_repeats_and_tcp_repairs_it(tmp_path: Path) -> None:
    data = bytes(range(256)) * 1000
    with network(Impairment(loss=0.03, duplicate=0.05, reorder=0.1, seed=4)) as net, capture(net, tmp_path / "capture"):
        assert transfer(net, data) == data
    assert sent(tmp_path / "capture") > len(data)


ENDLESS = """
import sys, time
from pathlib import Path
from lab.capture import capture
from lab.network import network
from lab.relay import Impairment
with network(Impairment()) as net, capture(net, Path(sys.argv[1])):
    print("running", flush=True)
    time.sleep(60)
"""


def running(marker: str) -> list[int]:
    """Processes whose command holds `marker`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if marker in path.read_text(errors="replace"):
                found.append(int(path.parent.name))
    return found


def test_nothing_runs_on_when_the_lab_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    with subprocess.Popen([sys.executable, "-c", ENDLESS, str(path)], stdout=subprocess.PIPE, cwd=ROOT) as lab:
        assert lab.stdout is not None
        assert lab.stdout.readline() == b"running\n"
        assert len(running(str(path))) == 2, "the lab and tcpdump"
        lab.kill()
    for _ in range(100):
        if not running(str(path)):
            break
        time.sleep(0.05)
    assert running(str(path)) == []
    with network():
        assert not list(Path("/run/netns").glob(f"lab-{lab.pid}-*")), "the next lab removes the network"
