"""Adoption: use, how deep and how broad it is, where it is heading and how many seats it fills; less silence."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from math import ceil, exp, log
from typing import NamedTuple

from jornada.events import Decayed, JourneySnapshot, Reason, Use
from jornada.instants import micros
from services.scoring.domain.profiles import AdoptionRule, BreadthRule, TrendRule
from services.scoring.domain.seats import seats_of
from services.scoring.domain.shapes import DAY, halved, halving, ramp, saturate, trend, whole_days
from services.scoring.domain.words import reason

_HALF = 0.5
_LOG_2 = log(2)


class _Piece(NamedTuple):
    """A piece of adoption: its weight, its value at an instant (never rising), and why it is not higher."""

    weight: float
    value: Callable[[int], float]
    because: Callable[[int], Reason]


class AdoptionCourse:
    """The weighted mean of the pieces, times what silence leaves."""

    def __init__(self, journey: JourneySnapshot, use: Use, rule: AdoptionRule) -> None:
        self._rule = rule
        self._calm, self._gone, self._most = rule.calm, rule.gone, 1.0 - rule.left
        self.last, self._value_days = micros(use.last_value_at), use.value_days
        self.usual = usual_gap(use, rule)
        self._pieces = list(_pieces(journey, use, rule))
        self._weighed = [(piece.weight, piece.value) for piece in self._pieces]
        self._whole = sum(piece.weight for piece in self._pieces)

    def value(self, at: int) -> float:
        patience = self.patience(at)
        if patience == 0.0:
            return 0.0
        known = 0.0
        for weight, value in self._weighed:
            known += weight * value(at)
        return known / self._whole * patience

    def turns(self) -> Sequence[int]:
        return ()

    def patience(self, at: int) -> float:
        """What silence leaves: 1 within the usual gap, little once the subject has been away for several."""
        gaps = (at - self.last) / DAY / self.usual
        return 1.0 - self._most * ramp(gaps, self._calm, self._gone)

    def falls_silent(self) -> int | None:
        """The first instant at which silence leaves less than half; None where it never takes as much."""
        gone = self.last + ceil(self.usual * self._rule.gone * DAY) + 1
        if self.patience(gone) >= _HALF:
            return None
        return self.last + bisect_left(range(self.last, gone), True, key=lambda at: self.patience(at) < _HALF)

    def because(self, at: int) -> Reason:
        if at - self.last > self.usual * DAY:
            return self.silence(at)
        costly = max(self._pieces, key=lambda piece: piece.weight * (1.0 - piece.value(at)))
        return costly.because(at)

    def silence(self, at: int) -> Reason:
        """For how long nothing was used."""
        days = whole_days(self.last, at)
        return reason(f"{self._rule.act}_silent", days=days, usual_days=round(self.usual))

    def absence(self, at: int) -> Reason:
        """How that compares with what is usual for the subject."""
        days = whole_days(self.last, at)
        return reason("absence", days=days, usual_days=max(round(self.usual), 1))


def usual_gap(use: Use, rule: AdoptionRule) -> float:
    """Days: the subject's own gap, shrunk towards the expected one the more the fewer gaps are known of it.

    The mean is geometric: gaps differ by factors, from a day to a year.
    """
    if not use.expected_gap_days:
        return max(use.own_gap_days, rule.least_gap_days)
    known = use.gaps / (use.gaps + rule.shrink) if use.gaps else 0.0
    own = exp(known * log(use.own_gap_days) + (1.0 - known) * log(use.expected_gap_days))
    return max(own, rule.least_gap_days)


def _pieces(journey: JourneySnapshot, use: Use, rule: AdoptionRule) -> Iterator[_Piece]:
    counts = {each.half_life_days: each for each in use.days_decayed}
    kept, born = counts[rule.half_life_days], micros(journey.first_seen_at)
    last, value_days = micros(use.last_value_at), use.value_days

    def recent(at: int) -> Reason:
        return reason(f"{rule.act}_recent", days=whole_days(last, at), value_days=value_days)

    count = _Count(kept, born, rule.least_gap_days)
    yield _Piece(rule.use, lambda at: count.beside(rule.enough, at), recent)
    if rule.depth is not None:
        deep = rule.depth.enough
        yield _Piece(rule.depth.weight, lambda at: count.beside(deep, at), recent)
    if rule.breadth is not None and use.features:
        yield _breadth(use, rule.breadth)
    if rule.trend is not None:
        yield _heading(counts[rule.trend.short_days], counts[rule.trend.long_days], rule.trend)
    seats = seats_of(journey)
    if rule.seats is not None and seats is not None:
        full = rule.seats.full
        yield _Piece(rule.seats.weight, lambda at: ramp(seats.share(at), 0.0, full), seats.because)


class _Count:
    """A count of value days that halves, and which part of its whole there could be of who came lately."""

    __slots__ = ("_at", "_born", "_could", "_left", "_missing", "_remains")

    def __init__(self, count: Decayed, born: int, least_gap_days: float) -> None:
        self._remains = halving(count.value, micros(count.at), count.half_life_days)
        self._born, self._missing = born, halving(1.0, born - round(least_gap_days * DAY), count.half_life_days)
        self._at: int | None = None
        self._left = self._could = 0.0

    def beside(self, enough: float, at: int) -> float:
        """What is left of it beside what is enough; who came last week cannot have a month of use: less is enough."""
        if at != self._at:
            self._at, self._left, self._could = at, self._remains(at), 1.0 - self._missing(max(at, self._born))
        return saturate(self._left, enough * self._could)


def _breadth(use: Use, rule: BreadthRule) -> _Piece:
    used = sorted(micros(at) for at in use.features.values())
    newest = used[-1]
    kept = sum(halved(1.0, each, rule.half_life_days, newest) for each in used)

    def because(at: int) -> Reason:
        lately = sum(at - 30 * DAY < each <= at for each in used)
        return reason("features_used", lately=lately, ever=len(used))

    left, enough = halving(kept, newest, rule.half_life_days), rule.enough
    return _Piece(rule.weight, lambda at: saturate(left(at), enough), because)


def _heading(short: Decayed, long: Decayed, rule: TrendRule) -> _Piece:
    short_left = halving(short.value, micros(short.at), short.half_life_days)
    long_left = halving(long.value, micros(long.at), long.half_life_days)
    short_days, long_days, steady = short.half_life_days, long.half_life_days, rule.steady

    def heading(steady: float, at: int) -> float:
        return trend(short_left(at) * _LOG_2 / short_days, long_left(at) * _LOG_2 / long_days, steady)

    def because(at: int) -> Reason:
        return reason("use_falling", percent=round(100 * heading(1.0, at)))

    return _Piece(rule.weight, lambda at: heading(steady, at), because)
