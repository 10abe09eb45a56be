"""Cookies of requests and responses."""

import pytest

from pcapng_utils.har.cookies import request_cookies, response_cookies
from pcapng_utils.http.body import Body
from pcapng_utils.http.exchange import Request, Response


def test_request_cookies_may_be_spread_over_headers() -> None:
    request = Request(Body(), headers=[(b"cookie", b"a=1; b=x=y"), (b"Cookie", b"c; ;d=")])
    assert request_cookies(request) == [
        {"name": "a", "value": "1"},
        {"name": "b", "value": "x=y"},
        {"name": "", "value": "c"},
        {"name": "d", "value": ""},
    ]


def test_set_cookie_keeps_the_attributes_that_har_knows() -> None:
    text = b"id=7; Path=/a; Domain=.e.org; Expires=Wed, 21-Oct-2026 07:28:00 GMT; HttpOnly; Secure; SameSite=Lax; X"
    response = Response(Body(), headers=[(b"Set-Cookie", text), (b"set-cookie", b"b=; expires=nonsense")])
    assert response_cookies(response) == [
        {
            "name": "id",
            "value": "7",
            "path": "/a",
            "domain": ".e.org",
            "expires": "2026-10-21T07:28:00+00:00",
            "httpOnly": True,
            "secure": True,
            "sameSite": "Lax",
        },
        {"name": "b", "value": ""},
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wed, 21 Oct 2026 07:28:00 GMT", "2026-10-21T07:28:00+00:00"),
        ("Wednesday, 21-Oct-26 07:28:00 GMT", "2026-10-21T07:28:00+00:00"),
        ("Thu, 01-Jan-70 00:00:01 GMT", "1970-01-01T00:00:01+00:00"),
        ("Wed Oct 21 07:28:00 2026", "2026-10-21T07:28:00+00:00"),
        ("Wed, 21 Oct 2026 07:28:00", "2026-10-21T07:28:00+00:00"),
        ("Wed, 21 Oct 2026 07:28:00 -0700", "2026-10-21T07:28:00+00:00"),
        ("Wed, 21 Oct 2026 07:28:00 GMT+0200", "2026-10-21T07:28:00+00:00"),
        ("21 October 2026 7:28:0Z", "2026-10-21T07:28:00+00:00"),
        ("Wed, 31 Feb 2026 07:28:00 GMT", None),
        ("Wed, 21 Oct 1600 07:28:00 GMT", None),
        ("Wed, 21 Oct 2026 25:00:00 GMT", None),
        ("2026-10-21T07:28:00Z", None),
        ("0", None),
        ("", None),
    ],
)
def test_expires_is_the_moment_that_clients_read(text: str, expected: str | None) -> None:
    response = Response(Body(), headers=[(b"Set-Cookie", b"a=1; Expires=" + text.encode())])
    assert response_cookies(response)[0].get("expires") == expected
