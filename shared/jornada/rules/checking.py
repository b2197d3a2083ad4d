"""From JSON to a condition: everything that is wrong with it is named, each by its place."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from typing import Any, NamedTuple

from jornada.instants import micros
from jornada.rules.language import (
    UNITS,
    All,
    Comparison,
    Condition,
    Instant,
    Not,
    Operand,
    Scalar,
    Some,
    Span,
    Test,
)
from jornada.rules.terms import COMPARISONS, COUNTED, OPERANDS, WORDS, Sort, Terms

DEEPEST = 8
MOST_TESTS = 100
MOST_VALUES = 100
MOST_NUMBER = 100_000
LONGEST_TEXT = 200

_SPAN = re.compile(rf"([0-9]{{1,6}}) ({'|'.join(UNITS)})s?")


class Flaw(NamedTuple):
    """What is wrong, and where: `at` is a JSON pointer into the condition, the empty text being all of it."""

    at: str
    code: str
    message: str


class Invalid(Exception):
    """The document is no condition. `flaws` names everything wrong with it, in the order of the document."""

    def __init__(self, flaws: Sequence[Flaw]) -> None:
        super().__init__("; ".join(f"{flaw.at or '/'}: {flaw.message}" for flaw in flaws))
        self.flaws = tuple(flaws)


def parse(document: Any, terms: Terms) -> Condition:
    """The condition that decoded JSON states in these terms; raises Invalid."""
    reader = _Reader(terms)
    condition = reader.condition(document, "", 1)
    if condition is None or reader.flaws:
        raise Invalid(reader.flaws)
    return condition


class _Reader:
    """Reads one document, and gathers its flaws."""

    def __init__(self, terms: Terms) -> None:
        self.flaws: list[Flaw] = []
        self._terms = terms
        self._tests = 0

    def condition(self, given: Any, at: str, depth: int) -> Condition | None:
        if not isinstance(given, dict):
            self._flaw(at, "not_an_object", "A condition is an object.")
            return None
        if depth > DEEPEST:
            self._flaw(at, "too_deep", f"Conditions stand at most {DEEPEST} deep.")
            return None
        joins = [key for key in ("all", "any", "not") if key in given]
        if not joins:
            return self._test(given, at)
        self._strange(given, at, {joins[0]})
        if joins[0] == "not":
            part = self.condition(given["not"], f"{at}/not", depth + 1)
            return None if part is None else Not(part)
        parts = self._parts(given[joins[0]], f"{at}/{joins[0]}", depth + 1)
        return All(parts) if joins[0] == "all" else Some(parts)

    def _parts(self, given: Any, at: str, depth: int) -> tuple[Condition, ...]:
        if not isinstance(given, list) or not given:
            self._flaw(at, "no_list", "Here stands a list of conditions, at least one.")
            return ()
        parts = [self.condition(part, f"{at}/{place}", depth) for place, part in enumerate(given)]
        return tuple(part for part in parts if part is not None)

    def _test(self, given: Mapping[str, Any], at: str) -> Test | None:
        self._tests += 1
        if self._tests > MOST_TESTS:
            if not any(flaw.code == "too_many" for flaw in self.flaws):
                self._flaw(at, "too_many", f"A condition has at most {MOST_TESTS} tests.")
            return None
        keys = [key for key in OPERANDS if key in given]
        if not keys:
            self._strange(given, at, {"within", "half_life", *WORDS})
            self._flaw(at, "no_operand", f"A test names one of {', '.join(OPERANDS)}; or all, any, not.")
            return None
        key, name = keys[0], given[keys[0]]
        if key in self._terms.barred:
            self._flaw(f"{at}/{key}", "circular", f"The {key} hangs on this condition, which cannot ask for it.")
            return None
        if not self._terms.windows and (key == "days" or (key in COUNTED and "within" in given)):
            self._flaw(f"{at}/{'days' if key == 'days' else 'within'}", "no_windows", _NO_WINDOWS)
            return None
        further = {"within"} if key in COUNTED else {"half_life"} if key == "decayed" else set()
        self._strange(given, at, {key, *WORDS, *further})
        half_life = self._half_life(given.get("half_life"), f"{at}/half_life") if key == "decayed" else None
        within = self._within(given["within"], f"{at}/within") if key in COUNTED and "within" in given else None
        sort = self._terms.sort(key, name) if isinstance(name, str) and len(name) <= LONGEST_TEXT else None
        if sort is None:
            self._flaw(f"{at}/{key}", "unknown_name", f"There is no such {key}.")
        words = [word for word in given if word in WORDS]
        if not words:
            self._flaw(at, "no_comparison", f"A test compares: {', '.join(sorted(WORDS))}.")
        if sort is None:
            return None
        read = [self._comparison(key, name, sort, word, given[word], f"{at}/{word}") for word in sorted(words)]
        return Test(Operand(key, name, within, half_life), tuple(each for each in read if each is not None))

    def _comparison(self, key: str, name: str, sort: Sort, word: str, given: Any, at: str) -> Comparison | None:
        if word not in COMPARISONS[sort]:
            suited = ", ".join(sorted(COMPARISONS[sort]))
            self._flaw(at, "unsuited", f"What is {_SORTS[sort]} is compared by {suited}.")
            return None
        if word == "exists":
            truth = self._truth(given, at)
            return None if truth is None else Comparison(word, truth)
        read: Callable[[Any, str], Any] = self._stage if (key, name) == ("stage", "name") else self._reader_of(sort)
        if word in {"at_least", "at_most", "above", "below"} and sort is Sort.ANY:
            read = self._number
        if word != "in":
            value = read(given, at)
            return None if value is None else Comparison(word, value)
        if not isinstance(given, list) or not 1 <= len(given) <= MOST_VALUES:
            self._wrong(at, f"a list of 1 to {MOST_VALUES} values")
            return None
        values = [read(value, f"{at}/{place}") for place, value in enumerate(given)]
        return Comparison(word, tuple(value for value in values if value is not None))

    def _reader_of(self, sort: Sort) -> Callable[[Any, str], Any]:
        return {
            Sort.TEXT: self._text,
            Sort.NUMBER: self._number,
            Sort.SPAN: self._span,
            Sort.INSTANT: self._instant,
            Sort.ANY: self._scalar,
        }[sort]

    def _stage(self, given: Any, at: str) -> str | None:
        text = self._text(given, at)
        if text is None or text in self._terms.stages:
            return text
        self._flaw(at, "unknown_stage", f"The stages are {', '.join(sorted(self._terms.stages))}.")
        return None

    def _truth(self, given: Any, at: str) -> bool | None:
        if isinstance(given, bool):
            return given
        self._wrong(at, "true or false")
        return None

    def _text(self, given: Any, at: str) -> str | None:
        if isinstance(given, str) and len(given) <= LONGEST_TEXT:
            return given
        self._wrong(at, f"a text of at most {LONGEST_TEXT} characters")
        return None

    def _number(self, given: Any, at: str) -> int | Decimal | None:
        number = number_of(given)
        if number is None:
            self._wrong(at, "a number")
        return number

    def _scalar(self, given: Any, at: str) -> Scalar | None:
        if isinstance(given, bool):
            return given
        return self._text(given, at) if isinstance(given, str) else self._number(given, at)

    def _span(self, given: Any, at: str) -> Span | None:
        found = _SPAN.fullmatch(given) if isinstance(given, str) else None
        if found is None or int(found[1]) > MOST_NUMBER:
            self._flaw(at, "malformed_span", "Here stands a span: a number and minutes, hours, days or weeks.")
            return None
        return Span(int(found[1]), found[2])

    def _within(self, given: Any, at: str) -> Span | None:
        span = self._span(given, at)
        if span is not None and (span.unit not in {"day", "week"} or not 1 <= span.micros <= 400 * UNITS["day"]):
            self._flaw(at, "malformed_window", "A window is 1 to 400 days, or weeks.")
            return None
        return span

    def _half_life(self, given: Any, at: str) -> Span | None:
        found = _SPAN.fullmatch(given) if isinstance(given, str) else None
        span = None if found is None else Span(int(found[1]), found[2])
        if span is None or span.micros not in {days * UNITS["day"] for days in self._terms.half_lives}:
            known = ", ".join(map(str, sorted(self._terms.half_lives)))
            self._flaw(at, "malformed_half_life", f"A half-life is of so many days: {known}.")
            return None
        return span

    def _instant(self, given: Any, at: str) -> Instant | None:
        us = instant_of(given)
        if us is None:
            self._flaw(at, "malformed_instant", "Here stands a date or an instant, as 2026-01-31T08:00:00Z.")
            return None
        return Instant(us)

    def _strange(self, given: Mapping[str, Any], at: str, known: set[str]) -> None:
        for key in given:
            if key not in known:
                self._flaw(f"{at}/{_escaped(key)}", "unknown_key", "This has no meaning here.")

    def _wrong(self, at: str, wanted: str) -> None:
        self._flaw(at, "wrong_type", f"Here stands {wanted}.")

    def _flaw(self, at: str, code: str, message: str) -> None:
        self.flaws.append(Flaw(at, code, message))


_NO_WINDOWS = "Counts by day are not at hand here: ask for the count ever, a silence, or a count that halves."
_SORTS: Mapping[Sort, str] = {
    Sort.TEXT: "a text",
    Sort.NUMBER: "a number",
    Sort.SPAN: "a span",
    Sort.INSTANT: "an instant",
    Sort.ANY: "a trait",
}


def number_of(given: Any) -> int | Decimal | None:
    """A finite number, exactly as its digits say; None for anything else."""
    if isinstance(given, float):
        return Decimal(repr(given)) if isfinite(given) else None
    if isinstance(given, Decimal):
        return given if given.is_finite() else None
    return given if isinstance(given, int) and not isinstance(given, bool) else None


def instant_of(given: Any) -> int | None:
    """Microseconds since 1970 of an ISO 8601 date (its midnight) or instant, UTC where it names no zone; else None."""
    if not isinstance(given, str):
        return None
    try:
        at = datetime.fromisoformat(given)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return micros(at)


def _escaped(key: Any) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")
