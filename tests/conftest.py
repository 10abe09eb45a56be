"""Faults that a conversion would report and pass over are raised here, in commands that tests start, too."""

from __future__ import annotations

import os

from pcapng_utils.faults import SWITCH

os.environ[SWITCH] = "1"
