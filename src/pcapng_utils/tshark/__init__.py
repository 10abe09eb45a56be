"""Stand-ins for what pcapng-utils 1.1 has around tshark: captures are dissected here, no tshark is run."""

from pcapng_utils.tshark.traffic import NetworkTrafficDump
from pcapng_utils.tshark.wrapper import Tshark

__all__ = ["NetworkTrafficDump", "Tshark"]
