"""What a condition says of an instant, and that it knows when it will say otherwise."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jornada.rules import evaluating, holds, next_change, parse
from jornada.rules.evaluating import LAST
from jornada.rules.language import DAY, Not, Some
from tests.shared.rules.makes import BEGIN, MINUTE, TERMS, Fixed, conditions, views

_HOUR = 60 * MINUTE
_DAYS_POLLED = 2


def true(document: Any, view: Fixed, at: int = BEGIN) -> bool:
    return holds(parse(document, TERMS), view, at)


def changes(document: Any, view: Fixed, at: int = BEGIN) -> int | None:
    return next_change(parse(document, TERMS), view, at)


@settings(max_examples=200)
@given(document=conditions(), view=views())
def test_the_next_change_is_the_first_difference_under_polling(document: Any, view: Fixed) -> None:
    condition = parse(document, TERMS)
    now = holds(condition, view, BEGIN)
    found = next_change(condition, view, BEGIN)
    for at in range(BEGIN, min(found or LAST, BEGIN + _DAYS_POLLED * DAY), MINUTE):
        assert holds(condition, view, at) == now, at - BEGIN
    if found is None:
        assert holds(condition, view, BEGIN + 100 * DAY) == now
    else:
        assert holds(condition, view, found - 1) == now
        assert holds(condition, view, found) != now


@settings(max_examples=100)
@given(document=conditions(), view=views(), steps=st.integers(1, 6))
def test_walking_from_change_to_change_misses_none(document: Any, view: Fixed, steps: int) -> None:
    condition, at = parse(document, TERMS), BEGIN
    walked = holds(condition, view, at)
    for _ in range(steps):
        following = next_change(condition, view, at)
        if following is None:
            break
        assert following > at
        at, walked = following, not walked
    assert holds(condition, view, at) == walked


@given(documents=st.lists(conditions(), min_size=1, max_size=3), view=views())
def test_not_all_is_any_not_at_every_instant_and_at_the_next_change(documents: list[Any], view: Fixed) -> None:
    dual = parse({"all": documents}, TERMS)
    mirrored = Some(tuple(Not(parse(each, TERMS)) for each in documents))
    for at in (BEGIN, BEGIN + 1, BEGIN + _HOUR, BEGIN + DAY):
        assert holds(Not(dual), view, at) == holds(mirrored, view, at) == (not holds(dual, view, at))
        assert next_change(Not(dual), view, at) == next_change(mirrored, view, at) == next_change(dual, view, at)


@given(view=views(), number=st.integers(1, 6), days=st.integers(1, 5), more=st.integers(0, 5))
def test_a_wider_window_and_a_lower_bar_are_never_harder(view: Fixed, number: int, days: int, more: int) -> None:
    for key in ("count", "days"):
        hard = {key: "signed_in", "within": f"{days} days", "at_least": number}
        wider = {key: "signed_in", "within": f"{days + more} days", "at_least": number}
        lower = {key: "signed_in", "within": f"{days} days", "at_least": number - 1}
        if true(hard, view):
            assert true(wider, view)
            assert true(lower, view)
    once = {"silence": "signed_in", "at_least": f"{number} hours"}
    assert not (true({"silence": "signed_in", "at_least": f"{number + more} hours"}, view) and not true(once, view))


@given(view=views(), number=st.integers(0, 30))
def test_each_comparison_has_its_opposite_where_the_operand_is_there(view: Fixed, number: int) -> None:
    for operand in ({"silence": "signed_in"}, {"stage": "age"}, {"until": "renewal_at"}, {"since": "first_seen_at"}):
        there = true({**operand, "exists": True}, view)
        for word, opposite in (("at_least", "below"), ("above", "at_most")):
            one = true({**operand, word: f"{number} hours"}, view)
            other = true({**operand, opposite: f"{number} hours"}, view)
            assert (one != other) if there else not (one or other)


def test_silence_is_true_to_the_microsecond() -> None:
    view = Fixed(lasts={"signed_in": BEGIN})
    quiet = {"silence": "signed_in", "at_least": "14 days"}
    assert changes(quiet, view) == BEGIN + 14 * DAY
    assert (true(quiet, view, BEGIN + 14 * DAY - 1), true(quiet, view, BEGIN + 14 * DAY)) == (False, True)
    assert changes({"silence": "signed_in", "above": "14 days"}, view) == BEGIN + 14 * DAY + 1
    assert changes({"not": quiet}, view) == BEGIN + 14 * DAY


def test_a_window_ends_at_midnight_and_only_where_something_was_counted() -> None:
    today = BEGIN // DAY
    view = Fixed(days={"signed_in": {today - 1: 2, today: 1}})
    often = {"count": "signed_in", "within": "2 days", "at_least": 3}
    assert true(often, view, BEGIN + 23 * _HOUR)
    assert changes(often, view, BEGIN + 5 * _HOUR) == BEGIN + DAY
    assert changes({**often, "at_least": 1}, view, BEGIN) == BEGIN + 2 * DAY
    assert not true({"days": "signed_in", "within": "1 day", "at_least": 2}, view)
    assert true({"days": "signed_in", "at_least": 2}, view, BEGIN + 900 * DAY)


def test_a_renewal_draws_near_and_passes() -> None:
    view = Fixed(dates={"renewal_at": BEGIN + 40 * DAY})
    soon = {"until": "renewal_at", "at_most": "30 days"}
    assert changes(soon, view) == BEGIN + 10 * DAY
    assert changes(soon, view, BEGIN + 10 * DAY) == BEGIN + 40 * DAY + 1
    assert changes({"since": "renewal_at", "exists": True}, view) == BEGIN + 40 * DAY
    assert changes({"date": "renewal_at", "below": "2027-01-01"}, view) is None


def test_a_count_that_halves_is_compared_to_nine_decimals() -> None:
    view = Fixed(days={"signed_in": {BEGIN // DAY - 1: 3}})
    fading = {"decayed": "signed_in", "half_life": "14 days"}
    assert true({**fading, "is": 1.5}, view)
    assert true({**fading, "at_least": Decimal("1.4999999999999999"), "below": Decimal("1.5000000000000001")}, view)
    turn = BEGIN - DAY + 28 * _HOUR
    assert changes({**fading, "at_least": Decimal("0.7500000001")}, view) == turn
    assert changes({**fading, "at_least": Decimal("0.75")}, view) == turn + 14 * _HOUR
    assert changes({**fading, "above": Decimal("0.75")}, view) == turn
    assert changes({**fading, "at_least": Decimal("1e-999999999")}, view) == BEGIN - DAY + 32 * 14 * _HOUR
    assert changes({**fading, "below": Decimal("1e999999999")}, view) is None
    assert changes({**fading, "at_least": 0}, view) is None
    assert changes({**fading, "at_least": 1}, Fixed()) is None


def test_a_stage_that_silence_will_bring_is_a_change() -> None:
    view = Fixed(stages=[(BEGIN - DAY, "active"), (BEGIN + DAY, "at_risk")])
    assert changes({"stage": "name", "is": "at_risk"}, view) == BEGIN + DAY
    assert changes({"stage": "age", "at_least": "2 days"}, view) == BEGIN + 3 * DAY
    assert changes({"stage": "age", "at_least": "1 day"}, view) == BEGIN + DAY
    assert changes({"stage": "name", "is": "lead"}, view) is None


@pytest.mark.parametrize(
    ("held", "wanted", "same"),
    [
        (1, True, False), (True, 1, False), ("1", 1, False), (1, 1.0, True), (0.1, 0.1, True),
        (Decimal("49.90"), 49.9, True), ("pro", "pro", True), (None, False, False), (["pro"], "pro", False),
    ],
)  # fmt: skip
def test_texts_truths_and_numbers_are_each_their_own(held: Any, wanted: Any, same: bool) -> None:
    view = Fixed(traits={"x": held})
    assert true({"trait": "x", "is": wanted}, view) is same
    assert true({"trait": "x", "in": ["other", wanted]}, view) is same
    assert true({"trait": "x", "has": wanted}, Fixed(traits={"x": [held]})) is same


def test_what_is_not_there_is_true_of_nothing_but_its_absence() -> None:
    for operand in ({"trait": "x"}, {"measure": "seats"}, {"date": "renewal_at"}, {"stage": "age"}):
        assert true({**operand, "exists": False}, Fixed())
        assert not true({**operand, "exists": True}, Fixed())
    assert not true({"measure": "seats", "below": 5}, Fixed())
    assert true({"not": {"measure": "seats", "below": 5}}, Fixed())
    assert true({"count": "purchased", "is": 0}, Fixed())


def test_nothing_changes_after_the_last_day() -> None:
    assert changes({"since": "renewal_at", "above": "1 day"}, Fixed(dates={"renewal_at": LAST - 5})) is None


_EARLY = BEGIN - DAY


@given(conditions(), views())
@settings(max_examples=300)
def test_the_changes_are_each_the_next_one_after_that_before(document: Any, view: Fixed) -> None:
    condition = parse(document, TERMS)
    found, at = [], next_change(condition, view, _EARLY)
    while at is not None:
        found.append(at)
        at = next_change(condition, view, at)
    assert list(evaluating.changes(condition, view, _EARLY)) == found
    if found:
        assert list(evaluating.changes(condition, view, _EARLY, found[-1] - 1)) == found[:-1]
