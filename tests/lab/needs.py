"""What tests need of the machine."""

from __future__ import annotations

import shutil

import pytest

from lab.network import why_unavailable

_REASON = why_unavailable()

network_allowed = pytest.mark.skipif(_REASON is not None, reason=_REASON or "")
tshark_installed = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
