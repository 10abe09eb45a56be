"""The wall between a flow and the layers that read it: what one of them did not expect ends the reading of this flow,
and no other. The flow's packets are counted as before."""

from __future__ import annotations

from pcapng_utils.faults import fault
from pcapng_utils.layers import Report
from pcapng_utils.net.flow import Flow


def stop_reading(flow: Flow, error: Exception, report: Report) -> None:
    """The flow's receiver raised `error`: close it, so that what it understood before is kept, and go on without it.

    Raises `error` again if it concerns more than this flow (see `fault`)."""
    report(fault(error, "the rest of the connection was not read", flow.last_frame, flow.id))
    close_receiver(flow, report)


def close_receiver(flow: Flow, report: Report) -> None:
    """Nothing more will come for the flow's receiver."""
    receiver, flow.receiver = flow.receiver, None
    if receiver is None:
        return
    try:
        receiver.close()
    except Exception as error:
        report(fault(error, "what was incomplete at the connection's end was left out", flow.last_frame, flow.id))
