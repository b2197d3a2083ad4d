"""A stream that breaks is told within three hours, held back from at once, and told of nothing else by mistake."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.domain.freezing import Freeze
from services.scoring.domain.volumes import WEEK_HOURS
from services.scoring.domain.watching import (
    HOUR,
    OLDEST,
    WATCHED_HOURS,
    WITHHELD_HOURS,
    Name,
    Seen,
    Standing,
    Stream,
    Streams,
    seen,
)

BEGIN = 490_000
USED, OPENED = ("app", "feature_used"), ("app", "ticket_opened")
MINUTE = 60_000_000
ADOPTION, SUPPORT = frozenset({"adoption"}), frozenset({"support"})


def stream(customers: Sequence[int], components: frozenset[str] = ADOPTION, last: int | None = None) -> Stream:
    """One whose latest came at the end of the last hour with any, unless said."""
    hours = [hour for hour, number in enumerate(customers) if number]
    ends = (BEGIN + hours[-1] + 1) * HOUR - 1 if hours else 0
    return Stream(customers, components, ends if last is None else last)


def look(by_name: Mapping[Name, Stream], minutes: int = 1, **known: Sequence[object]) -> Seen:
    """What is seen so many minutes into the last hour."""
    running = len(next(iter(by_name.values())).customers) - 1
    streams = Streams(BEGIN, (BEGIN + running) * HOUR + minutes * MINUTE, by_name)
    return seen(streams, known.get("standing", ()), known.get("past", ()))  # type: ignore[arg-type]


def steady(hours: int, each: int = 400) -> list[int]:
    return [each] * hours


FOUR = 4 * WEEK_HOURS


def test_a_stream_that_stops_is_withheld_within_minutes_and_frozen_after_three_hours() -> None:
    last = (BEGIN + FOUR) * HOUR + 20 * MINUTE
    before = [*steady(FOUR), 133]
    assert look({USED: stream(before, last=last)}, 24).withheld_from is None
    assert look({USED: stream(before, last=last)}, 26).withheld_from == last
    for missing in (1, 2, 3):
        found = look({USED: stream([*before, *steady(missing, 0)], last=last)})
        assert (found.begun, found.withheld_from) == ([], last)
    found = look({USED: stream([*before, *steady(4, 0)], last=last)})
    (begun,) = found.begun
    assert begun.freeze == Freeze(*USED, ADOPTION, last)
    assert (begun.customers, found.withheld_from) == (400, None)


def test_a_trickle_is_no_sign_of_life() -> None:
    counts = [*steady(FOUR), 20, 20, 20, 2]
    found = look({USED: stream(counts, last=(BEGIN + FOUR + 3) * HOUR)})
    assert [each.freeze.began for each in found.begun] == [(BEGIN + FOUR) * HOUR]
    assert look({USED: stream([*steady(FOUR), 20, 1])}).withheld_from == (BEGIN + FOUR) * HOUR


def test_one_heavy_sender_who_stops_is_no_tracker_that_broke() -> None:
    assert look({USED: stream([*steady(FOUR, 40), *steady(9, 39)])}, 59) == Seen([], [], None)


def test_what_comes_under_another_name_freezes_nothing_and_is_told() -> None:
    old, new = ("app", "feature_used"), ("app", "report_made")
    renamed = {old: stream([*steady(FOUR), *steady(5, 0)]), new: stream([*steady(FOUR, 0), *steady(5)])}
    (begun,) = look(renamed).begun
    assert begun.freeze.components == frozenset()


def test_a_small_part_of_a_component_freezes_nothing() -> None:
    small = ("app", "report_made")
    (begun,) = look({USED: stream(steady(FOUR + 5)), small: stream([*steady(FOUR, 30), *steady(5, 0)])}).begun
    assert begun.freeze.components == frozenset()


def test_two_sources_of_one_component_freeze_it_though_the_other_goes_on() -> None:
    other = ("web", "feature_used")
    (begun,) = look({USED: stream([*steady(FOUR), *steady(5, 0)]), other: stream(steady(FOUR + 5))}).begun
    assert begun.freeze.components == ADOPTION


def test_what_feeds_nothing_is_not_watched() -> None:
    assert look({USED: stream([*steady(FOUR), *steady(5, 0)], frozenset())}) == Seen([], [], None)


def standing(came: Sequence[int], minutes: int = 1) -> Seen:
    """What is seen of a freeze that stands, after these hours."""
    counts = [*steady(FOUR), *came, 0]
    begun = look({USED: stream([*steady(FOUR), *steady(4, 0)])}).begun[0]
    return look({USED: stream(counts)}, minutes, standing=[Standing(begun.freeze, begun.week)])


def test_it_is_back_at_the_end_of_the_second_hour_in_a_row_with_half_of_what_is_expected() -> None:
    assert standing([*steady(9, 0), 200, 199, 200]).ended == []
    (ended,) = standing([*steady(9, 0), 200, 199, 200, 200]).ended
    assert (ended.at, ended.repaired) == ((BEGIN + FOUR + 13) * HOUR, True)


def test_it_is_back_however_long_it_was_away() -> None:
    (ended,) = standing([*steady(20 * 24, 0), *steady(2)]).ended
    assert ended.repaired


def test_it_stands_for_28_days_at_most() -> None:
    days = OLDEST.days
    assert standing([0] * (days * 24 - 2)).ended == []
    (ended,) = standing([0] * (days * 24)).ended
    assert not ended.repaired and ended.at == (BEGIN + FOUR + days * 24) * HOUR - 1


@pytest.mark.parametrize("hours", [1, 24, 24 * 7])
def test_what_was_given_up_is_not_frozen_or_withheld_again(hours: int) -> None:
    counts = [*steady(FOUR), *steady(5 + hours, 0)]
    begun = look({USED: stream([*steady(FOUR), *steady(4, 0)])}).begun[0]
    gone = begun.freeze._replace(ended=(BEGIN + FOUR + 5) * HOUR)
    found = look({USED: stream(counts)}, past=[gone])
    assert found.begun == [] and (found.withheld_from is None or hours < WITHHELD_HOURS)


def test_it_may_break_again() -> None:
    counts = [*steady(FOUR), *steady(9, 0), *steady(30), *steady(5, 0)]
    first = Freeze(*USED, ADOPTION, (BEGIN + FOUR) * HOUR, (BEGIN + FOUR + 11) * HOUR)
    (begun,) = look({USED: stream(counts)}, past=[first]).begun
    assert begun.freeze.began == (BEGIN + FOUR + 39) * HOUR - 1


days = st.lists(st.sampled_from([0, 3, 40, 900]), min_size=24, max_size=24)


@given(days, days, st.integers(0, 59), st.integers(0, 24 * 7))
def test_what_comes_and_goes_by_the_week_is_neither_frozen_nor_withheld(
    workday: list[int], off: list[int], minutes: int, more: int
) -> None:
    week = workday * 5 + off * 2
    counts = [*(week * 5)[: WATCHED_HOURS - more]]
    assert look({USED: stream(counts)}, minutes) == Seen([], [], None)
