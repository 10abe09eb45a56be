"""A private network of two machines: the "phone" and the "internet", each a network namespace, joined by a veth pair.

Strategy: nothing outside the two namespaces is touched, so nothing has to be put back but the namespaces themselves,
which vanish with all that is in them. A thread steps into a namespace (`Host.entered`); the sockets it opens, the
threads and the processes it starts there belong to that machine. The link has an MTU of 1500 and no offloads, so a
capture holds packets as a phone's would be, not the 64 KB ones that a kernel hands to itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import re
import secrets
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.children import bound
from lab.relay import Impairment

PHONE_ADDRESS: Final = "10.77.0.2"
SERVER_ADDRESSES: Final = tuple(f"10.77.1.{number}" for number in range(1, 9))
PHONE_ADDRESS_6: Final = "fd77::2"
SERVER_ADDRESSES_6: Final = tuple(f"fd77::1:{number}" for number in range(1, 9))
INTERFACE: Final = "eth0"
MTU: Final = 1500

_PHONE_SIDE: Final = "phone"
_INTERNET_SIDE: Final = "internet"

_CLONE_NEWNET: Final = 0x40000000
_SIOCETHTOOL: Final = 0x8946
_OFFLOADS: Final = {"tso": 0x1F, "gso": 0x24, "gro": 0x2C, "tx-checksum": 0x17, "rx-checksum": 0x15, "sg": 0x19}
"""ETHTOOL_S... commands of <linux/ethtool.h>."""


class LabUnavailableError(RuntimeError):
    """This machine cannot hold the lab: the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Host:
    """One machine of the lab."""

    namespace: str
    addresses: tuple[str, ...]
    addresses_6: tuple[str, ...]

    @property
    def address(self) -> str:
        return self.addresses[0]

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """The calling thread is on this machine: so are the sockets, threads and processes it makes inside the
        block."""
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            there = os.open(f"/run/netns/{self.namespace}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                _set_namespace(there)
            finally:
                os.close(there)
            try:
                yield
            finally:
                _set_namespace(here)
        finally:
            os.close(here)

    def free_port(self, kind: int = socket.SOCK_STREAM) -> int:
        """A port on which nothing listens on this machine."""
        with self.entered(), socket.socket(socket.AF_INET, kind) as probe:
            probe.bind(("0.0.0.0", 0))  # noqa: S104 - all addresses of a namespace of our own
            port: int = probe.getsockname()[1]
            return port


@dataclass(frozen=True, slots=True)
class Network:
    phone: Host
    internet: Host


def why_unavailable() -> str | None:
    """The reason why this machine cannot hold the lab, or None if it can."""
    for tool in ("ip", "tcpdump", "setpriv"):
        if shutil.which(tool) is None:
            return f"the lab needs the command {tool!r}, not installed (apt-get install iproute2 tcpdump util-linux)"
    probe = f"lab-{os.getpid()}-probe"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"the lab needs network namespaces, which are not permitted here: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "delete", probe], check=False)
    return None


@contextlib.contextmanager
def network(impairment: Impairment | None = None) -> Iterator[Network]:
    """Both machines, up and joined, as long as the block lasts; with a bad link between them if one is asked for.

    Raises LabUnavailableError where network namespaces are not permitted.
    """
    _remove_orphans()
    tag = f"lab-{os.getpid()}-{secrets.token_hex(2)}"
    phone = Host(f"{tag}-phone", (PHONE_ADDRESS,), (PHONE_ADDRESS_6,))
    internet = Host(f"{tag}-net", SERVER_ADDRESSES, SERVER_ADDRESSES_6)
    with contextlib.ExitStack() as stack:
        for host in (phone, internet):
            stack.enter_context(_namespace(host))
        if impairment is None:
            _link((phone, INTERFACE), (internet, INTERFACE))
        else:
            middle = stack.enter_context(_namespace(Host(f"{tag}-relay", (), ())))
            _link((phone, INTERFACE), (middle, _PHONE_SIDE))
            _link((internet, INTERFACE), (middle, _INTERNET_SIDE))
            stack.enter_context(_relay(middle, impairment))
        yield Network(phone, internet)


@contextlib.contextmanager
def _namespace(host: Host) -> Iterator[Host]:
    _ip("netns", "add", host.namespace)
    try:
        with host.entered():
            _silence_kernel()
        yield host
    finally:
        subprocess.run(["ip", "netns", "delete", host.namespace], check=False, capture_output=True)


def _link(*ends: tuple[Host, str]) -> None:
    """A cable between two machines."""
    (one, name), (other, peer) = ends
    _ip(
        *("link", "add", name, "netns", one.namespace, "type", "veth"),
        *("peer", "name", peer, "netns", other.namespace),
    )
    for host, interface in ends:
        _bring_up(host, interface)


@contextlib.contextmanager
def _relay(middle: Host, impairment: Impairment) -> Iterator[None]:
    command = [sys.executable, "-m", "lab.relay", _PHONE_SIDE, _INTERNET_SIDE, impairment.arguments()]
    with middle.entered():
        program = subprocess.Popen(
            bound(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]
        )
    try:
        if program.stdout is None or not program.stdout.readline():
            raise LabUnavailableError("the lab's relay did not start")
        yield
    finally:
        program.kill()
        program.communicate()


def _remove_orphans() -> None:
    """Remove the namespaces of lab processes that were killed before they could."""
    for path in Path("/run/netns").glob("lab-*"):
        owner = re.match(r"lab-(\d+)-", path.name)
        if owner and not Path(f"/proc/{owner[1]}").exists():
            subprocess.run(["ip", "netns", "delete", path.name], check=False, capture_output=True)


def _bring_up(host: Host, interface: str) -> None:
    with host.entered():
        _switch_offloads_off(interface)
    for address in host.addresses:
        _ip("-n", host.namespace, "address", "add", f"{address}/16", "dev", interface)
    for address in host.addresses_6:
        _ip("-n", host.namespace, "address", "add", f"{address}/64", "dev", interface, "nodad")
    _ip("-n", host.namespace, "link", "set", interface, "mtu", str(MTU), "up")
    _ip("-n", host.namespace, "link", "set", "lo", "up")


def _silence_kernel() -> None:
    """No router solicitations and the like: they would be packets that no one meant to send."""
    conf = Path("/proc/sys/net/ipv6/conf/default")
    for setting in ("accept_ra", "router_solicitations", "accept_dad", "autoconf"):
        (conf / setting).write_text("0")
    (conf / "addr_gen_mode").write_text("1")


def _switch_offloads_off(interface: str) -> None:
    """As `ethtool -K eth0 tso off gso off ...` does (SIOCETHTOOL with a struct ethtool_value)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in _OFFLOADS.values():
            value = ctypes.create_string_buffer(struct.pack("II", command, 0))
            request = struct.pack("16sP16x", interface.encode(), ctypes.addressof(value))
            fcntl.ioctl(control, _SIOCETHTOOL, request)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabUnavailableError(f"`ip {' '.join(arguments)}` failed: {done.stderr.strip()}")


def _set_namespace(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, f"setns: {os.strerror(error)}")
