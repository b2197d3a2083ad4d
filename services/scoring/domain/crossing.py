"""The exact instant at which a band changes by time alone: guessed, narrowed to the microsecond, proved the first."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from math import nextafter
from typing import NamedTuple, Protocol

from jornada.events import Crosses
from jornada.instants import instant, micros
from services.scoring.domain.bands import INFINITE, Bands, Corridor
from services.scoring.domain.shapes import DAY, least, significant

HORIZON_DAYS = 3_650
"""How far ahead a crossing is looked for; by then nothing that decays is left."""

_FIRST_LOOK, _WIDER = 8 * DAY, 4
"""How far ahead it is looked first, and how many times as far each time nothing was found."""

_NEARER = 32
_TIGHT = 8
"""What is to be proved is split so many times as near to an end that is so many times as near to an edge."""


class Curve(Protocol):
    """A score as a function of time (microseconds since 1970), from the journey's own instant on."""

    @property
    def turns(self) -> Sequence[int]:
        """Instants, in order, from each of which to the next every one of the values only rises or only falls."""

    def values(self, at: int) -> list[float]:
        """What the score is made of."""

    def total(self, values: Sequence[float], at: int) -> float:
        """The score that values make, not yet rounded as published, more being better.

        It only rises or only falls with each value, with all of them the same way; of `at` it only asks between which
        turns it lies.
        """


def at(curve: Curve, when: int) -> float:
    """The score at an instant, rounded as published."""
    return significant(curve.total(curve.values(when), when))


MOST_LOOKS = 4_000
"""Four hundred times as often as a score is looked at on average, and some tens of milliseconds."""


class _Look(NamedTuple):
    """A curve at an instant: its values, and by how much the score lies within the corridor; negative is outside."""

    at: int
    values: list[float]
    margin: float


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


class _Search:
    """A curve, and the corridor in scores that are not yet rounded: from the one up to the other, both within."""

    def __init__(self, curve: Curve, corridor: Corridor) -> None:
        self._values, self._total = curve.values, curve.total
        self._low, self._high = least(corridor[0]), nextafter(least(corridor[1]), -INFINITE)
        self._left = MOST_LOOKS

    def look(self, at: int) -> _Look:
        values = self._values(at)
        return _Look(at, values, self._margin(values, at))

    def first_outside(self, low: _Look, high: _Look) -> int | None:
        """From the one, which lies within, up to the other; between them there is no turn."""
        found = self._narrowed(low, high) if high.margin < 0 else None
        if _one_way(low.values, high.values):
            return found
        return self._earlier(low, high if found is None else self.look(found - 1), found)

    def _earlier(self, low: _Look, last: _Look, found: int | None) -> int | None:
        """The first that lies outside before what was found, or that: the earlier halves are proved first."""
        waiting = [(low, last)]
        while waiting and self._left > 0:
            self._left -= 1
            one, other = waiting.pop()
            if other.at - one.at <= 1 or self._proved(one, other):
                continue
            between = self.look(_split(one, other))
            if between.margin < 0:
                return self.first_outside(one, between)
            waiting += [(between, other), (one, between)]
        return found

    def _proved(self, one: _Look, other: _Look) -> bool:
        """Whether all between lies within, as the least and the greatest of the values at both ends do."""
        lesser, greater = (list(map(each, one.values, other.values)) for each in (min, max))
        return self._margin(lesser, one.at) >= 0 and self._margin(greater, one.at) >= 0

    def _narrowed(self, within: _Look, outside: _Look) -> int:
        """Between what lies within and what lies outside one that lies outside, next to one that does not.

        By Chandrupatla's rule: what is newest and the other side's newest, and what stood there before, tell where to
        look next.
        """
        low, in_, high, out = within.at, within.margin, outside.at, outside.margin
        step = _FIRST_LOOK
        while low + step < high:
            margin = self._at(low + step)
            if margin < 0:
                high, out = low + step, margin
                break
            low, in_, step = low + step, margin, step * _WIDER
        at, here, other, there = high, out, low, in_
        before, once = other, there
        while not -1 <= (span := other - at) <= 1:
            ahead = round(_share(here, there, once, span, before - at) * span)
            next_ = at + (min(max(ahead, 1), span - 1) if span > 0 else max(min(ahead, -1), span + 1))
            margin = self._at(next_)
            before, once = at, here
            if (margin < 0) != (here < 0):
                before, once, other, there = other, there, at, here
            at, here = next_, margin
        return at if here < 0 else other

    def _at(self, at: int) -> float:
        return self._margin(self._values(at), at)

    def _margin(self, values: Sequence[float], at: int) -> float:
        score = self._total(values, at)
        return min(score - self._low, self._high - score)


def leaves(curve: Curve, corridor: Corridor, begin: int, end: int) -> int | None:
    """The first microsecond in (begin, end] at which the score lies outside; None if it does not before the end.

    At `begin` it must lie within. What is skipped is proved to lie within: between two turns each value lies between
    those at both ends, and so the score between that of the lesser and that of the greater ones. Where parts that go
    against each other hold a score at an edge for years nothing short is ever proved: what is not after MOST_LOOKS
    counts as within.
    """
    search = _Search(curve, corridor)
    for first, last in _stretches(curve, begin, end):
        low = search.look(first)
        if first > begin and low.margin < 0:
            return first
        found = search.first_outside(low, search.look(last))
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


def _one_way(before: Sequence[float], after: Sequence[float]) -> bool:
    """Whether between two turns no value falls, or none rises: so does the score."""
    falls = rises = False
    for one, other in zip(before, after, strict=True):
        falls, rises = falls or other < one, rises or other > one
    return not (falls and rises)


def _split(one: _Look, other: _Look) -> int:
    """An instant between two from which on, or up to which, more can be proved: at an edge little can."""
    span = other.at - one.at
    if other.margin * _TIGHT < one.margin:
        return other.at - max(span // _NEARER, 1)
    return one.at + max(span // (_NEARER if one.margin * _TIGHT < other.margin else 2), 1)


def _share(here: float, there: float, once: float, span: int, back: int) -> float:
    """Of the way to the other side the part after which the edge may be: on the parabola where that is safe.

    Margins here, there and where it was looked before; `span` leads there, `back` to the last of them.
    """
    if there == once:
        return here / (here - there)
    along, up = span / (span - back), (there - here) / (there - once)
    if not (1.0 - up) ** 2 < 1.0 - along or not up**2 < along:
        return 0.5
    straight = here / (there - here) * once / (there - once)
    return straight + back / span * here / (once - here) * there / (once - there)
