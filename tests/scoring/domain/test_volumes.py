"""A source that stops sending is told from customers who leave, and from nights, weekends and small numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.domain.volumes import WEEK_HOURS, Collapse, Span, collapses, expected, lived

LEAST = 50

weeks = st.lists(st.sampled_from([0, 0, 1, 5, 40, 1_000]), min_size=WEEK_HOURS, max_size=WEEK_HOURS)
instants = st.integers(0, 100)
spans = st.lists(st.tuples(instants, st.one_of(st.none(), instants)))


def steady(hours: int, each: int = 100) -> list[int]:
    return [each] * hours


FIVE = 5 * WEEK_HOURS


@pytest.mark.parametrize("known", [1, 2, 4])
def test_a_stream_that_stops_has_collapsed_from_its_last_arrival_on(known: int) -> None:
    counts = [*steady(known * WEEK_HOURS), 0, 0, 0]
    last = known * WEEK_HOURS - 1
    assert collapses(counts, LEAST) == [Collapse(last)]
    by_then = [collapses(counts[: last + n + 1], LEAST) for n in range(4)]
    assert by_then == [[], [], [], [Collapse(last)]]


def test_it_is_repaired_where_two_hours_are_back_over_half_and_one_alone_repairs_nothing() -> None:
    broken = [*steady(4 * WEEK_HOURS), *steady(50, 3)]
    assert collapses([*broken, 50, 49, 50], LEAST)[0].repaired is None
    assert collapses([*broken, 50, 49, 50, 50], LEAST)[0].repaired == len(broken) + 2


def test_what_is_missing_is_not_expected_of_later_weeks() -> None:
    counts = [*steady(2 * WEEK_HOURS), *steady(2 * WEEK_HOURS + 30, 0)]
    assert collapses([*counts, 40, 40], LEAST)[0].repaired is None
    assert collapses([*counts, 50, 50], LEAST)[0].repaired == len(counts)


@given(weeks, st.integers(1, 5), st.integers(0, WEEK_HOURS - 1))
def test_what_comes_and_goes_by_the_week_never_collapses(week: list[int], known: int, more: int) -> None:
    assert collapses([*week * known, *week[:more]], 1) == []


def test_a_stream_of_working_hours_does_not_collapse_on_its_first_weekend() -> None:
    day, off = [0] * 8 + [200] * 10 + [0] * 6, [0] * 24
    assert collapses((day * 5 + off * 2) * 2, 1) == []


@given(st.integers(0, FIVE), st.integers(0, 50))
def test_a_stream_that_never_had_traffic_never_collapses(hours: int, least: int) -> None:
    assert collapses([0] * hours, least) == []


@given(weeks, st.data())
def test_it_never_has_collapsed_while_at_least_half_of_what_is_expected_comes(
    week: list[int], data: st.DataObject
) -> None:
    counts: list[int] = [*week, *week]
    for hour in range(len(counts), len(counts) + 60):
        awaited = expected(counts, hour)
        counts.append(data.draw(st.integers((awaited + 1) // 2, 2 * awaited)))
    assert collapses(counts, 1) == []


@given(weeks, st.lists(st.integers(0, 1_000), max_size=WEEK_HOURS), st.integers(2, 1_000))
def test_more_of_everything_changes_nothing_above_the_least(week: list[int], then: list[int], times: int) -> None:
    counts = [*week * 3, *then]
    assert collapses([each * times for each in counts], times * LEAST) == collapses(counts, LEAST)


def test_a_source_collapses_when_enough_is_missed_and_no_sooner() -> None:
    assert collapses([*steady(2 * WEEK_HOURS, 1), *[0] * 40], LEAST) == []
    assert collapses([*steady(2 * WEEK_HOURS, 1), *[0] * 50], LEAST) == [Collapse(2 * WEEK_HOURS - 1)]


def test_a_night_in_between_breaks_no_row() -> None:
    day = [0] * 12 + [0] * 10 + [100] * 2
    counts = day * 28 + [0] * 48
    assert collapses(counts, LEAST) == [Collapse(28 * 24 - 1)]


@given(spans, instants, instants, instants)
def test_lived_time_adds_up_and_is_never_negative(freezes: list[Span], a: int, b: int, c: int) -> None:
    a, b, c = sorted((a, b, c))
    assert lived(freezes, a, b) + lived(freezes, b, c) == lived(freezes, a, c)
    assert 0 <= lived(freezes, a, c) <= c - a
    assert lived(freezes, c, a) == 0


@given(spans, instants, instants)
def test_lived_time_is_that_of_the_instants_that_no_freeze_covers(freezes: list[Span], begin: int, end: int) -> None:
    def frozen(at: int) -> bool:
        return any(from_ <= at and (until is None or at < until) for from_, until in freezes)

    assert lived(freezes, begin, end) == sum(not frozen(at) for at in range(begin, end))
    assert lived([*freezes, *freezes], begin, end) == lived(freezes, begin, end)
