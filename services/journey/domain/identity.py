"""Whose a touchpoint is: customers as components of the facts, and the user of a shared device at an instant."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from services.journey.domain.reading import Key

MOST_USERS = 50
"""A device with more user ids than this is a kiosk."""


class Sharing(StrEnum):
    """What a device tells: whose it is (`one`, or nobody's), its user by the hour (`shared`), or nothing (`kiosk`)."""

    ONE = "one"
    SHARED = "shared"
    KIOSK = "kiosk"


class Named(NamedTuple):
    """One identifier: user_id or anonymous_id."""

    type: str
    value: str


class Node(NamedTuple):
    """An identifier as it is stored: its drawn id, and its place in the order in which they were first stored."""

    named: Named
    id: UUID
    stored: int
    stated: bool


class Placement(NamedTuple):
    """Whose an identifier is, and what a device tells. A shared device is nobody's: `customer` is None."""

    customer: UUID | None
    sharing: Sharing


def placements(
    nodes: Iterable[Node], devices: Mapping[str, frozenset[str]], aliases: Iterable[tuple[str, str]]
) -> dict[Named, Placement]:
    """Customers of a closed neighbourhood of identifiers.

    `devices` maps an anonymous id to the user ids it was seen with; `aliases` are (previous id, user id). Two user ids
    are one customer by an alias only, and only if both were ever stated as user ids. A customer's id is that of its
    first stored identifier.
    """
    known = {node.named: node for node in nodes}
    groups = _Groups()
    for previous, user in aliases:
        if _stated(known, previous) and _stated(known, user):
            groups.link(Named("user_id", previous), Named("user_id", user))
    sharing: dict[Named, Sharing] = {}
    for device, users in devices.items():
        owners = {groups.of(Named("user_id", user)) for user in users}
        sharing[Named("anonymous_id", device)] = _sharing(len(users), len(owners))
    for device, users in devices.items():
        named = Named("anonymous_id", device)
        if sharing[named] is Sharing.ONE and users:
            groups.link(named, Named("user_id", min(users)))
    first: dict[Named, Node] = {}
    for node in sorted(known.values(), key=lambda each: each.stored):
        if sharing.get(node.named) is not Sharing.SHARED:
            first.setdefault(groups.of(node.named), node)
    return {
        named: Placement(
            None if sharing.get(named) is Sharing.SHARED else first[groups.of(named)].id,
            sharing.get(named, Sharing.ONE),
        )
        for named in known
    }


def user_at(facts: Sequence[tuple[Key, str]], us: int) -> str:
    """The user of a shared device at an instant: of its latest fact at or before it, else of its earliest.

    `facts` are (place in event-time order, user id), sorted, at least one.
    """
    return facts[max(bisect_right(facts, us, key=lambda fact: fact[0][0]) - 1, 0)][1]


def _sharing(users: int, owners: int) -> Sharing:
    if users > MOST_USERS:
        return Sharing.KIOSK
    return Sharing.SHARED if owners > 1 else Sharing.ONE


def _stated(known: Mapping[Named, Node], user: str) -> bool:
    node = known.get(Named("user_id", user))
    return node is not None and node.stated


class _Groups:
    """Sets of identifiers that are one (union-find)."""

    def __init__(self) -> None:
        self._above: dict[Named, Named] = {}

    def of(self, named: Named) -> Named:
        while (above := self._above.get(named, named)) != named:
            self._above[named] = self._above.get(above, above)
            named = above
        return named

    def link(self, a: Named, b: Named) -> None:
        first, second = sorted((self.of(a), self.of(b)))
        if first != second:
            self._above[second] = first
