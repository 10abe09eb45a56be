"""QUIC as a passive reader sees it: datagrams and a key log in, streams and facts out.

The way of the data: `flow` finds the connection a datagram belongs to, with the help of `router`, which knows all
connection IDs of the capture; `connection` opens the packets (`packet`, `crypto`, `keys`, `numbers`) and goes through
their `frames`; CRYPTO frames go to `handshake`, STREAM frames to `streams`, both by way of `reassembly`. `versions`
holds what differs from version to version, `detect` says whether a flow is QUIC at all.
"""
