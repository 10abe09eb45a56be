from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.layers import Problem
from pcapng_utils.net.decode import Decoder, IpPayload
from pcapng_utils.net.fragments import Datagram, FragmentLimits, Reassembler
from tests.net.packets import OUTER_A, OUTER_B, fragment6, ipv4, ipv6, udp

MORE = 0x2000
SECOND = 1_000_000_000

DATAGRAM = udp(bytes(range(92)))
PIECES = [(0, DATAGRAM[:40]), (40, DATAGRAM[40:64]), (64, DATAGRAM[64:])]
FOUR = [ipv4(data, fragment=offset // 8 | (MORE if offset != 64 else 0)) for offset, data in PIECES]
SIX = [ipv6(fragment6(data, offset, offset != 64), 44) for offset, data in PIECES]


def decode(packets: Sequence[bytes]) -> tuple[list[IpPayload | None], list[Problem]]:
    problems: list[Problem] = []
    decoder = Decoder(problems.append)
    results = [
        decoder.packet(101, packet, 0, len(packet), len(packet), frame, frame)
        for frame, packet in enumerate(packets, 1)
    ]
    decoder.close()
    return results, problems


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("version", [FOUR, SIX], ids=["IPv4", "IPv6"])
def test_fragments_in_any_order_make_the_datagram(version: list[bytes], order: tuple[int, ...]) -> None:
    results, problems = decode([version[n] for n in order])
    assert results[:2] == [None, None]
    ip = results[2]
    assert ip is not None
    assert (ip.protocol, ip.data[ip.start : ip.end], ip.frames, ip.missing) == (17, DATAGRAM, (1, 2, 3), 0)
    assert problems == []


def test_padding_is_no_part_of_a_fragment() -> None:
    packets = [b"\x02" * 12 + b"\x08\0" + packet + bytes(9) for packet in FOUR]
    decoder = Decoder(lambda problem: None)
    results = [decoder.packet(1, packet, 0, len(packet), len(packet), 0, 1) for packet in packets]
    assert results[2] is not None
    assert results[2].data == DATAGRAM


def test_repeated_fragments_do_no_harm() -> None:
    results, problems = decode([FOUR[0], FOUR[0], FOUR[1], FOUR[1], FOUR[2]])
    assert results[4] is not None
    assert (results[4].data, results[4].frames) == (DATAGRAM, (1, 3, 5))
    assert problems == []


def test_fragments_that_bring_nothing_new_are_not_kept() -> None:
    reassembler = Reassembler(lambda problem: None)
    for frame in range(1, 1000):
        reassembler.add(("key",), 0, True, b"a" * 8, (frame,), 0)
    assert reassembler.add(("key",), 8, False, b"b", (1000,), 0) == Datagram(b"a" * 8 + b"b", (1, 1000))


def test_datagrams_are_told_apart() -> None:
    others = [ipv4(data, fragment=n, identification=2) for n, data in [(MORE, b"a" * 8), (1, b"b" * 8)]]
    results, _ = decode([FOUR[0], others[0], FOUR[1], others[1], FOUR[2]])
    assert [ip and ip.data for ip in results] == [None, None, None, b"a" * 8 + b"b" * 8, DATAGRAM]


def test_fragments_inside_and_outside_of_a_tunnel() -> None:
    inner = [ipv4(packet, 4, OUTER_A, OUTER_B, identification=n) for n, packet in enumerate(FOUR)]
    split = [ipv4(inner[1][20:44], 4, OUTER_A, OUTER_B, fragment=MORE, identification=9)]
    split.append(ipv4(inner[1][44:], 4, OUTER_A, OUTER_B, fragment=3, identification=9))
    results, problems = decode([inner[0], *split, inner[2]])
    assert results[:3] == [None, None, None]
    assert results[3] is not None
    assert (results[3].data, results[3].frames, results[3].tunnels) == (DATAGRAM, (1, 2, 3, 4), ("ip-in-ip",))
    assert problems == []


def test_datagrams_that_lack_fragments_are_reported_at_the_end() -> None:
    _, problems = decode(FOUR[:2])
    assert [(problem.kind, problem.frame, problem.lost) for problem in problems] == [("ip-fragments-incomplete", 1, 64)]


def test_a_first_fragment_that_is_cut_still_tells_the_ports() -> None:
    problems: list[Problem] = []
    decoder = Decoder(problems.append)
    first = decoder.packet(101, FOUR[0], 0, 40, 60, 0, 1)
    second = decoder.packet(101, FOUR[1], 0, 30, 44, 0, 2)
    assert first is not None
    assert (first.protocol, first.data[first.start : first.end], first.missing) == (17, DATAGRAM[:20], 20)
    assert second is None
    assert [problem.kind for problem in problems] == ["ip-fragment-cut"] * 2


@pytest.mark.parametrize(
    "packet", [ipv4(b"", fragment=MORE), ipv4(b"x" * 8, fragment=0x1FFF), ipv4(b"x" * 7, fragment=MORE)]
)
def test_impossible_fragments_are_left_out(packet: bytes) -> None:
    results, problems = decode([packet])
    assert results == [None]
    assert [problem.kind for problem in problems] == ["ip-bad-fragment"]


def reassemble(pieces: Sequence[tuple[int, bool, bytes]], step: int = 0) -> tuple[list[Datagram | None], list[Problem]]:
    problems: list[Problem] = []
    reassembler = Reassembler(problems.append)
    results = [
        reassembler.add(("key",), offset, more, data, (n,), n * step) for n, (offset, more, data) in enumerate(pieces)
    ]
    return results, problems


def test_where_fragments_overlap_the_first_wins() -> None:
    results, _ = reassemble([(0, True, b"a" * 16), (8, True, b"b" * 16), (0, True, b"c" * 32), (32, False, b"dd")])
    assert results[-1] == Datagram(b"a" * 16 + b"b" * 8 + b"c" * 8 + b"dd", (0, 1, 2, 3))


def test_fragments_beyond_the_last_one_are_ignored() -> None:
    results, _ = reassemble([(16, True, b"x" * 16), (8, False, b"end"), (0, True, b"a" * 8)])
    assert results[-1] == Datagram(b"a" * 8 + b"end", (0, 1, 2))


def test_fragments_wait_for_a_limited_time() -> None:
    pieces = [(0, True, b"a" * 8), (8, False, b"b")]
    assert reassemble(pieces, step=60 * SECOND)[0][1] is not None
    results, problems = reassemble(pieces, step=61 * SECOND)
    assert results == [None, None]
    assert [problem.lost for problem in problems] == [8]


def test_the_oldest_is_given_up_when_too_many_wait() -> None:
    problems: list[Problem] = []
    reassembler = Reassembler(problems.append, FragmentLimits(fragmented=2))
    for n in range(3):
        reassembler.add((n,), 0, True, b"a" * 8, (n + 1,), 0)
    assert [problem.frame for problem in problems] == [1]
    assert reassembler.add((1,), 8, False, b"b", (9,), 0) == Datagram(b"a" * 8 + b"b", (2, 9))
    reassembler.close()
    assert [problem.frame for problem in problems] == [1, 3]


def test_bytes_that_wait_are_limited() -> None:
    problems: list[Problem] = []
    reassembler = Reassembler(problems.append, FragmentLimits(fragments=500))
    for n in range(10):
        reassembler.add((n,), 0, True, b"a" * 32, (n,), 0)
    assert [problem.frame for problem in problems] == [0, 1, 2, 3, 4, 5, 6]


@given(
    size=st.integers(1, 400),
    cuts=st.sets(st.integers(1, 50)),
    order=st.randoms(use_true_random=False),
    repeats=st.lists(st.integers(0, 50), max_size=5),
)
def test_any_cut_in_any_order_makes_the_same_datagram(
    size: int, cuts: set[int], order: Random, repeats: list[int]
) -> None:
    data = bytes(n % 251 for n in range(size))
    edges = [0, *sorted(cut * 8 for cut in cuts if cut * 8 < size), size]
    pieces = [(a, b < size, data[a:b]) for a, b in pairwise(edges)]
    pieces += [pieces[n % len(pieces)] for n in repeats]
    order.shuffle(pieces)
    results, _ = reassemble(pieces)
    whole = [result.data for result in results if result]
    assert whole
    assert set(whole) == {data}
