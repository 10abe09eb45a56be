"""What attribution needs of a capture, gathered while it is read: the units of each flow, and its messages in them.

It is kept in memory only where there is a trace to join it with; what is kept of a message is a few numbers.
"""

from __future__ import annotations

from pcapng_utils.attribution.views import FlowView, MessageView
from pcapng_utils.har.entry import Entry
from pcapng_utils.http.exchange import Exchange, Message
from pcapng_utils.layers import CLIENT, SERVER
from pcapng_utils.pipeline.conversation import Conversation

#: Names a message: the entry's ordinal, and "request", "response", or the place of a WebSocket message.
Key = tuple[int, str | int]


class TracedFlows:
    """Told of exchanges and of the ends of conversations; gives flows with their messages."""

    def __init__(self) -> None:
        self.flows: list[FlowView] = []
        self.keys: dict[str, list[Key]] = {}
        """For each flow, by its id, what its messages are, in the order of `FlowView.messages`."""
        self.identities: dict[int, str] = {}
        """`_sha1Id` of each entry, by ordinal."""
        self._open: dict[str, list[tuple[Key, MessageView]]] = {}

    def exchange(self, ordinal: int, entry: Entry, exchange: Exchange, conversation: Conversation) -> None:
        """Note the messages of an exchange."""
        identity = entry.fields["_sha1Id"]
        self.identities[ordinal] = identity
        noted = self._open.setdefault(conversation.flow.id, [])
        sides: tuple[tuple[str, int, Message | None], ...] = (
            ("request", CLIENT, None if exchange.pushed else exchange.request),
            ("response", SERVER, exchange.response),
        )
        for side, direction, message in sides:
            if message is not None:
                http1 = message.version.startswith("HTTP/1")
                view = MessageView(identity, direction, message.units, message.first, http1, ordinal, message.last)
                noted.append(((ordinal, side), view))
        if exchange.websocket is not None:
            data = (message for message in exchange.websocket.messages if message.opcode in (1, 2))
            for place, one in enumerate(data):
                view = MessageView(identity, one.direction, one.units, one.stamp.first, last=one.stamp.last)
                noted.append(((ordinal, place), view))

    def join(self, other: TracedFlows, shift: int) -> None:
        """Take what was gathered of other flows at the same time; `shift`: what their entries' ordinals grew by."""
        self.flows += other.flows
        self.keys |= {flow: [(ordinal + shift, what) for ordinal, what in keys] for flow, keys in other.keys.items()}
        self.identities |= {ordinal + shift: identity for ordinal, identity in other.identities.items()}

    def end(self, conversation: Conversation) -> None:
        """A conversation is over: its units and its messages are all there."""
        flow = conversation.flow
        noted = self._open.pop(flow.id, [])
        self.keys[flow.id] = [key for key, _ in noted]
        self.flows.append(
            FlowView(
                id=flow.id,
                transport=flow.transport,
                local=(flow.client.ip, flow.client.port),
                remote=(flow.server.ip, flow.server.port),
                first=flow.first,
                last=flow.last,
                units=conversation.units,
                messages=[view for _, view in noted],
            )
        )
