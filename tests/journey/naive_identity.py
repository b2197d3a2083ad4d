"""Whose identifiers are, told once more, plainly: labels spread over all facts until nothing changes."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

Name = tuple[str, str]
When = tuple[int, str, str]

MOST_EMAILS, MOST_DEVICES = 5, 1_000
MOST_TIED = {
    ("anonymous_id", "user_id"): 50,
    ("anonymous_id", "email"): 50,
    ("user_id", "email"): 50,
    ("email", "user_id"): 50,
    ("email", "anonymous_id"): 1_000,
}


class Known(NamedTuple):
    """All that was said. A fact of a device: (device, user, when). A statement: (e-mail, by whom, when)."""

    names: Sequence[Name]
    devices: Sequence[tuple[str, str, When]] = ()
    joins: Sequence[tuple[Name, Name]] = ()
    statements: Sequence[tuple[str, Name, When]] = ()
    crowds: Sequence[Name] = ()


class Told(NamedTuple):
    """Who is one, whose nobody's devices and e-mails are, the e-mails of several, and what tells nothing."""

    customers: frozenset[frozenset[Name]]
    nobodys: frozenset[Name]
    ambiguous: frozenset[Name]
    kiosks: frozenset[Name]


def told(known: Known, most_tied: Mapping[tuple[str, str], int] = MOST_TIED) -> Told:
    """By the contract: kiosks aside, aliases and merges, devices, e-mails by component, limits."""
    ties = {(("anonymous_id", device), ("user_id", user)) for device, user, _ in known.devices}
    for address, speaker, _ in known.statements:
        ties |= {(("email", address), speaker), (speaker, ("email", address))}
    kiosks = {*known.crowds} | {
        name
        for name in known.names
        for (mine, other), most in most_tied.items()
        if mine == name[0] and sum(a == name and b[0] == other for a, b in ties) > most
    }
    users_of = {
        value: {user for device, user, _ in known.devices if device == value}
        for type_, value in known.names
        if type_ == "anonymous_id"
    }
    base = {name: name for name in known.names}
    shared: set[Name] = set()
    while True:
        before = dict(base)
        shared = {
            ("anonymous_id", device)
            for device, users in users_of.items()
            if ("anonymous_id", device) not in kiosks and len({base["user_id", user] for user in users}) > 1
        }
        for device, users in users_of.items():
            if ("anonymous_id", device) not in shared | kiosks:
                for user in users:
                    _paint(base, ("anonymous_id", device), ("user_id", user))
        for a, b in known.joins:
            if a not in shared and b not in shared:
                _paint(base, a, b)
        if base == before:
            break
    said = {(("email", email), _speaker(known, by, at, shared), at) for email, by, at in known.statements}
    said = {each for each in said if kiosks.isdisjoint(each[:2])}
    wide = dict(base)
    for email, by, _ in said:
        _paint(wide, email, by)
    ambiguous = {
        email
        for email, _, _ in said
        if len({base[name] for name in known.names if name[0] == "user_id" and wide[name] == wide[email]}) > 1
    }
    customers = _limited(known, users_of, shared, kiosks, sorted(each for each in said if each[0] not in ambiguous))
    alone = {email for email in known.names if email[0] == "email" and _mates(customers, email) == {email}}
    nobodys = shared | ambiguous | alone
    parts = {frozenset(_mates(customers, name)) for name in known.names if name not in nobodys}
    return Told(frozenset(parts), frozenset(nobodys), frozenset(ambiguous), frozenset(kiosks))


def _limited(
    known: Known,
    users_of: Mapping[str, set[str]],
    shared: set[Name],
    kiosks: set[Name],
    said: Sequence[tuple[Name, Name, When]],
) -> dict[Name, Name]:
    customers = {name: name for name in known.names}
    for a, b in known.joins:
        if a not in shared and b not in shared:
            _paint(customers, a, b)
    links = [(at, email, by) for email, by, at in said]
    for device, users in users_of.items():
        if users and ("anonymous_id", device) not in shared | kiosks:
            at, user = min((at, user) for each, user, at in known.devices if each == device)
            links.append((at, ("anonymous_id", device), ("user_id", user)))
    for _, a, b in sorted(links):
        both = _mates(customers, a) | _mates(customers, b)
        emails, devices = (sum(type_ == wanted for type_, _ in both) for wanted in ("email", "anonymous_id"))
        if emails <= MOST_EMAILS and devices <= MOST_DEVICES:
            _paint(customers, a, b)
    return customers


def _speaker(known: Known, by: Name, at: When, shared: set[Name]) -> Name:
    if by not in shared:
        return by
    turns = sorted((when, user) for device, user, when in known.devices if device == by[1])
    until = [user for when, user in turns if when[0] <= at[0]]
    return ("user_id", until[-1] if until else turns[0][1])


def _paint(labels: dict[Name, Name], a: Name, b: Name) -> None:
    old, new = labels[a], labels[b]
    for name, label in labels.items():
        if label == old:
            labels[name] = new


def _mates(labels: Mapping[Name, Name], of: Name) -> set[Name]:
    return {name for name, label in labels.items() if label == labels[of]}
