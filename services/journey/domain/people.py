"""An account's people, or some of them, added up: a join like their states, so that any grouping gives the same."""

from collections import Counter
from collections.abc import Collection, Iterable

import msgspec

from services.journey.domain import state as states
from services.journey.domain.state import EMPTY, State, value_days

MOST_DAYS = 60


class People(msgspec.Struct, frozen=True, array_like=True):
    """How many they are; how many of them acted last on which day; and what they add to the account, joined.

    `by_day` has days since 1970 (UTC) in order, each with how many people did on it what counts as use and nothing of
    that since: everybody's, of the newest 60 days with any.
    """

    number: int = 0
    by_day: list[tuple[int, int]] = []
    state: State = EMPTY


NOBODY = People()


def added(shares: Iterable[State], classes: Collection[str]) -> People:
    """People of these shares; what counts as use are acts of these classes."""
    row = list(shares)
    last = Counter(max(days) for share in row if (days := value_days(share, classes)))
    return People(len(row), _newest(last), states.joined(row))


def join(a: People, b: People) -> People:
    """The people of both, who share none."""
    if a is NOBODY or b is NOBODY:
        return b if a is NOBODY else a
    by_day = Counter(dict(a.by_day)) + Counter(dict(b.by_day))
    return People(a.number + b.number, _newest(by_day), states.join(a.state, b.state))


def _newest(by_day: Counter[int]) -> list[tuple[int, int]]:
    return sorted(by_day.items())[-MOST_DAYS:]
