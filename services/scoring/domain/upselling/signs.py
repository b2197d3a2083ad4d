"""The signs that go by what was done: seats filled, breadth of use, attempts, people who came, promotion."""

from collections.abc import Sequence
from math import ceil, log2

from jornada.events import Reason, Use
from jornada.instants import micros
from services.scoring.domain.seats import Seats
from services.scoring.domain.shapes import DAY, halved, ramp
from services.scoring.domain.words import reason

LATELY_DAYS = 30
STEPS = 4
"""In how many steps what fades is told."""


class FullSeats:
    """Whether of the seats the share `full` is used."""

    def __init__(self, seats: Seats, full: float) -> None:
        self._seats, self._full = seats, full

    def value(self, at: int) -> float:
        return float(self._seats.used(at) >= self._full * self._seats.number)

    def turns(self) -> Sequence[int]:
        return self._seats.turns()

    def because(self, at: int) -> Reason:
        return self._seats.because(at)


class Breadth:
    """How many features were used in the last 30 days, up to `enough`, times their share of those ever used."""

    def __init__(self, use: Use, enough: int) -> None:
        self._latest, self._enough = [micros(each) for each in use.features.values()], enough

    def value(self, at: int) -> float:
        lately = self._lately(at)
        return ramp(lately, 0, self._enough) * lately / len(self._latest)

    def turns(self) -> Sequence[int]:
        return [each + LATELY_DAYS * DAY for each in self._latest]

    def because(self, at: int) -> Reason:
        return reason("features_used", lately=self._lately(at), ever=len(self._latest))

    def _lately(self, at: int) -> int:
        return sum(at - LATELY_DAYS * DAY < each for each in self._latest)


class Fading:
    """An amount that halves every so many days, rounded to whole steps; from `STEPS` on it is as clear as can be."""

    def __init__(self, amount: float, since: int, half_life_days: int, step: float, because: Reason) -> None:
        self._amount, self._since, self._half_life, self._step = amount, since, half_life_days, step
        self._because = because

    def value(self, at: int) -> float:
        steps = halved(self._amount, self._since, self._half_life, at) / self._step
        return min(int(max(steps, 0.0) + 0.5), STEPS) / STEPS

    def turns(self) -> Sequence[int]:
        edges = ((step - 0.5) * self._step for step in range(1, STEPS + 1))
        gone = [self._half_life * DAY * log2(self._amount / edge) for edge in edges if self._amount >= edge]
        # As reckoned, the edge may be passed beside the very microsecond.
        return [self._since + ceil(after) + near for after in gone for near in (-1, 0, 1)]

    def because(self, at: int) -> Reason:
        return self._because


class Standing:
    """What stands up to an instant and then no more."""

    def __init__(self, until: int, because: Reason) -> None:
        self._until, self._because = until, because

    def value(self, at: int) -> float:
        return float(at < self._until)

    def turns(self) -> tuple[int, ...]:
        return (self._until,)

    def because(self, at: int) -> Reason:
        return self._because
