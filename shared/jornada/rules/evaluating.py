"""Whether a condition holds at an instant, and the instant at which that changes if nothing more happens."""

import operator
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import ROUND_FLOOR, Context, Decimal
from typing import Any, Protocol, assert_never

from jornada.rules.checking import number_of
from jornada.rules.language import DAY, All, Comparison, Condition, Instant, Not, Operand, Some, Span, Test

LAST = 253_402_300_799_999_999
"""The last microsecond of the year 9999: nothing changes after it."""

_DIGITS = 9
_MOST = 10**18
_EXACT = Context(prec=60)
"""Counts that halve are told to nine decimals; no count reaches 10^18."""

_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "at_least": operator.ge,
    "at_most": operator.le,
    "above": operator.gt,
    "below": operator.lt,
}


class View(Protocol):
    """One subject's journey, as far as touchpoints tell it. It is asked about instants from its last touchpoint on.

    All instants are microseconds since 1970, days are UTC days since 1970.
    """

    @property
    def stages(self) -> Sequence[tuple[int, str]]:
        """When each stage was entered and its name, in order, those that silence alone will bring included."""

    def trait(self, name: str) -> Any:
        """A trait as decoded JSON, or None."""

    def measure(self, name: str) -> Any:
        """A measure, a number or a text, or None."""

    def date(self, name: str) -> int | None:
        """A date of the journey, or None."""

    def last(self, kind: str) -> int | None:
        """When a kind was seen last; if never, when the subject was seen first."""

    def count(self, kind: str) -> int:
        """How often a kind was seen, ever."""

    def by_day(self, kind: str) -> Mapping[int, int]:
        """How often a kind was seen on each day with any: the latest 400 of those days, at least."""

    def decayed(self, kind: str, half_life: int, at: int) -> int:
        """How often a kind was seen, each time halving every so many days, as it stands at an instant: in billionths.

        While nothing happens it never grows, and what is less than a billionth is none.
        """

    def decays_below(self, kind: str, half_life: int, level: int) -> int | None:
        """The first instant at which so few billionths are not there any more; None if the kind was never seen."""


def holds(condition: Condition, view: View, at: int) -> bool:
    """Whether it is true at an instant."""
    match condition:
        case All(parts):
            return all(holds(part, view, at) for part in parts)
        case Some(parts):
            return any(holds(part, view, at) for part in parts)
        case Not(part):
            return not holds(part, view, at)
        case Test(operand, comparisons):
            value = _value(operand, view, at)
            return all(_true(comparison, value) for comparison in comparisons)
        case _:
            assert_never(condition)


def next_change(condition: Condition, view: View, after: int, until: int = LAST) -> int | None:
    """The first instant after `after` at which the answer is another one, if nothing more happens; None for never.

    With `until` None also for what changes later.
    """
    return next(changes(condition, view, after, until), None)


def changes(condition: Condition, view: View, after: int, until: int = LAST) -> Iterator[int]:
    """Every instant after `after` and up to `until` at which the answer is another one, if nothing more happens."""
    turns = {at for at in _turns(condition, view) if after < at <= until}
    now = bool(turns) and holds(condition, view, after)
    for at in sorted(turns):
        if holds(condition, view, at) != now:
            now = not now
            yield at


def _value(operand: Operand, view: View, at: int) -> Any:
    """The operand's value at an instant; None where there is none. Spans and instants are microseconds."""
    name = operand.name
    match operand.key:
        case "stage":
            place = bisect_right(view.stages, at, key=_entered) - 1
            entered, stage = view.stages[place] if place >= 0 else (at, None)
            return stage if stage is None or name == "name" else at - entered
        case "trait":
            return view.trait(name)
        case "measure":
            return view.measure(name)
        case "date":
            return view.date(name)
        case "until":
            date = view.date(name)
            return date - at if date is not None and date >= at else None
        case "since" | "silence":
            begun = view.date(name) if operand.key == "since" else view.last(name)
            return at - begun if begun is not None and begun <= at else None
        case "decayed":
            return Decimal(view.decayed(name, _half_life(operand), at)).scaleb(-_DIGITS)
        case _:
            return _counted(operand, view, at)


def _half_life(operand: Operand) -> int:
    return 0 if operand.half_life is None else operand.half_life.micros // DAY


def _counted(operand: Operand, view: View, at: int) -> int:
    if operand.within is None:
        return view.count(operand.name) if operand.key == "count" else len(view.by_day(operand.name))
    today, by_day = at // DAY, view.by_day(operand.name)
    window = range(today - operand.within.micros // DAY + 1, today + 1)
    seen = [by_day[day] for day in window if day in by_day]
    return sum(seen) if operand.key == "count" else len(seen)


def _true(comparison: Comparison, value: Any) -> bool:
    wanted: Any = comparison.value
    match comparison.word:
        case "exists":
            return (value is not None) is wanted
        case "is":
            return _same(value, wanted)
        case "in":
            return any(_same(value, each) for each in wanted)
        case "has":
            return isinstance(value, list) and any(_same(each, wanted) for each in value)
        case word:
            number = number_of(value)
            return number is not None and _ORDER[word](number, _bound(wanted))


def _same(value: Any, wanted: Any) -> bool:
    """Texts, truths and numbers are each their own: 1 is neither true nor "1"."""
    if isinstance(wanted, bool) or isinstance(value, bool):
        return value is wanted
    number = number_of(value)
    return bool(value == wanted) if number is None else number == wanted


def _bound(wanted: Any) -> Any:
    match wanted:
        case Span():
            return wanted.micros
        case Instant(us):
            return us
        case _:
            return wanted


def _turns(condition: Condition, view: View) -> Iterator[int]:
    """Every instant at which a test may change its answer, and perhaps others."""
    match condition:
        case All(parts) | Some(parts):
            for part in parts:
                yield from _turns(part, view)
        case Not(part):
            yield from _turns(part, view)
        case Test(operand, comparisons):
            yield from _corners(operand, comparisons, view)
        case _:
            assert_never(condition)


def _entered(stage: tuple[int, str]) -> int:
    return stage[0]


def _span(comparison: Comparison) -> int:
    return comparison.value.micros if isinstance(comparison.value, Span) else 0


def _levels(comparisons: Iterable[Comparison]) -> set[int]:
    """In billionths, below which a number that falls turns the answers: what it is compared with, and just above."""
    values = [each.value if isinstance(each.value, tuple) else (each.value,) for each in comparisons]
    numbers = [number_of(value) for several in values for value in several]
    floors = {_billionths(number) for number in numbers if number is not None and 0 <= number < _MOST}
    return {level for floor in floors for level in (floor, floor + 1) if level > 0}


def _billionths(number: int | Decimal) -> int:
    whole = Decimal(number).quantize(Decimal(1).scaleb(-_DIGITS), ROUND_FLOOR, _EXACT)
    return int(whole.scaleb(_DIGITS, _EXACT))


def _corners(operand: Operand, comparisons: Sequence[Comparison], view: View) -> list[int]:
    """Instants at which the operand comes, goes, turns, reaches what it is compared with, or is just past it."""
    spans = [_span(each) for each in comparisons]
    match operand.key:
        case "stage":
            return [entered + span + past for entered, _ in view.stages for span in (0, *spans) for past in (0, 1)]
        case "since" | "until" | "silence":
            date = view.last(operand.name) if operand.key == "silence" else view.date(operand.name)
            sign = -1 if operand.key == "until" else 1
            return [] if date is None else [date + sign * span + past for span in (0, *spans) for past in (0, 1)]
        case "count" | "days" if operand.within is not None:
            days = operand.within.micros // DAY
            return [(day + days) * DAY for day in view.by_day(operand.name)]
        case "decayed":
            falls = (view.decays_below(operand.name, _half_life(operand), level) for level in _levels(comparisons))
            return [at for at in falls if at is not None]
        case _:
            return []
