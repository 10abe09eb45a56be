"""From a network capture to an attributed HAR: which code in this app sent what, to whom, and how sure are we."""

__version__ = "2.0.0"
