"""Whose a touchpoint is: customers as components of the facts, and the user of a shared device at an instant."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from services.journey.domain.reading import Key, Moment

MOST_USERS = 50
MOST_DEVICES = 1_000
MOST_EMAILS = 5

MOST_TIED = {
    ("anonymous_id", "user_id"): MOST_USERS,
    ("anonymous_id", "email"): 50,
    ("user_id", "email"): 50,
    ("user_id", "user_id"): 1_000,
    ("email", "user_id"): MOST_USERS,
    ("email", "anonymous_id"): MOST_DEVICES,
}
"""By types: what is tied to more of the other type than this is a kiosk, like a tool that identifies others."""


class Sharing(StrEnum):
    """What an identifier tells: whose it is (`one`, or nobody's), several customers' (`shared`), or nothing (`kiosk`).

    A shared device has a user by the hour; a shared e-mail is ambiguous. A user id that is a kiosk states no e-mails.
    """

    ONE = "one"
    SHARED = "shared"
    KIOSK = "kiosk"


class Why(StrEnum):
    """Why a fact links nothing."""

    SHARED_DEVICE = "shared_device"
    KIOSK = "kiosk"
    AMBIGUOUS_EMAIL = "ambiguous_email"
    TOO_MANY_EMAILS = "too_many_emails"
    TOO_MANY_ANONYMOUS_IDS = "too_many_anonymous_ids"


class Named(NamedTuple):
    """One identifier: user_id, anonymous_id, email or account."""

    type: str
    value: str


class Node(NamedTuple):
    """An identifier as it is stored: its drawn id, and its place in the order in which they were first stored."""

    named: Named
    id: UUID
    stored: int
    stated: bool


class Placement(NamedTuple):
    """Whose an identifier is, and what it tells. What is shared is nobody's: `customer` is None."""

    customer: UUID | None
    sharing: Sharing


class Statement(NamedTuple):
    """That an e-mail is theirs, as a user id or (without one) a device said it."""

    email: str
    by: Named
    at: Moment


class Facts(NamedTuple):
    """The facts of a closed neighbourhood of identifiers; of a kiosk's so many that it is seen to be one.

    `devices` maps an anonymous id to the user ids it was seen with, each since when. `joins` are two identifiers that
    somebody said are one, by an `alias` or a merge. `users` maps each device that states e-mails and has several user
    ids to those ids by event time, as `user_at` takes them. `crowds` are user ids of too many aliases to join anybody
    by, each since when.
    """

    devices: Mapping[str, Mapping[str, Moment]]
    joins: frozenset[tuple[Named, Named]] = frozenset()
    statements: Collection[Statement] = ()
    users: Mapping[str, Sequence[tuple[Key, str]]] = {}
    crowds: Mapping[Named, Moment] = {}


class Refusal(NamedTuple):
    """A fact that links nothing: what it would have linked (a kiosk: to anybody), why not, and when it was stated."""

    named: Named
    to: Named | None
    why: Why
    at: Moment


class Judged(NamedTuple):
    """Whose everything is, which facts link nothing, and whom each ambiguous e-mail would have made one."""

    placements: Mapping[Named, Placement]
    refusals: frozenset[Refusal]
    rivals: Mapping[str, frozenset[UUID]]


class _Link(NamedTuple):
    at: Moment
    named: Named
    to: Named


def judged(nodes: Iterable[Node], facts: Facts) -> Judged:
    """Customers of a closed neighbourhood of identifiers.

    Two user ids are one customer by an `alias` or a merge only. Devices follow; e-mails are judged after them, by
    whole components, and limits last. A customer's id is that of its first stored user id or anonymous id.
    """
    known = {node.named: node for node in nodes}
    whole = _Groups()
    kiosks = _kiosks(known, facts)
    sharing = _tied(whole, facts, kiosks)
    links = _statements(facts, sharing)
    rivals = _rivals(whole, links, [named for named in known if named.type == "user_id"])
    ambiguous = [link for link in links if link.named in rivals]
    links = [link for link in links if link.named not in rivals]
    groups, refused = _linked(facts, sharing, links)
    refused |= _shared(facts, sharing) | {Refusal(kiosk, None, Why.KIOSK, at) for kiosk, at in kiosks.items()}
    refused |= {Refusal(link.named, link.to, Why.AMBIGUOUS_EMAIL, link.at) for link in ambiguous}
    sharing |= dict.fromkeys(rivals, Sharing.SHARED)
    placements = _placed(known, groups, sharing)
    return Judged(
        placements,
        frozenset(refused),
        {
            email.value: frozenset(id_ for user in users if (id_ := placements[user].customer) is not None)
            for email, users in rivals.items()
        },
    )


def user_at(facts: Sequence[tuple[Key, str]], us: int) -> str:
    """The user of a shared device at an instant: of its latest fact at or before it, else of its earliest.

    `facts` are (place in event-time order, user id), sorted, at least one.
    """
    return facts[max(bisect_right(facts, us, key=lambda fact: fact[0][0]) - 1, 0)][1]


def _kiosks(known: Collection[Named], facts: Facts) -> dict[Named, Moment]:
    """What too much is tied to, to tell anything; each since the first fact of it."""
    ties: dict[tuple[Named, str], set[Named]] = defaultdict(set)
    since: dict[tuple[Named, str], Moment] = {}
    for a, b, at in _all_ties(facts):
        ties[a, b.type].add(b)
        since[a, b.type] = min(at, since.get((a, b.type), at))
    found = {named: at for named, at in facts.crowds.items() if named in known}
    for (named, type_), others in ties.items():
        if named in known and len(others) > MOST_TIED.get((named.type, type_), len(others)):
            found[named] = min(since[named, type_], found.get(named, since[named, type_]))
    return found


def _all_ties(facts: Facts) -> Iterator[tuple[Named, Named, Moment]]:
    for device, users in facts.devices.items():
        for user, at in users.items():
            yield Named("anonymous_id", device), Named("user_id", user), at
    for each in facts.statements:
        yield each.by, Named("email", each.email), each.at
        yield Named("email", each.email), each.by, each.at


def _tied(groups: "_Groups", facts: Facts, kiosks: Collection[Named]) -> dict[Named, Sharing]:
    """Links what aliases, merges and devices of one customer link, until nothing more does; what each tells by that."""
    while True:
        before, sharing = groups.links, dict.fromkeys(kiosks, Sharing.KIOSK)
        for device, users in facts.devices.items():
            named = Named("anonymous_id", device)
            owners = {groups.of(Named("user_id", user)) for user in users}
            if named not in kiosks:
                sharing[named] = Sharing.SHARED if len(owners) > 1 else Sharing.ONE
            if sharing[named] is Sharing.ONE and users:
                groups.link(named, owners.pop())
        for a, b in _joins(facts, sharing):
            groups.link(a, b)
        if groups.links == before:
            return sharing


def _joins(facts: Facts, sharing: Mapping[Named, Sharing]) -> list[tuple[Named, Named]]:
    """A shared device is nobody's, so a merge that names it joins nobody while it is."""
    return [
        (a, b)
        for a, b in sorted(facts.joins)
        if sharing.get(a) is not Sharing.SHARED and sharing.get(b) is not Sharing.SHARED
    ]


def _statements(facts: Facts, sharing: Mapping[Named, Sharing]) -> list[_Link]:
    """What e-mails link, each link once: what a shared device states is stated by its user of the hour."""
    first: dict[tuple[Named, Named], Moment] = {}
    for each in facts.statements:
        by = each.by
        if sharing.get(by) is Sharing.SHARED:
            by = Named("user_id", user_at(facts.users[by.value], each.at[0]))
        link = (Named("email", each.email), by)
        if Sharing.KIOSK not in {sharing.get(end) for end in link}:
            first[link] = min(each.at, first.get(link, each.at))
    return [_Link(at, *link) for link, at in first.items()]


def _rivals(whole: "_Groups", links: Sequence[_Link], users: Collection[Named]) -> dict[Named, list[Named]]:
    """The e-mails whose component holds users of several customers, with those users."""
    customers = {user: whole.of(user) for user in users}
    for link in links:
        whole.link(link.named, link.to)
    together: dict[Named, list[Named]] = defaultdict(list)
    for user in users:
        together[whole.of(user)].append(user)
    found = {link.named: together.get(whole.of(link.named), []) for link in links}
    return {email: theirs for email, theirs in found.items() if len({customers[user] for user in theirs}) > 1}


def _linked(
    facts: Facts, sharing: Mapping[Named, Sharing], statements: Iterable[_Link]
) -> tuple["_Groups", set[Refusal]]:
    """Links what somebody said is one, then fact by fact in event-time order what the limits leave room for."""
    groups, refused = _Groups(), set()
    for a, b in _joins(facts, sharing):
        groups.link(a, b)
    late = _late(facts.devices)
    for link in sorted([*_ties(facts, sharing), *statements]):
        why = Why.TOO_MANY_ANONYMOUS_IDS if link in late else groups.overfull(link.named, link.to)
        if why is None:
            groups.link(link.named, link.to)
        else:
            refused.add(Refusal(link.named, link.to, why, link.at))
    return groups, refused


def _ties(facts: Facts, sharing: Mapping[Named, Sharing]) -> list[_Link]:
    return [
        min(_Link(at, named, Named("user_id", user)) for user, at in users.items())
        for device, users in facts.devices.items()
        if users and sharing[named := Named("anonymous_id", device)] is Sharing.ONE
    ]


def _late(devices: Mapping[str, Mapping[str, Moment]]) -> set[_Link]:
    """The ties of each user id beyond its first 1,000, shared devices included: no more of them need be known."""
    ties: dict[Named, list[_Link]] = defaultdict(list)
    for device, users in devices.items():
        for user, at in users.items():
            to = Named("user_id", user)
            ties[to].append(_Link(at, Named("anonymous_id", device), to))
    return {link for theirs in ties.values() for link in sorted(theirs)[MOST_DEVICES:]}


def _shared(facts: Facts, sharing: Mapping[Named, Sharing]) -> set[Refusal]:
    refused = set()
    for device, users in facts.devices.items():
        named = Named("anonymous_id", device)
        if sharing[named] is Sharing.SHARED:
            refused |= {Refusal(named, Named("user_id", user), Why.SHARED_DEVICE, at) for user, at in users.items()}
    return refused


def _placed(known: Mapping[Named, Node], groups: "_Groups", sharing: Mapping[Named, Sharing]) -> dict[Named, Placement]:
    first: dict[Named, Node] = {}
    for node in sorted(known.values(), key=lambda each: each.stored):
        if node.named.type != "email" and sharing.get(node.named) is not Sharing.SHARED:
            first.setdefault(groups.of(node.named), node)
    placed = {}
    for named in known:
        told = sharing.get(named, Sharing.ONE)
        owner = None if told is Sharing.SHARED else first.get(groups.of(named))
        placed[named] = Placement(None if owner is None else owner.id, told)
    return placed


class _Groups:
    """Sets of identifiers that are one (union-find), and how many of each type are in each."""

    def __init__(self) -> None:
        self.links = 0
        self._above: dict[Named, Named] = {}
        self._held: dict[Named, Counter[str]] = {}

    def of(self, named: Named) -> Named:
        while (above := self._above.get(named, named)) != named:
            self._above[named] = self._above.get(above, above)
            named = above
        return named

    def link(self, a: Named, b: Named) -> None:
        first, second = sorted((self.of(a), self.of(b)))
        if first != second:
            self.links += 1
            self._above[second] = first
            self._held[first] = self._count(first) + self._count(second)

    def overfull(self, a: Named, b: Named) -> Why | None:
        """The limit that both as one would be above."""
        first, second = self.of(a), self.of(b)
        if first == second:
            return None
        both = self._count(first) + self._count(second)
        if both["email"] > MOST_EMAILS:
            return Why.TOO_MANY_EMAILS
        return Why.TOO_MANY_ANONYMOUS_IDS if both["anonymous_id"] > MOST_DEVICES else None

    def _count(self, root: Named) -> Counter[str]:
        return self._held.get(root) or Counter({root.type: 1})
