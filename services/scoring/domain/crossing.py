"""The exact instant at which a band changes by silence, found by bisection between instants that prove it."""

from collections.abc import Callable
from datetime import datetime

from jornada.events import Band, Crosses
from jornada.instants import instant, micros
from services.scoring.domain.course import Course
from services.scoring.domain.profiles import Thresholds
from services.scoring.domain.shapes import DAY, significant

HORIZON_DAYS = 3_650
"""How far ahead a crossing is looked for; by then nothing that decays is left."""


def band_at(course: Course, thresholds: Thresholds, at: int) -> Band:
    """The band at an instant (microseconds since 1970), by the score as published."""
    return thresholds.band(significant(course.score(at)))


def crosses(course: Course, thresholds: Thresholds, now: datetime) -> Crosses | None:
    """The band that comes next and its first microsecond, if nothing more happens; None if no other comes."""
    begin = micros(now)
    current = band_at(course, thresholds, begin)
    if current == "red":
        return None
    below = thresholds.green if current == "green" else thresholds.yellow
    reached = fallen_below(course, below, begin, begin + HORIZON_DAYS * DAY)
    return None if reached is None else Crosses(band_at(course, thresholds, reached), instant(reached))


def fallen_below(course: Course, threshold: float, begin: int, end: int) -> int | None:
    """The first microsecond in (begin, end] at which the score lies below; None if it does not, even at `end`.

    `begin` must lie at or above the threshold, as the result then proves: the microsecond before it still does.
    """

    def holds(at: int) -> bool:
        return significant(course.score(at)) >= threshold

    if holds(end):
        return None
    low, high = begin, end
    step = course.vetoed_from
    if step is not None and low < step <= high:
        # A dated veto is a step: met first, so that between the bounds the score only glides.
        if holds(step):
            low = step
        elif holds(step - 1):
            return step
        else:
            high = step - 1
    stride = DAY
    while low + stride < high and holds(low + stride):
        low += stride
        stride *= 2
    return _bisected(holds, low, min(high, low + stride))


def _bisected(holds: Callable[[int], bool], low: int, high: int) -> int:
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return high
