"""What was logged on the phone, joined to the entries of a HAR: the calling code, and the clear text of ciphers.

Each enrichment is imported when it is asked for: a conversion often needs one alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pcapng_utils.har.pirogue_enrichment.base import HarEnrichment
    from pcapng_utils.har.pirogue_enrichment.decryption import ContentDecryption
    from pcapng_utils.har.pirogue_enrichment.stacktrace import Stacktrace

__all__ = ["ContentDecryption", "HarEnrichment", "Stacktrace"]

_MODULES: Final = {"HarEnrichment": "base", "ContentDecryption": "decryption", "Stacktrace": "stacktrace"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
