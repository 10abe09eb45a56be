"""Two small proxies in one process: HTTP (CONNECT, and absolute-form requests) and SOCKS5 (RFC 1928, 1929).

Names are resolved from a table; what they forward is not looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from lab.certificates import Identity
from lab.network import Host
from lab.servers.process import python, running

HTTP_PORT: Final = 3128
HTTPS_PORT: Final = 3129
SOCKS_PORT: Final = 1080

_READ_SIZE: Final = 1 << 16
_NO_AUTHENTICATION, _PASSWORD = 0, 2
_IPV4, _NAME, _IPV6 = 1, 3, 4


@contextlib.contextmanager
def proxies(
    host: Host, address: str, names: dict[str, str], identity: Identity, directory: Path, password: str = ""
) -> Iterator[None]:
    """Both run at `address` inside the block. `password`: what the SOCKS5 proxy asks for, with any user name."""
    settings = {
        "address": address,
        "names": names,
        "password": password,
        "identity": [str(identity.certificate), str(identity.key)],
    }
    listening = [(address, port) for port in (HTTP_PORT, HTTPS_PORT, SOCKS_PORT)]
    command = python("lab.servers.proxy", json.dumps(settings))
    with running(host, command, directory / "proxy.log", listening):
        yield


class _Proxy:
    def __init__(self, names: dict[str, str], password: str) -> None:
        self._names = names
        self._password = password

    async def http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        if method == "CONNECT":
            name, _, port = target.rpartition(":")
            upstream = await self._connect(name, int(port))
            writer.write(b"HTTP/1.1 200 Connection established\r\nX-Proxy: lab\r\n\r\n")
        else:
            url = urlsplit(target)
            upstream = await self._connect(url.hostname or "", url.port or 80)
            upstream[1].write(head)
        await _splice((reader, writer), upstream)

    async def socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        await reader.readexactly(count)
        if self._password:
            writer.write(bytes((5, _PASSWORD)))
            await reader.readexactly(1)
            for _ in range(2):
                await reader.readexactly((await reader.readexactly(1))[0])
            writer.write(b"\1\0")
        else:
            writer.write(bytes((5, _NO_AUTHENTICATION)))
        *_, kind = await reader.readexactly(4)
        if kind == _NAME:
            name = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            name = str(ipaddress.ip_address(await reader.readexactly(4 if kind == _IPV4 else 16)))
        port = int.from_bytes(await reader.readexactly(2))
        upstream = await self._connect(name, port)
        writer.write(b"\5\0\0\1" + bytes(6))
        await _splice((reader, writer), upstream)

    async def _connect(self, name: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._names.get(name, name.strip("[]")), port)


async def _splice(
    one: tuple[asyncio.StreamReader, asyncio.StreamWriter], other: tuple[asyncio.StreamReader, asyncio.StreamWriter]
) -> None:
    await asyncio.gather(_pump(one[0], other[1]), _pump(other[0], one[1]), return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_READ_SIZE):
        writer.write(data)
        await writer.drain()
    writer.close()


async def _main(settings: dict[str, str], names: dict[str, str], identity: list[str]) -> None:
    proxy = _Proxy(names, settings["password"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*identity)
    servers = [
        await asyncio.start_server(proxy.http, settings["address"], HTTP_PORT),
        await asyncio.start_server(proxy.http, settings["address"], HTTPS_PORT, ssl=context),
        await asyncio.start_server(proxy.socks, settings["address"], SOCKS_PORT),
    ]
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    asyncio.run(_main(given, given["names"], given["identity"]))
