"""Every limit that the layers have, and how one is changed by its name: `http1.head`, `tls.message`, ..."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field
from msgspec.structs import fields, replace

from pcapng_utils.errors import UsageError
from pcapng_utils.har.body import BodyLimits
from pcapng_utils.http._http1_reader import Limits as Http1Limits
from pcapng_utils.http.stream_services import Limits as StreamLimits
from pcapng_utils.http.websocket import WebSocketLimits
from pcapng_utils.net.decode import DecoderLimits
from pcapng_utils.net.limits import Limits as NetLimits
from pcapng_utils.quic.limits import Limits as QuicLimits
from pcapng_utils.tls.limits import Limits as TlsLimits

Asked = tuple[tuple[str, int], ...]
"""Names of limits, with what they are to be."""


class Limits(Struct, frozen=True):
    packets: DecoderLimits = field(default_factory=DecoderLimits)
    net: NetLimits = field(default_factory=NetLimits)
    tls: TlsLimits = field(default_factory=TlsLimits)
    quic: QuicLimits = field(default_factory=QuicLimits)
    http1: Http1Limits = field(default_factory=Http1Limits)
    http2: StreamLimits = field(default_factory=StreamLimits)
    """Of HTTP/3, too."""
    websocket: WebSocketLimits = field(default_factory=WebSocketLimits)
    body: BodyLimits = field(default_factory=BodyLimits)

    def but(self, asked: Asked) -> Limits:
        """The same with some of them changed. Raises UsageError for a name that is none, and for a limit below 1.

        A reader must be able to keep one of each: with room for nothing it would look for a place for ever.
        """
        changed = self
        for name, value in asked:
            group, _, limit = name.partition(".")
            if name not in DEFAULTS:
                raise UsageError(f"{name} is no limit: one of {', '.join(DEFAULTS)} was expected.")
            if value < 1:
                raise UsageError(f"{name}={value}: a limit was expected to be 1 at least.")
            changed = replace(changed, **{group: replace(getattr(changed, group), **{limit: value})})
        return changed


def _defaults(limits: Limits) -> Iterable[tuple[str, int]]:
    for group in limits.__struct_fields__:
        for limit in fields(getattr(limits, group)):
            yield f"{group}.{limit.name}", getattr(getattr(limits, group), limit.name)


DEFAULTS: Final = dict(_defaults(Limits()))
"""All limits by name."""
