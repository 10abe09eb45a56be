"""What was logged on the phone, joined to the entries of a HAR: the calling code, and the clear text of ciphers."""

from pcapng_utils.har.pirogue_enrichment.base import HarEnrichment
from pcapng_utils.har.pirogue_enrichment.decryption import ContentDecryption
from pcapng_utils.har.pirogue_enrichment.stacktrace import Stacktrace

__all__ = ["ContentDecryption", "HarEnrichment", "Stacktrace"]
