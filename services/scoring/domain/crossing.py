"""The exact instant at which a band changes by time alone, by bisection between bounds that prove it."""

from collections.abc import Iterator
from datetime import datetime

from jornada.events import Band, Crosses
from jornada.instants import instant, micros
from services.scoring.domain.course import Course
from services.scoring.domain.profiles import Thresholds
from services.scoring.domain.shapes import DAY, significant

HORIZON_DAYS = 3_650
"""How far ahead a crossing is looked for; by then nothing that decays is left."""

Corridor = tuple[float, float]
"""The least score within, and the least that lies above."""


def band_at(course: Course, thresholds: Thresholds, at: int) -> Band:
    """The band at an instant (microseconds since 1970), by the score as published."""
    return thresholds.band(significant(course.score(at)))


def crosses(course: Course, thresholds: Thresholds, now: datetime) -> Crosses | None:
    """The band that comes next and its first microsecond, if nothing more happens; None if no other comes."""
    begin = micros(now)
    corridor = thresholds.corridor(band_at(course, thresholds, begin))
    left = leaves(course, corridor, begin, begin + HORIZON_DAYS * DAY)
    return None if left is None else Crosses(band_at(course, thresholds, left), instant(left))


def leaves(course: Course, corridor: Corridor, begin: int, end: int) -> int | None:
    """The first microsecond in (begin, end] at which the score lies outside; None if it does not before the end.

    At `begin` it must lie within. What is skipped is proved to lie within: between two turns each component lies
    between its values at both ends, and so their sum between the sums of the lesser and of the greater ones.
    """
    for first, last in _stretches(course, begin, end):
        if first > begin and not _within(significant(course.score(first)), corridor):
            return first
        found = _leaves(course, corridor, first, last)
        if found is not None:
            return found
    return None


def _stretches(course: Course, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """From each turn up to the microsecond before the next."""
    first = begin
    for turn in course.turns:
        if first < turn <= end:
            yield first, turn - 1
            first = turn
    yield first, end


def _leaves(course: Course, corridor: Corridor, begin: int, end: int) -> int | None:
    waiting = [(begin, course.values(begin), end, course.values(end))]
    while waiting:
        low, at_low, high, at_high = waiting.pop()
        pairs = list(zip(at_low, at_high, strict=True))
        least = course.capped(course.points([min(pair) for pair in pairs]), low)
        most = course.capped(course.points([max(pair) for pair in pairs]), low)
        if _within(significant(least), corridor) and _within(significant(most), corridor):
            continue
        if high - low <= 1:
            if not _within(significant(course.score(high)), corridor):
                return high
            continue
        middle = (low + high) // 2
        between = course.values(middle)
        waiting.append((middle, between, high, at_high))
        waiting.append((low, at_low, middle, between))
    return None


def _within(score: float, corridor: Corridor) -> bool:
    low, high = corridor
    return low <= score < high
