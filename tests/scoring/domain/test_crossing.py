"""The first microsecond outside a corridor is found whichever way the parts of a score go."""

from collections.abc import Sequence
from datetime import timedelta
from math import exp
from typing import NamedTuple

from hypothesis import assume, given
from hypothesis import strategies as st

from jornada.events import Billing, Measures, Support
from jornada.instants import micros
from services.scoring.domain.announcing import Recorded
from services.scoring.domain.bands import INFINITE, Corridor
from services.scoring.domain.crossing import at, leaves
from services.scoring.domain.judging import HEALTH, dues, judge
from services.scoring.domain.shapes import significant
from tests.scoring.journeys import ALL, AT, journey, score, use

END = 10**9


class Part(NamedTuple):
    """From `begin` towards `end`, the quicker the smaller `scale`; at `jump` it begins anew."""

    begin: float
    end: float
    scale: float
    jump: int

    def value(self, when: int) -> float:
        since = when - self.jump if when >= self.jump else when
        return self.end + (self.begin - self.end) * exp(-since / self.scale)


class Sum(NamedTuple):
    """The mean of parts, out of 100."""

    parts: Sequence[Part]

    @property
    def turns(self) -> Sequence[int]:
        return sorted({part.jump for part in self.parts})

    def values(self, when: int) -> list[float]:
        return [part.value(when) for part in self.parts]

    def total(self, values: Sequence[float], _at: int) -> float:
        return 100.0 * sum(values) / len(values)


_shares = st.floats(0, 1).map(lambda share: round(share, 6))
_parts = st.builds(Part, _shares, _shares, st.floats(10**5, 10**9), st.integers(1, 2 * END))
_curves = st.lists(_parts, min_size=1, max_size=5).map(Sum)


@given(_curves, st.floats(0, 100), st.floats(0.5, 40), st.lists(st.integers(1, END), max_size=200))
def test_before_it_every_instant_lies_within_and_it_lies_outside(
    curve: Sum, low: float, width: float, asked: list[int]
) -> None:
    begun = at(curve, 0)
    corridor = (min(low, begun), max(low + width, begun + 0.5))
    left = leaves(curve, corridor, 0, END)
    until = END + 1 if left is None else left
    grid = [END * step // 500 for step in range(501)]
    for when in [*asked, *grid, *curve.turns, until - 1]:
        if when < until and when <= END:
            assert corridor[0] <= at(curve, when) < corridor[1]
    if left is not None:
        assert not corridor[0] <= at(curve, left) < corridor[1]


@given(_curves, st.floats(0, 100), st.floats(0.5, 40))
def test_guessing_finds_the_very_microsecond_that_halving_finds(curve: Sum, low: float, width: float) -> None:
    begun = at(curve, 0)
    corridor = (min(low, begun), max(low + width, begun + 0.5))
    assert leaves(curve, corridor, 0, END) == _halving(curve, corridor)


def _halving(curve: Sum, corridor: Corridor) -> int | None:
    """The first instant outside, by halves between bounds: what it is held to."""
    first = 0
    for last in [*(turn - 1 for turn in curve.turns if turn <= END), END]:
        if not _within(at(curve, first), corridor):
            return first
        waiting, steps = [(first, last)], 0
        while waiting:
            steps += 1
            assume(steps < 20_000)  # Held at an edge by parts that go against each other.
            one, other = waiting.pop()
            pairs = list(zip(curve.values(one), curve.values(other), strict=True))
            if all(
                _within(significant(curve.total([side(pair) for pair in pairs], one)), corridor) for side in (min, max)
            ):
                continue
            if other - one <= 1:
                if not _within(at(curve, other), corridor):
                    return other
                continue
            middle = (one + other) // 2
            waiting += [(middle, other), (one, middle)]
        first = last + 1
    return None


def _within(value: float, corridor: Corridor) -> bool:
    return corridor[0] <= value < corridor[1]


def test_a_score_that_opposing_parts_hold_at_an_edge_is_within() -> None:
    """Bounds prove nothing longer than a microsecond of it, and there are a thousand million."""
    curve = Sum([Part(0.6, 0.0, 4e8, 2 * END), Part(0.0, 0.6, 4e8, 2 * END)])
    assert leaves(curve, (at(curve, 0), 60.0), 0, END) is None


def test_a_dip_between_two_ends_that_lie_within_is_found() -> None:
    falls, rises = Part(1.0, 0.0, 10**6, 2 * END), Part(0.0, 1.0, 10**8, 2 * END)
    curve = Sum([falls, rises])
    assert at(curve, 0) == 50.0
    left = leaves(curve, (40.0, INFINITE), 0, END)
    assert left is not None
    assert at(curve, END) > 49.0
    assert at(curve, left) < 40.0 <= at(curve, left - 1)


def test_what_a_renewal_took_away_returns_at_its_instant() -> None:
    renewal = AT + timedelta(days=10)
    measures = Measures(use=use(count=40), support=Support(tickets=1), billing=Billing(renewal_at=renewal))
    course = score(journey(measures=measures), ALL, AT).course
    before, after = (at(course, micros(renewal) + microsecond) for microsecond in (-1, 0))
    assert after - before > 5
    begin, end = (micros(renewal + timedelta(days=day)) for day in (-1, 2))
    assert leaves(course, (0.0, after), begin, end) == micros(renewal)


def test_what_a_renewal_takes_away_is_found_between_two_ends_without_it() -> None:
    renewal = AT + timedelta(days=40)
    measures = Measures(use=use(count=400), support=Support(tickets=1), billing=Billing(renewal_at=renewal))
    told = journey(measures=measures, rules="shop", as_of=AT)
    course = score(told, ALL, AT).course
    lowest = at(course, micros(renewal) - 1)
    assert lowest + 2 < at(course, micros(renewal))
    left = leaves(course, (lowest + 1, INFINITE), micros(AT), micros(renewal))
    assert left is not None
    assert at(course, left) < lowest + 1 <= at(course, left - 1)


def test_who_is_red_on_record_and_better_by_less_than_the_hysteresis_is_not_looked_at_again_and_again() -> None:
    told = journey()
    bands = score(told, ALL, AT).profile.bands
    when = next(
        AT + timedelta(hours=hour)
        for hour in range(10_000)
        if (value := score(told, ALL, AT + timedelta(hours=hour)).health.score) is not None
        and bands.yellow < value < bands.yellow + bands.hysteresis
    )
    judged = judge(told, score(told, ALL, when), {HEALTH: Recorded("red", AT, 1, "yellow", announced=True)}, "other")
    assert judged.recorded[HEALTH].band == "red"
    assert dict(dues(judged))[HEALTH] > when + timedelta(minutes=1)
