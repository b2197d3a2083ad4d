"""The exact instant at which a band changes by time alone, by bisection between bounds that prove it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from jornada.events import Crosses
from jornada.instants import instant, micros
from services.scoring.domain.bands import Bands, Corridor
from services.scoring.domain.shapes import DAY

HORIZON_DAYS = 3_650
"""How far ahead a crossing is looked for; by then nothing that decays is left."""


class Curve(Protocol):
    """A score as a function of time (microseconds since 1970), from the journey's own instant on."""

    @property
    def turns(self) -> Sequence[int]:
        """Instants, in order, from each of which to the next every one of the values only rises or only falls."""

    def values(self, at: int) -> list[float]:
        """What the score is made of."""

    def total(self, values: Sequence[float], at: int) -> float:
        """The score that values make, rounded as published, more being better.

        It only rises or only falls with each value, with all of them the same way; of `at` it only asks between which
        turns it lies.
        """


def at(curve: Curve, when: int) -> float:
    """The score at an instant."""
    return curve.total(curve.values(when), when)


def crosses(curve: Curve, bands: Bands, now: datetime) -> Crosses | None:
    """The band that comes next and its first microsecond, if nothing more happens; None if no other comes."""
    begin = micros(now)
    left = leaves(curve, bands.corridor(bands.band(at(curve, begin))), begin, begin + HORIZON_DAYS * DAY)
    return None if left is None else Crosses(bands.band(at(curve, left)), instant(left))


def entered(curve: Curve, bands: Bands, begin: datetime, now: datetime) -> datetime:
    """When the band of `now` was entered by time alone; `begin` where it has held since then."""
    since, end = micros(begin), micros(now)
    while since < end:
        left = leaves(curve, bands.corridor(bands.band(at(curve, since))), since, end)
        if left is None:
            break
        since = left
    return instant(since)


def leaves(curve: Curve, corridor: Corridor, begin: int, end: int) -> int | None:
    """The first microsecond in (begin, end] at which the score lies outside; None if it does not before the end.

    At `begin` it must lie within. What is skipped is proved to lie within: between two turns each value lies between
    those at both ends, and so the score between that of the lesser and that of the greater ones.
    """
    for first, last in _stretches(curve, begin, end):
        if first > begin and not _within(at(curve, first), corridor):
            return first
        found = _leaves(curve, corridor, first, last)
        if found is not None:
            return found
    return None


def _stretches(curve: Curve, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """From each turn up to the microsecond before the next."""
    first = begin
    for turn in curve.turns:
        if first < turn <= end:
            yield first, turn - 1
            first = turn
    yield first, end


def _leaves(curve: Curve, corridor: Corridor, begin: int, end: int) -> int | None:
    waiting = [(begin, curve.values(begin), end, curve.values(end))]
    while waiting:
        low, at_low, high, at_high = waiting.pop()
        one = curve.total([min(pair) for pair in zip(at_low, at_high, strict=True)], low)
        other = curve.total([max(pair) for pair in zip(at_low, at_high, strict=True)], low)
        if _within(one, corridor) and _within(other, corridor):
            continue
        if high - low <= 1:
            if not _within(curve.total(at_high, high), corridor):
                return high
            continue
        middle = (low + high) // 2
        between = curve.values(middle)
        waiting.append((middle, between, high, at_high))
        waiting.append((low, at_low, middle, between))
    return None


def _within(score: float, corridor: Corridor) -> bool:
    low, high = corridor
    return low <= score < high
