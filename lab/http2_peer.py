"""HTTP/2 with both ends in one hand: two of h2's state machines over a `Conversation`, and frames rewritten between.

What one machine has to say is carried over and read by the other, its answer carried back, until neither has any more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import h2.config
import h2.connection
import h2.events
from hyperframe.frame import Frame

from lab.conversation import Conversation

Rewrite = Callable[[list[Frame]], list[Frame]]

_FRAME_HEADER: Final = 9
"""Bytes: RFC 9113, section 4.1."""


class Http2Pair:
    """`client` and `server` are h2's; what they should say is said by `exchange`."""

    def __init__(self, talk: Conversation) -> None:
        self.talk = talk
        self.client = _machine(client=True)
        self.server = _machine(client=False)
        self.client_events: list[h2.events.Event] = []
        self.server_events: list[h2.events.Event] = []
        self.client.initiate_connection()
        self.server.initiate_connection()
        self.exchange()

    def exchange(self, rewrite: Rewrite = list) -> None:
        """Until neither has anything to say. `rewrite` may change the client's first frames on their way: what h2 would
        never write, but reads."""
        while self._carry(rewrite):
            rewrite = list

    def _carry(self, rewrite: Rewrite) -> bool:
        out, back = self.client.data_to_send(), self.server.data_to_send()
        if out:
            sent = _rewritten(out, rewrite)
            self.talk.client_says(sent)
            self.server_events += self.server.receive_data(sent)
        if back:
            self.talk.server_says(back)
            self.client_events += self.client.receive_data(back)
        return bool(out or back)


def _rewritten(data: bytes, rewrite: Rewrite) -> bytes:
    if rewrite is list:
        return data
    frames: list[Frame] = []
    while data:
        frame, length = Frame.parse_frame_header(memoryview(data[:_FRAME_HEADER]))
        frame.parse_body(memoryview(data[_FRAME_HEADER : _FRAME_HEADER + length]))
        frames.append(frame)
        data = data[_FRAME_HEADER + length :]
    return b"".join(frame.serialize() for frame in rewrite(frames))


def _machine(*, client: bool) -> h2.connection.H2Connection:
    config = h2.config.H2Configuration(
        client_side=client, header_encoding=None, validate_inbound_headers=False, validate_outbound_headers=False
    )
    return h2.connection.H2Connection(config)
