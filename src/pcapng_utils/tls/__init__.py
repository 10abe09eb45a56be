"""TLS as a passive reader sees it: two byte streams and a key log in, clear bytes and facts out.

The way of the data: `records` cuts a TCP direction into records, `side` opens them under the keys of the time (with
`opener`, `protection`, `macked`), `connection` ties both directions together and hands clear bytes to the layer above.
Beside that way: `handshake` reads messages, `negotiation` draws facts and keys from them with `schedule` and `suites`,
`keylog` holds the secrets, `fingerprint` and `certificates` describe who talked, `detect` says whether a stream is TLS
at all. QUIC uses the same pieces.
"""
