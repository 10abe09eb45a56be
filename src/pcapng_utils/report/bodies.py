"""Large bodies are taken out of their entries, so that an entry opens quickly and a body only when it is looked at.

In the place of the text, `_block` says where it went: {`name` of the block, `size` in bytes}. A block holds the bytes
of a body that HAR has in base64, else the text in UTF-8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pybase64

Json = dict[str, Any]

#: Characters of a text that stays in its entry.
LARGE: Final = 16_384

KeepBlock = Callable[[bytes], str]
"""Takes a block's content, gives its name."""


def move_large_bodies(entry: Json, keep: KeepBlock) -> None:
    """Replace, in place, every large text of an entry by the name of the block that `keep` made of it."""
    for holder, key, is_base64 in _texts(entry):
        text = holder[key]
        if isinstance(text, str) and len(text) > LARGE:
            content = _bytes(text) if is_base64 else None
            if content is None:
                content = text.encode("utf-8", "surrogatepass")
                if is_base64:
                    holder.pop("encoding", None)
            del holder[key]
            holder["_block"] = {"name": keep(content), "size": len(content)}


def _bytes(text: str) -> bytes | None:
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError:
        return None


def _texts(entry: Json) -> Iterator[tuple[Json, str, bool]]:
    """Places where a large text may be: the object, its key, and whether the text is base64."""
    for message, names in (("request", ("postData", "_content")), ("response", ("content",))):
        har = entry.get(message) or {}
        for name in names:
            body = har.get(name)
            if isinstance(body, dict) and "text" in body:
                yield body, "text", body.get("encoding") == "base64"
        decryption = har.get("_decryption")
        if isinstance(decryption, dict) and "originalBase64Content" in decryption:
            yield decryption, "originalBase64Content", True
    for item in entry.get("_webSocketMessages") or ():
        if isinstance(item, dict) and "data" in item:
            is_text = item.get("opcode") == 1 and item.get("_encoding") != "base64"
            yield item, "data", not is_text
    for item in entry.get("_eventStream") or ():
        if isinstance(item, dict) and "data" in item:
            yield item, "data", False
