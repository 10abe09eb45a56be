"""The lab: real clients and servers under tcpdump, whose traffic is known to the byte because both ends wrote it down.

`python -m lab list` shows what it can make; lab/README.md says how to use it from code.
"""
