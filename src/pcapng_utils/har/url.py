"""The URL a client meant (RFC 9110, section 7.1), rebuilt from the request and what is known of its connection."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urljoin

from pcapng_utils.har.text import header_text
from pcapng_utils.http.exchange import Request, Response
from pcapng_utils.net.flow import Endpoint

_ABSOLUTE = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def host_and_port(host: str, port: int, scheme: str) -> str:
    """An authority: IPv6 addresses in brackets, the scheme's default port left out."""
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if _DEFAULT_PORTS.get(scheme) == port else f"{bracketed}:{port}"


def request_url(request: Request | None, *, secure: bool, server: Endpoint, sni: str | None) -> str:
    """Absolute URL: scheme, authority, path and query as sent.

    Where the request names no authority, the TLS server name stands in, else the server's address.
    """
    scheme = "https" if secure else "http"
    fallback = host_and_port(sni or server.ip, server.port, scheme)
    if request is None:
        return f"{scheme}://{fallback}/"
    target = header_text(request.target)
    if _ABSOLUTE.match(target):
        return target
    authority = header_text(request.authority) or fallback
    if request.scheme:
        scheme = header_text(request.scheme)
    if request.method == b"CONNECT" and not request.scheme:
        return f"{scheme}://{target or authority}"
    if target == "*":
        return f"{scheme}://{authority}"
    separator = "" if not target or target.startswith(("/", "?")) else "/"
    return f"{scheme}://{authority}{separator}{target}"


def query_string(url: str) -> list[dict[str, str]]:
    """The query's parameters, percent-decoded, in order; one without "=" has an empty value."""
    query = url.partition("#")[0].partition("?")[2]
    return [{"name": name, "value": value} for name, value in _pairs(query)]


def form_params(text: str) -> list[dict[str, str]]:
    """Parameters of an application/x-www-form-urlencoded body."""
    return [{"name": name, "value": value} for name, value in _pairs(text)]


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, errors="replace")
    except ValueError:
        return []


def redirect_url(response: Response, url: str) -> str:
    """Where the response sends the client, absolute; empty if nowhere."""
    location = response.header(b"location") if 300 <= response.status < 400 else None
    if location is None:
        return ""
    try:
        return urljoin(url, header_text(location))
    except ValueError:
        return header_text(location)
