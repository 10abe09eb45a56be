"""URLs as the client meant them."""

import pytest

from pcapng_utils.har.url import query_string, redirect_url, request_url
from pcapng_utils.http.body import Body
from pcapng_utils.http.exchange import Request, Response
from pcapng_utils.net.flow import Endpoint

SERVER = Endpoint("203.0.113.7", 443)


def request(target: bytes, authority: bytes = b"", scheme: bytes = b"", method: bytes = b"GET") -> Request:
    return Request(Body(), method=method, target=target, authority=authority, scheme=scheme)


@pytest.mark.parametrize(
    ("sent", "secure", "sni", "url"),
    [
        (request(b"/a?b=c", b"example.org"), True, None, "https://example.org/a?b=c"),
        (request(b"/a", b"example.org:8443"), True, None, "https://example.org:8443/a"),
        (request(b"/a"), True, "sni.example", "https://sni.example/a"),
        (request(b"/a"), True, None, "https://203.0.113.7/a"),
        (request(b"/a"), False, None, "http://203.0.113.7:443/a"),
        (request(b"http://other.example/x", b"example.org"), False, None, "http://other.example/x"),
        (request(b"*", b"example.org", method=b"OPTIONS"), False, None, "http://example.org"),
        (request(b"example.org:443", b"example.org:443", method=b"CONNECT"), False, None, "http://example.org:443"),
        (request(b"/a", b"example.org", b"http"), True, None, "http://example.org/a"),
        (request("/ü".encode(), b"example.org"), True, None, "https://example.org/ü"),
        (request(b"/\xfc", b"example.org"), True, None, "https://example.org/ü"),
        (None, True, None, "https://203.0.113.7/"),
    ],
)
def test_the_url_is_absolute(sent: Request | None, secure: bool, sni: str | None, url: str) -> None:
    assert request_url(sent, secure=secure, server=SERVER, sni=sni) == url


def test_an_ipv6_server_stands_in_brackets() -> None:
    assert request_url(request(b"/"), secure=False, server=Endpoint("2001:db8::1", 8080), sni=None) == (
        "http://[2001:db8::1]:8080/"
    )


def test_the_query_is_decoded_in_order() -> None:
    assert query_string("https://a/?x=1%202&y&x=%C3%BC&z=a=b#q=no") == [
        {"name": "x", "value": "1 2"},
        {"name": "y", "value": ""},
        {"name": "x", "value": "ü"},
        {"name": "z", "value": "a=b"},
    ]


@pytest.mark.parametrize(
    ("status", "location", "url"),
    [
        (302, b"/b", "https://a.example/b"),
        (301, b"https://c.example/", "https://c.example/"),
        (200, b"/b", ""),
        (307, b"//d.example/x", "https://d.example/x"),
        (302, b"https://[broken", "https://[broken"),
    ],
)
def test_a_redirect_is_made_absolute(status: int, location: bytes, url: str) -> None:
    response = Response(Body(), headers=[(b"Location", location)], status=status)
    assert redirect_url(response, "https://a.example/x/y") == url
