"""The state of a journey: a commutative join of what its touchpoints say, so that their order never matters."""

from collections.abc import Iterable, Mapping

import msgspec

from services.journey.domain.parts import contacts, halvings, invoices, learning, relationships, surveys, tickets
from services.journey.domain.parts.contacts import Contacts
from services.journey.domain.parts.halvings import Halvings
from services.journey.domain.parts.invoices import Invoices
from services.journey.domain.parts.joining import Register, either, greatest, latest, merged, newest
from services.journey.domain.parts.learning import Learning
from services.journey.domain.parts.relationships import Relationships
from services.journey.domain.parts.surveys import Surveys
from services.journey.domain.parts.tickets import Tickets
from services.journey.domain.reading import Key

FOLD = 8
"""The number of this fold. It grows with every change of what a state means; lower ones are folded again first."""

MOST_TRAITS = 200
MOST_FEATURES = 200
MOST_PURCHASES = 5
MOST_DATED = 100
MOST_CONTRACT = 500
MOST_GROUPS = 100
MOST_ACCOUNT_TRAITS = 2_000
MOST_CURRENCIES = 100
MOST_CONSENTS = 500
DAYS_COUNTED = 400

TRIAL = ("trial_started_at", "trial_ends_at")
"""What `billing` holds of a trial, the latest said of each: where a trial names no end, that there is none."""

Seen = tuple[int, int, str, int]
"""How often a kind was seen, first at (microseconds, message id), last at."""

Day = tuple[int, str, int, str]
"""A day's first and last value touchpoint: microseconds and message id of each."""

Contract = tuple[int, str, str, int | None]
"""What happened to a contract or its payment: microseconds, message id, kind, effective at."""


class State(msgspec.Struct, frozen=True, array_like=True):
    """What a set of touchpoints adds up to. States of sets that share none join in any order."""

    touchpoints: int = 0
    first: Key | None = None
    last: Key | None = None
    known: Key | None = None
    kinds: Mapping[str, Seen] = {}
    counts: Mapping[str, Mapping[str, int]] = {}
    days: Mapping[str, Mapping[str, Day]] = {}
    purchases: list[Key] = []
    features: Mapping[str, int] = {}
    traits: Mapping[str, Register] = {}
    tickets: Tickets = {}
    contract: list[Contract] = []
    billing: Mapping[str, Register] = {}
    revenue: Mapping[str, int] = {}
    surveys: Surveys = surveys.NONE
    learning: Learning = learning.NONE
    invoices: Invoices = invoices.NONE
    halvings: Halvings = {}
    consents: Mapping[str, Register] = {}
    groups: Mapping[str, Key] = {}
    account_traits: Mapping[str, Mapping[str, Register]] = {}
    referrals: list[Key] = []
    deletions: list[Key] = []
    live: int | None = None
    history: int | None = None
    relationships: Relationships = relationships.NONE
    contacts: Contacts = contacts.NONE
    imported: int | None = None


EMPTY = State()


def join(a: State, b: State) -> State:
    """The state of both sets together."""
    if a is EMPTY or b is EMPTY:
        return b if a is EMPTY else a
    return State(
        touchpoints=a.touchpoints + b.touchpoints,
        first=either(a.first, b.first, min),
        last=either(a.last, b.last, max),
        known=either(a.known, b.known, min),
        kinds=merged(a.kinds, b.kinds, _seen),
        counts=merged(a.counts, b.counts, _counts),
        days=merged(a.days, b.days, _days),
        purchases=sorted([*a.purchases, *b.purchases])[:MOST_PURCHASES],
        features=newest(merged(a.features, b.features, max), MOST_FEATURES),
        traits=newest(merged(a.traits, b.traits, max), MOST_TRAITS),
        tickets=tickets.join(a.tickets, b.tickets),
        contract=_contract(a.contract, b.contract),
        billing=merged(a.billing, b.billing, max),
        revenue=greatest(merged(a.revenue, b.revenue, int.__add__), MOST_CURRENCIES),
        surveys=surveys.join(a.surveys, b.surveys),
        learning=learning.join(a.learning, b.learning),
        invoices=invoices.join(a.invoices, b.invoices),
        halvings=halvings.join(a.halvings, b.halvings),
        consents=newest(merged(a.consents, b.consents, max), MOST_CONSENTS),
        groups=latest_groups(merged(a.groups, b.groups, max)),
        account_traits=_account_traits(merged(a.account_traits, b.account_traits, _traits)),
        referrals=latest(a.referrals, b.referrals, MOST_DATED),
        deletions=latest(a.deletions, b.deletions, MOST_DATED),
        live=either(a.live, b.live, max),
        history=either(a.history, b.history, max),
        imported=either(a.imported, b.imported, max),
        relationships=relationships.join(a.relationships, b.relationships),
        contacts=contacts.join(a.contacts, b.contacts),
    )


def joined(states: Iterable[State]) -> State:
    """The join of many, in pairs, so that a long history costs n log n."""
    row = list(states)
    while len(row) > 1:
        pairs = [join(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
        row = pairs + row[len(row) - len(row) % 2 :]
    return row[0] if row else EMPTY


def value_days(state: State, classes: Iterable[str]) -> Mapping[int, Day]:
    """The days (since 1970, UTC) with an act of use of any of the classes."""
    days: Mapping[str, Day] = {}
    for name in classes:
        days = _days(days, state.days.get(name, {}))
    return {int(number): day for number, day in days.items()}


def account_of(state: State) -> str | None:
    """The account that the person belongs to now: that of the latest `group`."""
    if not state.groups:
        return None
    return max(state.groups, key=lambda account: (state.groups[account], account))


def latest_groups(groups: Mapping[str, Key]) -> Mapping[str, Key]:
    """Of the accounts that a person was said to belong to, each with when last, those for which the person counts."""
    return newest(groups, MOST_GROUPS)


def share(state: State, account: str) -> State:
    """What a person's touchpoints add to their account: all but what is the person's own.

    A person's contract is their own, a trial is their account's too: it is they who try.
    """
    traits = dict(state.account_traits.get(account, {}))
    billing = {name: traits[name] for name in ("plan", "seats", "renewal_at", "mrr") if name in traits}
    return msgspec.structs.replace(
        state,
        known=None,
        traits=traits,
        contract=[],
        invoices=invoices.NONE,
        billing=billing | {name: state.billing[name] for name in TRIAL if name in state.billing},
        consents={},
        groups={},
        account_traits={},
        deletions=[],
        relationships=relationships.NONE,
    )


def known_from_start(state: State) -> State:
    """An account's state: whose journey it is was known from its first touchpoint."""
    return msgspec.structs.replace(state, known=state.first)


def _seen(a: Seen, b: Seen) -> Seen:
    first = min(a[1:3], b[1:3])
    return (a[0] + b[0], first[0], first[1], max(a[3], b[3]))


def _counts(a: Mapping[str, int], b: Mapping[str, int]) -> Mapping[str, int]:
    """How often by day since 1970: of the latest days with any."""
    both = merged(a, b, int.__add__)
    if len(both) <= DAYS_COUNTED:
        return both
    return {day: both[day] for day in sorted(both, key=int)[-DAYS_COUNTED:]}


def _day(a: Day, b: Day) -> Day:
    return (*min(a[:2], b[:2]), *max(a[2:], b[2:]))


def _days(a: Mapping[str, Day], b: Mapping[str, Day]) -> Mapping[str, Day]:
    return merged(a, b, _day)


def _traits(a: Mapping[str, Register], b: Mapping[str, Register]) -> Mapping[str, Register]:
    return newest(merged(a, b, max), MOST_TRAITS)


def _account_traits(traits: Mapping[str, Mapping[str, Register]]) -> Mapping[str, Mapping[str, Register]]:
    """The newest traits of all accounts together. Whole accounts cannot go: one that came back would have lost some."""
    if sum(map(len, traits.values())) <= MOST_ACCOUNT_TRAITS:
        return traits
    every = sorted((register, account, name) for account, named in traits.items() for name, register in named.items())
    kept: dict[str, dict[str, Register]] = {}
    for register, account, name in every[-MOST_ACCOUNT_TRAITS:]:
        kept.setdefault(account, {})[name] = register
    return kept


def _contract(a: list[Contract], b: list[Contract]) -> list[Contract]:
    return sorted([*a, *b], key=_in_order)[-MOST_CONTRACT:] if a and b else a or b


def _in_order(event: Contract) -> tuple[int, str, str, bool, int]:
    return (event[0], event[1], event[2], event[3] is not None, event[3] or 0)
