"""How long a customer's pauses are, and which of them are too long."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from services.journey.domain.contracts import Period
from services.journey.domain.rules import RuleSet
from services.journey.domain.state import Day

_DAY = 86_400_000_000
_FEWEST_GAPS = 4

MOST_GAPS = 20
"""How many gaps, the latest, tell what is usual."""


def own_gap(gaps: Sequence[int], rules: RuleSet) -> int:
    """The nearest-rank 90th percentile of the last 20 gaps in days; below 4 of them what the rules expect."""
    if len(gaps) < _FEWEST_GAPS:
        return rules.expected_gap_days
    last = sorted(gaps[-MOST_GAPS:])
    return last[-(-len(last) * 9 // 10) - 1]


def gaps_of(days: Iterable[int]) -> list[int]:
    """The gaps between value days, in whole days, in order."""
    return [later - earlier for earlier, later in pairwise(sorted(days))]


def worrying(days: Mapping[int, Day], rules: RuleSet) -> list[Period]:
    """Silences longer than max(the set's floor, own gap), from the instant at which they are."""
    return _longer(days, rules, lambda own: max(rules.at_risk_floor_days, own))


def final(days: Mapping[int, Day], rules: RuleSet) -> list[Period]:
    """Silences longer than max(the set's floor, twice the own gap), from the instant at which they are."""
    return _longer(days, rules, lambda own: max(rules.churned_floor_days, 2 * own))


def _longer(days: Mapping[int, Day], rules: RuleSet, patience: Callable[[int], int]) -> list[Period]:
    numbers = sorted(days)
    gaps, least = gaps_of(numbers), patience(0) * _DAY
    found = []
    for place, number in enumerate(numbers):
        _, _, last, message_id = days[number]
        following = days[numbers[place + 1]][:2] if place + 1 < len(numbers) else None
        if following is not None and following[0] - last <= least:
            continue
        begins = last + patience(own_gap(gaps[max(place - MOST_GAPS, 0) : place], rules)) * _DAY
        if following is None or begins < following[0]:
            found.append(Period("silence", (begins, message_id), following))
    return found
