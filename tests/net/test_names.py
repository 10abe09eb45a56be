"""Which name an address has."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.net.dns import DnsExchange
from pcapng_utils.net.dns_message import DnsAnswer
from pcapng_utils.net.names import Names, canonical


def exchange(name: str, *addresses: str, client: str = "10.0.0.1", time: int = 100) -> DnsExchange:
    answers = (
        DnsAnswer(name, "CNAME", 1, "Edge.example"),
        *(DnsAnswer("edge.example", "AAAA" if ":" in address else "A", 1, address) for address in addresses),
        DnsAnswer("stray.example", "A", 1, "192.0.2.66"),
    )
    return DnsExchange(name, "A", client, "10.0.0.2", "udp", time - 1, time, "NOERROR", answers, 1)


def test_the_name_asked_for_is_the_name_through_cnames() -> None:
    names = Names()
    names.learn_dns(exchange("www.example", "192.0.2.1", "2001:db8::1"))
    assert names.lookup("192.0.2.1") == names.lookup("2001:DB8:0::1") == "www.example"
    assert names.lookup("192.0.2.66") is None


def test_the_latest_answer_before_the_time_counts() -> None:
    names = Names()
    for name, time in (("b.example", 200), ("a.example", 100), ("c.example", 300)):
        names.learn_dns(exchange(name, "192.0.2.1", time=time))
    found = [names.lookup("192.0.2.1", time=time) for time in (99, 100, 199, 200, 300, 999)]
    assert found == [None, "a.example", "a.example", "b.example", "c.example", "c.example"]
    assert names.lookup("192.0.2.1") == "c.example"


def test_what_the_client_itself_was_told_counts_more() -> None:
    names = Names()
    names.learn_dns(exchange("mine.example", "192.0.2.1", client="10.0.0.1", time=100))
    names.learn_dns(exchange("theirs.example", "192.0.2.1", client="10.0.0.9", time=200))
    assert names.lookup("192.0.2.1", "10.0.0.1", 300) == "mine.example"
    assert names.lookup("192.0.2.1", "10.0.0.3", 300) == "theirs.example"


def test_hosts_file_first_blocks_last() -> None:
    names = Names()
    names.learn_block("192.0.2.1", "block.example")
    assert names.lookup("192.0.2.1") == "block.example"
    names.learn("192.0.2.1", "sni.example", 100, "10.0.0.1")
    assert names.lookup("192.0.2.1", time=100) == "sni.example"
    assert names.lookup("192.0.2.1", time=99) == "block.example"
    bad = names.learn_hosts(
        "# comment\n192.0.2.1\thosts.example alias # more\n\nnonsense x\n192.0.2.1 second.example\n::1 me\n"
    )
    assert bad == 1
    assert names.lookup("192.0.2.1", "10.0.0.1", 100) == "hosts.example"
    assert names.lookup("::1") == "me"


def test_addresses_have_one_spelling() -> None:
    assert canonical("::ffff:192.0.2.1") == canonical("192.0.2.1") == "192.0.2.1"
    assert canonical("2001:0DB8::0:1") == "2001:db8::1"
    assert canonical("no address") == canonical("") == canonical("1.2.3.4\0") == ""


def test_memory_is_bounded() -> None:
    names = Names()
    for number in range(3 * Names.MAX_USES):
        names.learn("192.0.2.1", f"n{number}", number, "c")
    assert names.lookup("192.0.2.1", time=0) is None
    assert names.lookup("192.0.2.1", time=2 * Names.MAX_USES) == f"n{2 * Names.MAX_USES}"
    assert names.lookup("192.0.2.1") == f"n{3 * Names.MAX_USES - 1}"


def test_one_name_in_use_all_the_time_is_known_from_its_first_use_on() -> None:
    names = Names()
    for number in range(3 * Names.MAX_USES):
        names.learn("192.0.2.1", "one.example", number, "c")
    assert names.lookup("192.0.2.1", time=0) == "one.example"


USES = st.lists(
    st.tuples(
        st.sampled_from(["192.0.2.1", "2001:db8::1"]), st.sampled_from("abc"), st.integers(0, 9), st.sampled_from("xy")
    )
)


@given(USES, st.randoms())
def test_it_does_not_matter_in_which_order_and_by_whom_uses_are_seen(
    uses: list[tuple[str, str, int, str]], rng: Random
) -> None:
    whole, parts = Names(), (Names(), Names())
    for use in uses:
        whole.learn(*use)
    rng.shuffle(uses)
    for use in uses:
        rng.choice(parts).learn(*use)
    parts[0].join(parts[1])
    for address in ("192.0.2.1", "2001:db8::1"):
        for client in ("x", "y", "z", None):
            for time in (None, *range(-1, 11)):
                assert parts[0].lookup(address, client, time) == whole.lookup(address, client, time)
