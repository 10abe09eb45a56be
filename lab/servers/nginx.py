"""nginx, in a process of its own, with files to serve."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

from lab.certificates import Authority, Identity
from lab.network import Host
from lab.servers.process import running

_CONFIGURATION = """
daemon off; master_process off; pid {work}/nginx.pid; error_log stderr; worker_processes 1;
events {{ }}
http {{
  access_log off; client_body_temp_path {work}/nginx-body; proxy_temp_path {work}/nginx-proxy;
  fastcgi_temp_path {work}/nginx-fastcgi; uwsgi_temp_path {work}/nginx-uwsgi; scgi_temp_path {work}/nginx-scgi;
  types {{ text/html html; text/plain txt; application/json json; application/octet-stream bin; }}
  gzip on; gzip_min_length 100; gzip_types text/plain application/json; gzip_vary on; root {files};
  server {{
    listen {address}:80; listen {address}:443 ssl http2;
    ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3;
    location /secret/ {{ auth_basic "lab"; auth_basic_user_file {files}/users; }}
    location /moved {{ return 301 /plain.txt; }}
  }}
  server {{
    listen {address}:8443 ssl;
    ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.2;
    ssl_client_certificate {authority}; ssl_verify_client on;
  }}
}}
"""


@contextlib.contextmanager
def nginx(
    host: Host, address: str, identity: Identity, authority: Authority, work: Path, files: Path
) -> Iterator[None]:
    """Serves `files` at `address`: ports 80, 443 (HTTP/2 too), and 8443, which asks for a client certificate."""
    configuration = work / "nginx.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            work=work,
            files=files,
            address=address,
            certificate=identity.certificate,
            key=identity.key,
            authority=authority.certificate,
        )
    )
    listening = [(address, port) for port in (80, 443, 8443)]
    command = ["nginx", "-p", str(work), "-c", str(configuration)]
    with running(host, command, work / "nginx.log", listening, stop=signal.SIGQUIT):
        yield
