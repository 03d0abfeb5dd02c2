"""Which addresses count as public."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.fetching.addresses import is_public

PRIVATE_NETWORKS = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4",
    "::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001:db8::/32", "5f00::/16", "fc00::/7",
    "fe80::/10", "fec0::/10", "ff00::/8",
)  # fmt: skip

PUBLIC = ("8.8.8.8", "93.184.216.34", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "2a00:1450::1")
WRAPPERS = ("::ffff:{}", "::{}", "64:ff9b::{}")


@pytest.mark.parametrize("network", PRIVATE_NETWORKS)
def test_both_ends_of_every_denied_network_are_refused(network):
    whole = ip_network(network)
    assert not is_public(str(whole[0]))
    assert not is_public(str(whole[-1]))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address):
    assert is_public(address)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapped_address_is_judged_by_what_is_inside(wrapper):
    assert not is_public(wrapper.format("127.0.0.1"))
    assert not is_public(wrapper.format("169.254.169.254"))
    assert is_public(wrapper.format("8.8.8.8"))


@pytest.mark.parametrize("inside", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254"])
def test_six_to_four_is_judged_by_what_is_inside(inside):
    assert not is_public(str(IPv6Address((0x2002 << 112) | (int(IPv4Address(inside)) << 80))))


def test_teredo_and_scoped_link_local_are_refused():
    assert not is_public("2001:0:4136:e378:8000:63bf:3fff:fdd2")
    assert not is_public("fe80::1%eth0")
    assert not is_public("::1%lo")


@given(st.sampled_from([ip_network(n) for n in PRIVATE_NETWORKS if ":" not in n]), st.integers(min_value=0), st.data())
def test_no_private_ipv4_address_passes_in_any_wrapper(network, offset, data):
    inside = str(network[offset % network.num_addresses])
    wrapper = data.draw(st.sampled_from(("{}", *WRAPPERS)))
    assert not is_public(wrapper.format(inside))


def test_what_is_no_address_is_an_error():
    with pytest.raises(ValueError):
        is_public("localhost")
