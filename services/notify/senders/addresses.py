"""Which places outgoing HTTP may reach: public ones, and those the operator named."""

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_CLOSED_4 = [
    IPv4Network(text)
    for text in [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    ]
]
_OPEN_6 = IPv6Network("2000::/3")
_CLOSED_6 = [
    IPv6Network(text) for text in ["2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"]
]
_NAT64 = IPv6Network("64:ff9b::/96")

_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?")


class Refused(Exception):
    """The URL may not be called; the message says why, without repeating it."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads: scheme, host as written (brackets off), port."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the operator lets outgoing HTTP reach though it is not public, with plain http."""

    hosts: frozenset[str] = frozenset()
    places: frozenset[tuple[str, int]] = frozenset()
    networks: tuple[Network, ...] = ()

    def names(self, target: Target) -> bool:
        """Whether the host, or host and port, was named."""
        host = target.host.casefold()
        return host in self.hosts or (host, target.port) in self.places

    def holds(self, address: Address) -> bool:
        """Whether the address lies in a network that was named."""
        return any(address in network for network in self.networks if network.version == address.version)


def allowed(setting: str) -> Allowed:
    """Reads `host, host:port, network, …`; raises ValueError."""
    hosts, places, networks = set(), set(), []
    for entry in filter(None, (each.strip().casefold() for each in setting.split(","))):
        network = _network(entry)
        if "/" in entry and network is not None:
            networks.append(network)
            continue
        if network is not None:
            hosts.add(str(network.network_address))
            continue
        parts = urlsplit(f"//{entry}")
        if not parts.hostname or parts.path or parts.query or parts.username is not None:
            raise ValueError(f"JORNADA_OUTGOING_ALLOW: {entry!r} is no host, host:port or network")
        if parts.port is None:
            hosts.add(parts.hostname)
        else:
            places.add((parts.hostname, parts.port))
    return Allowed(frozenset(hosts), frozenset(places), tuple(networks))


def public(address: Address) -> bool:
    """Whether the address is a public unicast one, in every notation that carries another address inside it."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _CLOSED_4)
    if address.scope_id is not None:
        return False
    if address in _NAT64:
        return public(IPv4Address(int(address) & 0xFFFFFFFF))
    return address in _OPEN_6 and not any(address in network for network in _CLOSED_6)


def target_of(url: str, allow: Allowed) -> Target:
    """Where a URL leads. Raises Refused for one that could never be called: names are resolved at each send only."""
    target = _parsed(url)
    literal = _literal(target.host)
    named = allow.names(target) or (literal is not None and allow.holds(literal))
    if literal is not None and not named and not public(literal):
        raise Refused("the address is not a public one")
    if literal is None and not named and _is_local(target.host) and not allow.networks:
        raise Refused("the name is a local one")
    if target.scheme == "http" and not named and (literal is not None or not allow.networks):
        raise Refused("use https")
    return target


def reachable(target: Target, address: Address, allow: Allowed) -> bool:
    """Whether a connection for the target may be made to this address, which its host resolved to."""
    if allow.names(target) or allow.holds(address):
        return True
    return target.scheme == "https" and public(address)


def _parsed(url: str) -> Target:
    if not url.isascii() or any(each <= " " or each in '\\"<>^`{|}\x7f' for each in url):
        raise Refused("white space, backslashes and characters beyond ASCII must be percent-encoded")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Refused("it is no URL") from error
    if parts.scheme not in ("https", "http"):
        raise Refused("only https is called")
    if "@" in parts.netloc:
        raise Refused("it may not carry user and password")
    host = parts.hostname or ""
    if port == 0 or not (_HOST.fullmatch(host) or (":" in host and _literal(host) is not None)):
        raise Refused("its host is no name and no address")
    return Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80))


def _literal(host: str) -> Address | None:
    """The address that a host is, in any notation that a resolver would take for one (`127.1`, `0x7f000001`)."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host.rstrip(".")))
    except OSError:
        return None


def _is_local(host: str) -> bool:
    name = host.rstrip(".").casefold()
    return name == "localhost" or name.endswith(".localhost")


def _network(entry: str) -> Network | None:
    try:
        return ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return None
