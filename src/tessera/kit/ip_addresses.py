"""IP addresses of clients, each of which is parsed once for all its requests."""

import ipaddress
from functools import lru_cache

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_MAX_LENGTH = 64  # of an IPv6 address with a zone; longer texts are not kept


def parse(text: str) -> IpAddress | None:
    """The address in this text, or None if it is none.

    A socket that accepts both versions shows an IPv4 client as ::ffff:192.0.2.1, whose result is 192.0.2.1. The zone of
    an address, such as fe80::1%eth0, is the name of a network card here, and no part of the result.
    """
    return _parse(text) if len(text) <= _MAX_LENGTH else None


def canonical(text: str) -> str | None:
    """The address that `parse` finds, in its usual spelling."""
    return _canonical(text) if len(text) <= _MAX_LENGTH else None


@lru_cache(maxsize=4096)
def _parse(text: str) -> IpAddress | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str | None:
    address = _parse(text)
    return str(address) if address else None
