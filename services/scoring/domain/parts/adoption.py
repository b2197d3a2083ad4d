"""Adoption: use, how deep and how broad it is, where it is heading and how many seats it fills; less silence."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from math import ceil, exp, log
from typing import NamedTuple

from jornada.events import Decayed, JourneySnapshot, Reason, Use
from jornada.instants import micros
from services.scoring.domain.profiles import AdoptionRule, BreadthRule, TrendRule
from services.scoring.domain.seats import seats_of
from services.scoring.domain.shapes import DAY, halved, ramp, saturate, trend, whole_days
from services.scoring.domain.words import reason

_HALF = 0.5


class _Piece(NamedTuple):
    """A piece of adoption: its weight, its value at an instant (never rising), and why it is not higher."""

    weight: float
    value: Callable[[int], float]
    because: Callable[[int], Reason]


class AdoptionCourse:
    """The weighted mean of the pieces, times what silence leaves."""

    def __init__(self, journey: JourneySnapshot, use: Use, rule: AdoptionRule) -> None:
        self._rule = rule
        self.last, self._value_days = micros(use.last_value_at), use.value_days
        self.usual = usual_gap(use, rule)
        self._pieces = list(_pieces(journey, use, rule))
        self._whole = sum(piece.weight for piece in self._pieces)

    def value(self, at: int) -> float:
        patience = self.patience(at)
        if patience == 0.0:
            return 0.0
        known = 0.0
        for piece in self._pieces:
            known += piece.weight * piece.value(at)
        return known / self._whole * patience

    def turns(self) -> Sequence[int]:
        return ()

    def patience(self, at: int) -> float:
        """What silence leaves: 1 within the usual gap, little once the subject has been away for several."""
        gaps = (at - self.last) / DAY / self.usual
        return 1.0 - (1.0 - self._rule.left) * ramp(gaps, self._rule.calm, self._rule.gone)

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

    yield _Piece(rule.use, _counted(kept, rule.enough, born, rule.least_gap_days), recent)
    if rule.depth is not None:
        yield _Piece(rule.depth.weight, _counted(kept, rule.depth.enough, born, rule.least_gap_days), recent)
    if rule.breadth is not None and use.features:
        yield _breadth(use, rule.breadth)
    if rule.trend is not None:
        yield _heading(counts[rule.trend.short_days], counts[rule.trend.long_days], rule.trend)
    seats = seats_of(journey)
    if rule.seats is not None and seats is not None:
        full = rule.seats.full
        yield _Piece(rule.seats.weight, lambda at: ramp(seats.share(at), 0.0, full), seats.because)


def _counted(count: Decayed, enough: float, born: int, least_gap_days: float) -> Callable[[int], float]:
    value, since, half_life = count.value, micros(count.at), count.half_life_days

    def of(at: int) -> float:
        # Who came last week cannot have a month of use: less is enough.
        could = 1.0 - halved(1.0, born - round(least_gap_days * DAY), half_life, max(at, born))
        return saturate(halved(value, since, half_life, at), enough * could)

    return of


def _breadth(use: Use, rule: BreadthRule) -> _Piece:
    used = sorted(micros(at) for at in use.features.values())
    newest = used[-1]
    kept = sum(halved(1.0, each, rule.half_life_days, newest) for each in used)

    def because(at: int) -> Reason:
        lately = sum(at - 30 * DAY < each <= at for each in used)
        return reason("features_used", lately=lately, ever=len(used))

    return _Piece(rule.weight, lambda at: saturate(halved(kept, newest, rule.half_life_days, at), rule.enough), because)


def _heading(short: Decayed, long: Decayed, rule: TrendRule) -> _Piece:
    short_at, long_at = micros(short.at), micros(long.at)

    def rates(at: int) -> tuple[float, float]:
        return (
            halved(short.value, short_at, short.half_life_days, at) * log(2) / short.half_life_days,
            halved(long.value, long_at, long.half_life_days, at) * log(2) / long.half_life_days,
        )

    def because(at: int) -> Reason:
        shorter, longer = rates(at)
        return reason("use_falling", percent=round(100 * trend(shorter, longer, 1.0)))

    return _Piece(rule.weight, lambda at: trend(*rates(at), rule.steady), because)
