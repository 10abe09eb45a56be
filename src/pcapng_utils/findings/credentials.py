"""What lets somebody in: cookies, tokens, passwords, keys; told by the names they go by, or by their shape.

Each function gives the text with the secrets replaced by what `hide` makes of them; all of them are linear in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote_plus

Hide = Callable[[str], str]
"""From a secret to its pseudonym."""

_WORDS: Final = (
    r"(?:token|secret|passw(?:or)?d|passwd|passphrase|pwd|api[-_.]?key|app[-_.]?key|auth[-_.]?key|access[-_.]?key"
    r"|private[-_.]?key|authorization|authentication|credential|jwt|bearer|session|sessid|sid|csrf|xsrf|otp|pin[-_.]?code)"
)
_NAME: Final = rf"[\w.\[\]-]{{0,60}}{_WORDS}[\w.\[\]-]{{0,60}}"
_SECRET_NAME: Final = re.compile(_NAME, re.IGNORECASE)
_AUTHORIZATION: Final = frozenset({"authorization", "proxy-authorization"})
_SCHEME: Final = re.compile(r"([A-Za-z][\w-]*)\s+(?=\S)")

_PARAMETER: Final = re.compile(rf"((?:^|(?<=[?&;\s])){_NAME}=)([^&;#\s]+)", re.IGNORECASE)
_MEMBER: Final = re.compile(
    rf'(\\?"{_NAME}\\?"\s{{0,20}}:\s{{0,20}}\\?")((?:[^"\\]|\\(?!")[^"])+)(?=\\?")', re.IGNORECASE
)
_JWT: Final = re.compile(r"(?<![\w-])eyJ[\w-]{8,}+\.[\w-]{8,}+(?:\.[\w-]*+)?")
_USERINFO: Final = re.compile(r"(?<=://)[^/?#@\s]+(?=@)")


def is_secret_name(name: str) -> bool:
    """Whether something of that name is a credential."""
    return len(name) <= 200 and _SECRET_NAME.fullmatch(name) is not None


def hide_in_text(text: str, hide: Hide) -> str:
    """A URL, a form, JSON, any text: parameters and members with a telling name, JSON Web Tokens, user names."""
    if "=" in text:
        text = _PARAMETER.sub(lambda match: match[1] + hide(unquote_plus(match[2])), text)
    if '"' in text:
        text = _MEMBER.sub(lambda match: match[1] + hide(match[2]), text)
    if "eyJ" in text:
        text = _JWT.sub(lambda match: hide(match[0]), text)
    if "@" in text and "://" in text:
        text = _USERINFO.sub(lambda match: hide(match[0]), text)
    return text


def hide_header(name: str, value: str, hide: Hide) -> str:
    """The value of a header."""
    name = name.lower()
    if name == "cookie":
        return ";".join(_cookie(pair, hide) for pair in value.split(";"))
    if name == "set-cookie":
        pair, semicolon, attributes = value.partition(";")
        return _cookie(pair, hide) + semicolon + attributes
    if name in _AUTHORIZATION:
        scheme = _SCHEME.match(value)
        return f"{scheme[1]} {hide(value[scheme.end() :].strip())}" if scheme else hide(value.strip())
    if value and is_secret_name(name):
        return hide(value.strip())
    return hide_in_text(value, hide)


def _cookie(pair: str, hide: Hide) -> str:
    name, equals, value = pair.partition("=")
    if not equals:
        return hide(pair.strip()) if pair.strip() else pair
    return f"{name}={hide(value.strip())}" if value.strip() else pair
