"""An account's people, or some of them, added up: a join like their states, so that any grouping gives the same."""

from collections.abc import Collection, Iterable

import msgspec

from services.journey.domain import state as states
from services.journey.domain.state import EMPTY, State, value_days

MOST_ACTIVE = 1_000


class People(msgspec.Struct, frozen=True, array_like=True):
    """How many they are; when each last did what counts as use; and what they add to the account, joined.

    `active` is in microseconds, the latest first, of at most 1,000.
    """

    number: int = 0
    active: list[int] = []
    state: State = EMPTY


NOBODY = People()


def added(shares: Iterable[State], classes: Collection[str]) -> People:
    """People of these shares; what counts as use are acts of these classes."""
    row = list(shares)
    last = (us for share in row if (us := _last_value(share, classes)) is not None)
    return People(len(row), _latest(last), states.joined(row))


def join(a: People, b: People) -> People:
    """The people of both, who share none."""
    if a is NOBODY or b is NOBODY:
        return b if a is NOBODY else a
    return People(a.number + b.number, _latest([*a.active, *b.active]), states.join(a.state, b.state))


def _latest(active: Iterable[int]) -> list[int]:
    return sorted(active, reverse=True)[:MOST_ACTIVE]


def _last_value(share: State, classes: Collection[str]) -> int | None:
    return max((day[2] for day in value_days(share, classes).values()), default=None)
