"""Cookie and Set-Cookie headers as HAR's cookie objects (RFC 6265, sections 4.2.1 and 5.2)."""

from __future__ import annotations

from typing import Any

from pcapng_utils.har.cookie_date import cookie_date
from pcapng_utils.har.text import header_text
from pcapng_utils.http.exchange import Message


def request_cookies(message: Message) -> list[dict[str, Any]]:
    """Name and value of each cookie sent; HTTP/2 and 3 may spread them over several headers."""
    pairs = (
        pair for name, value in message.headers if name.lower() == b"cookie" for pair in header_text(value).split(";")
    )
    return [_pair(pair) for pair in pairs if pair.strip()]


def response_cookies(message: Message) -> list[dict[str, Any]]:
    """Each Set-Cookie header with the attributes that HAR knows."""
    return [_set_cookie(header_text(value)) for name, value in message.headers if name.lower() == b"set-cookie"]


def _pair(text: str) -> dict[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        name, value = "", name
    return {"name": name.strip(), "value": value.strip()}


def _set_cookie(text: str) -> dict[str, Any]:
    pair, *attributes = text.split(";")
    cookie = _pair(pair)
    for attribute in attributes:
        name, _, value = attribute.partition("=")
        _ATTRIBUTES.get(name.strip().lower(), _ignore)(cookie, value.strip())
    return cookie


def _ignore(cookie: dict[str, Any], value: str) -> None:
    pass


def _path(cookie: dict[str, Any], value: str) -> None:
    cookie["path"] = value


def _domain(cookie: dict[str, Any], value: str) -> None:
    cookie["domain"] = value


def _expires(cookie: dict[str, Any], value: str) -> None:
    date = cookie_date(value)
    if date is not None:
        cookie["expires"] = date.isoformat()


def _http_only(cookie: dict[str, Any], value: str) -> None:
    cookie["httpOnly"] = True


def _secure(cookie: dict[str, Any], value: str) -> None:
    cookie["secure"] = True


def _same_site(cookie: dict[str, Any], value: str) -> None:
    cookie["sameSite"] = value


_ATTRIBUTES = {
    "path": _path,
    "domain": _domain,
    "expires": _expires,
    "httponly": _http_only,
    "secure": _secure,
    "samesite": _same_site,
}
