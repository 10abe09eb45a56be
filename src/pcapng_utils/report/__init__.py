"""The report: a HAR as one page for people, which needs neither network nor server."""
