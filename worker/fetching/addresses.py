"""Which IP addresses a stranger's URL may lead to: public ones, also when wrapped in another form."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_GLOBAL_UNICAST = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")
_V4_COMPATIBLE = ip_network("::/96")

# Written out because `is_global` differs between Python releases (IANA special-purpose registries, RFC 6890).
_DENIED = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's platform, on a public address
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "::1/128",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/32",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)


def is_public(address: str) -> bool:
    """Whether the address, unwrapped, is one anybody on the internet can reach; ValueError where it is no address."""
    unwrapped = _unwrap(ip_address(address))
    if isinstance(unwrapped, IPv6Address) and unwrapped not in _GLOBAL_UNICAST:
        return False
    return unwrapped.is_global and not any(unwrapped in network for network in _DENIED)


def _unwrap(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address inside a mapped, compatible, NAT64 or 6to4 one; anything else as it is."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    plain = IPv6Address(int(address))  # without a scope, which `in` would not ignore
    if plain in _NAT64 or (plain in _V4_COMPATIBLE and int(plain) > 1):
        return IPv4Address(int(plain) & 0xFFFFFFFF)
    return plain
