"""Community IDs against the specification's baseline and the `communityid` package."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from communityid import CommunityID, FlowTuple  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.net.community import community_id

# From the baseline of https://github.com/corelight/community-id-spec.
BASELINE = [
    (6, "128.232.110.120", 34855, "66.35.250.204", 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
    (17, "192.168.1.52", 54585, "8.8.8.8", 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
]


@pytest.mark.parametrize(("protocol", "source", "source_port", "target", "target_port", "expected"), BASELINE)
def test_baseline(protocol: int, source: str, source_port: int, target: str, target_port: int, expected: str) -> None:
    one, other = (ip_address(source).packed, source_port), (ip_address(target).packed, target_port)
    assert community_id(protocol, *one, *other) == community_id(protocol, *other, *one) == expected


addresses = st.one_of(
    st.tuples(st.binary(min_size=4, max_size=4), st.binary(min_size=4, max_size=4)),
    st.tuples(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16)),
)
ports = st.integers(1, 65535)


@given(st.sampled_from([6, 17]), addresses, ports, ports)
def test_same_as_the_package(protocol: int, ends: tuple[bytes, bytes], port: int, other_port: int) -> None:
    make = {6: FlowTuple.make_tcp, 17: FlowTuple.make_udp}[protocol]
    theirs = CommunityID().calc(make(*ends, port, other_port))
    assert community_id(protocol, ends[0], port, ends[1], other_port) == theirs
