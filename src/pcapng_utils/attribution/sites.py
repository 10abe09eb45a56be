"""Where in the code a socket call was made: what a stack says without knowing the app.

Two questions are answered. *Who is responsible* (for people): the first frame that is neither the platform's nor the
HTTP client's. *Which call site is it* (for alignment): calls made for the same purpose come down the same path through
the TLS library and the HTTP client, so the uppermost frames are alike. How many of them to compare is left to the data:
the stacks form a tree from their uppermost frames on, and a branch is followed as long as enough calls share it. That
works for obfuscated clients too, which no list of names knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from pcapng_utils.layers import UnitKind

SYSTEM_PREFIXES: Final = (
    # the Java and Kotlin platforms
    "java.", "javax.", "jdk.", "sun.", "com.sun.", "kotlin.", "kotlinx.", "libcore.", "scala.",
    # Android and Google's providers
    "android.", "androidx.", "com.android.", "dalvik.", "com.google.android.gms.org.conscrypt.",
    "org.conscrypt.",
    # HTTP clients and what they are made of
    "okhttp3.", "okio.", "com.squareup.okhttp.", "com.squareup.okio.", "retrofit2.", "retrofit.",
    "org.apache.http.", "org.apache.hc.", "cz.msebera.android.httpclient.", "org.apache.commons.io.",
    "com.android.volley.", "com.koushikdutta.async.", "com.koushikdutta.ion.", "io.ktor.", "io.netty.",
    "io.grpc.", "io.reactivex.", "rx.", "reactor.", "org.chromium.", "com.google.android.gms.net.",
    "aegon.chrome.", "internal.org.chromium.", "com.loopj.android.http.", "com.androidnetworking.",
    "com.bumptech.glide.integration.", "coil.network.", "org.java_websocket.", "org.eclipse.jetty.",
    "org.bouncycastle.", "com.google.api.client.", "com.google.net.cronet.", "org.eclipse.paho.",
    "com.neovisionaries.ws.", "com.burgstaller.okhttp.",
)  # fmt: skip
"""Class names that begin so are the platform's or an HTTP client's."""

_WORDS: Final = (
    ("clienthello", UnitKind.CLIENT_HELLO),
    ("starthandshake", UnitKind.HANDSHAKE),
    ("start_tls", UnitKind.HANDSHAKE),
    ("do_handshake", UnitKind.HANDSHAKE),
    ("handshake", UnitKind.HANDSHAKE),
    ("closenotify", UnitKind.ALERT),
    ("windowupdate", UnitKind.CONTROL),
    ("window_update", UnitKind.CONTROL),
    ("settings", UnitKind.CONTROL),
    ("connectionpreface", UnitKind.CONTROL),
    ("goaway", UnitKind.CONTROL),
    ("writeping", UnitKind.CONTROL),
    ("writeheaders", UnitKind.HEADERS),
    ("writerequestheaders", UnitKind.HEADERS),
    ("request_headers", UnitKind.HEADERS),
    ("request_body", UnitKind.BODY),
    ("shutdown", UnitKind.ALERT),
)
"""What the names of methods and classes tell about what was being sent: a first guess, corrected by the data."""


class Frame(msgspec.Struct, frozen=True, rename={"class_": "class"}):
    """One frame of a stack as logged; what identifies the place in the code."""

    class_: str | None = None
    method: str | None = None
    line: int | None = None


def is_system(name: str, extra_prefixes: Sequence[str] = ()) -> bool:
    """Whether a class is the platform's or an HTTP client's."""
    return name.startswith((*SYSTEM_PREFIXES, *extra_prefixes))


def responsible_frame(
    stack: Iterable[Mapping[str, Any]] | None, extra_prefixes: Sequence[str] = ()
) -> Mapping[str, Any] | None:
    """The first frame (from the uppermost) that is neither Android's, Java's, Kotlin's nor the HTTP client's.

    `stack` is the list of frames as logged or as exported (both have `class`); None where every frame is system's.
    """
    for frame in stack or ():
        name = frame.get("class")
        if isinstance(name, str) and name and not is_system(name, extra_prefixes):
            return frame
    return None


def frame_name(frame: Mapping[str, Any]) -> str:
    """Class and method of a frame as logged (`method`) or as exported (`method` with its class)."""
    name, method = frame["class"], frame.get("method") or ""
    return f"{name}.{method.removeprefix(name + '.')}" if method else str(name)


def kind_by_name(frames: Iterable[Frame]) -> UnitKind:
    """What the names in a stack suggest was sent; NONE where they suggest nothing."""
    for frame in frames:
        text = f"{frame.class_ or ''}.{frame.method or ''}".lower()
        for word, kind in _WORDS:
            if word in text:
                return kind
    return UnitKind.NONE


class CallSites:
    """Stacks grouped by the path they share from the uppermost frame on."""

    LEAST_SHARE: Final = 0.004
    LEAST_CALLS: Final = 12
    """A branch is followed while this share, and this number, of all calls take it."""

    def __init__(self, stacks: Sequence[tuple[int, ...]], frames: Sequence[Frame], calls: Mapping[int, int]) -> None:
        """`calls` says how many calls each stack has (by index in `stacks`)."""
        self.sites: list[int] = [0] * len(stacks)
        """Site of each stack, counted from 1; site 0 is for calls without a stack."""
        self.names: list[UnitKind] = [UnitKind.NONE]
        """What the names of each site's frames suggest."""
        least = max(self.LEAST_CALLS, self.LEAST_SHARE * sum(calls.values()))
        weights = Counter[tuple[int, ...]]()
        for stack_id, count in calls.items():
            stack = stacks[stack_id]
            for depth in range(1, len(stack) + 1):
                weights[stack[:depth]] += count
        index: dict[tuple[int, ...], int] = {}
        for stack_id, stack in enumerate(stacks):
            depth = 1
            while depth < len(stack) and weights[stack[: depth + 1]] >= least:
                depth += 1
            path = stack[:depth]
            site = index.setdefault(path, len(index) + 1)
            if site == len(self.names):
                self.names.append(kind_by_name(frames[frame_id] for frame_id in path))
            self.sites[stack_id] = site

    def __len__(self) -> int:
        return len(self.names)
