"""Whether what a source sends of a kind has collapsed: a tracker that broke, and not customers who left."""

from collections.abc import Iterable, Sequence
from statistics import median_low
from typing import NamedTuple

DAY_HOURS = 24
WEEK_HOURS = 168
_WEEKS = 4
_COLLAPSED_HOURS = 3
_REPAIRED_HOURS = 2

Span = tuple[int, int | None]
"""From one instant on, up to another or without an end, in microseconds."""


class Collapse(NamedTuple):
    """Hours, by their place in the counts: the last one before it in which anything came, and where it was repaired.

    `repaired` is the first of the hours that show it, None while the collapse stands.
    """

    last: int
    repaired: int | None = None


def collapses(counts: Sequence[int], least: int) -> list[Collapse]:
    """The collapses of a stream, in order; `counts` are of consecutive whole hours, the last one over.

    It collapses where at least three hours in a row have less than a tenth of what was expected, and expected were
    `least` or more in all of them; it is repaired where two in a row have at least half. Hours in which nothing is
    expected tell nothing, and break no row. What is missing is not expected of later weeks.

    Five weeks of counts tell of a collapse of up to a week what they tell of it at once.
    """
    found: list[Collapse] = []
    seen: list[int | None] = []
    low: list[tuple[int, int]] = []
    back: list[int] = []
    for hour, count in enumerate(counts):
        awaited = expected(seen, hour) if seen else 0
        standing = bool(found) and found[-1].repaired is None
        seen.append(None if standing else count)
        if awaited <= 0:
            continue
        low = [*low, (hour, awaited)] if 10 * count < awaited and not standing else []
        back = [*back, hour] if 2 * count >= awaited and standing else []
        if len(low) >= _COLLAPSED_HOURS and sum(each for _, each in low) >= least:
            found.append(Collapse(_last(counts, low[0][0])))
            seen[low[0][0] :] = [None] * (hour + 1 - low[0][0])
            low = []
        elif len(back) == _REPAIRED_HOURS:
            found[-1] = found[-1]._replace(repaired=back[0])
            seen[back[0] :] = counts[back[0] : hour + 1]
            back = []
    return found


def expected(counts: Sequence[int | None], hour: int) -> int:
    """How many are expected in an hour by those before it (None: unknown); 0 where nobody can tell.

    The median of the same hour of the week over the last four weeks. Where fewer than two of these are known it is
    the lower one of that and of the median of the same hour of the day; of less than a week nothing is expected, as a
    weekend would look like a collapse.
    """
    weekly = _known(counts, hour, WEEK_HOURS)
    if len(weekly) >= 2:
        return median_low(weekly)
    daily = _known(counts, hour, DAY_HOURS)
    return min(weekly[0], median_low(daily)) if weekly and daily else 0


def _known(counts: Sequence[int | None], hour: int, every: int) -> list[int]:
    """What was counted every so many hours before an hour, over four weeks."""
    places = range(hour - every, max(hour - _WEEKS * WEEK_HOURS, 0) - 1, -every)
    return [count for place in places if (count := counts[place]) is not None]


def _last(counts: Sequence[int], before: int) -> int:
    """The last hour in which anything came, before one of which something was expected."""
    return next((hour for hour in range(before - 1, -1, -1) if counts[hour]), 0)


def lived(freezes: Iterable[Span], begin: int, end: int) -> int:
    """The time from one instant to another less what is frozen of it; all in microseconds, 0 where `end` is earlier.

    What several freezes cover is frozen once.
    """
    time, at = max(end - begin, 0), begin
    for frozen, until in sorted(freezes, key=lambda span: span[0]):
        covered_from, covered_until = max(frozen, at), end if until is None else min(until, end)
        if covered_until > covered_from:
            time -= covered_until - covered_from
            at = covered_until
    return time
