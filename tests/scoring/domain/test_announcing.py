"""What is recorded and what is told: hysteresis never flaps, history stays silent, nothing is told twice."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from jornada.events import Band
from services.scoring.domain.announcing import (
    TOLD_LATER,
    Announce,
    Cause,
    Nothing,
    Recorded,
    RecordUnannounced,
    cause_of,
    decide,
)
from services.scoring.domain.shipped import SAAS
from tests.scoring.journeys import AT

WELL = Recorded("green", AT - timedelta(days=9))
HOUR = timedelta(hours=1)


def settle(recorded: Band, score: float) -> Band:
    return SAAS.bands.settled(recorded, score, SAAS.bands.band(score))


@given(st.sampled_from((40.0, 70.0)), st.lists(st.floats(-2.5, 2.49), max_size=50))
def test_a_score_that_swings_by_less_than_the_hysteresis_never_flaps(threshold: float, swings: list[float]) -> None:
    band: Band = SAAS.bands.band(threshold)
    changes = 0
    for swing in swings:
        after = settle(band, threshold + swing)
        changes += after != band
        band = after
    assert changes <= 1


@given(st.sampled_from(("green", "yellow", "red", "unknown")), st.floats(0, 100))
def test_the_recorded_band_is_never_better_than_the_band(recorded: Band, score: float) -> None:
    order = ["green", "yellow", "red"]
    assert order.index(settle(recorded, score)) >= order.index(SAAS.bands.band(score))


def test_it_worsens_at_the_threshold_and_improves_five_above() -> None:
    assert settle("yellow", 39.9999999) == "red"
    assert settle("yellow", 40.0) == "yellow"
    assert settle("red", 44.9999999) == "red"
    assert settle("red", 45.0) == "yellow"
    assert settle("red", 75.0) == "green"
    assert settle("unknown", 40.0) == "yellow"


def test_a_live_touchpoint_and_silence_tell_a_red_and_history_does_not() -> None:
    causes: tuple[Cause, ...] = ("live", "silence", "other")
    decisions = [decide(WELL, "red", AT, AT, cause, None)[1] for cause in causes]
    assert [type(each) for each in decisions] == [Announce, Announce, RecordUnannounced]


def test_a_red_untold_is_told_once_by_the_first_live_touchpoint_that_leaves_it_red() -> None:
    recorded, first = decide(WELL, "red", AT, AT, "other", AT)
    recorded, second = decide(recorded, "red", AT, AT + HOUR, "live", AT)
    recorded, third = decide(recorded, "red", AT, AT + 2 * HOUR, "live", AT)
    assert isinstance(first, RecordUnannounced)
    assert isinstance(second, Announce)
    assert first.crossed == second.crossed
    assert isinstance(third, Nothing)


def test_a_red_reached_by_history_is_told_24_hours_after_its_receipt_and_not_before() -> None:
    recorded, _ = decide(WELL, "red", AT, AT + HOUR, "other", AT)
    assert recorded.announce_at == AT + TOLD_LATER
    early = decide(recorded, "red", AT, AT + TOLD_LATER - timedelta(microseconds=1), "silence", AT)[1]
    due = decide(recorded, "red", AT, AT + TOLD_LATER, "silence", AT)[1]
    assert (type(early), type(due)) == (Nothing, Announce)


def test_without_new_history_no_timer_tells_it() -> None:
    known = WELL._replace(history_at=AT)
    assert decide(known, "red", AT, AT, "other", AT)[0].announce_at is None
    assert decide(WELL, "red", AT, AT, "other", None)[0].announce_at is None


def test_leaving_red_is_told_only_if_entering_it_was() -> None:
    told, _ = decide(WELL, "red", AT, AT, "live", None)
    untold, _ = decide(WELL, "red", AT, AT, "other", None)
    assert isinstance(decide(told, "yellow", AT, AT, "live", None)[1], Announce)
    assert isinstance(decide(untold, "yellow", AT, AT, "live", None)[1], RecordUnannounced)


def test_each_crossing_has_the_next_ordinal_and_is_never_before_the_last() -> None:
    recorded, first = decide(WELL, "red", AT, AT, "live", None)
    _, second = decide(recorded, "yellow", AT - timedelta(days=1), AT, "live", None)
    assert isinstance(first, Announce)
    assert isinstance(second, Announce)
    assert (first.crossed.ordinal, second.crossed.ordinal) == (1, 2)
    assert second.crossed.at == AT


BANDS: tuple[Band, ...] = ("green", "yellow", "red", "unknown")


@given(st.sampled_from(BANDS), st.sampled_from(BANDS))
def test_entering_another_known_band_is_a_crossing_and_of_the_unknown_only_entering_red(
    before: Band, after: Band
) -> None:
    recorded, decision = decide(Recorded(before, AT, announced=True), after, AT, AT, "live", None)
    crossing = after not in {before, "unknown"} and (before != "unknown" or after == "red")
    assert recorded.band == after
    assert isinstance(decision, Announce if crossing else Nothing)


def test_an_untold_yellow_is_told_by_what_leaves_it_yellow_and_a_first_yellow_is_no_crossing() -> None:
    untold, _ = decide(WELL, "yellow", AT, AT, "other", AT)
    assert untold.announce_at == AT + TOLD_LATER
    assert isinstance(decide(untold, "yellow", AT, AT + HOUR, "live", AT)[1], Announce)
    first, _ = decide(Recorded("unknown", AT), "yellow", AT, AT, "other", AT)
    assert (first.announce_at, decide(first, "yellow", AT, AT + HOUR, "live", AT)[1]) == (None, Nothing())
    assert isinstance(decide(first, "green", AT, AT + HOUR, "live", AT)[1], Announce)


def test_only_a_receipt_later_than_the_last_one_is_live() -> None:
    known = WELL._replace(live_at=AT)
    assert cause_of(known, AT, silent=False) == "other"
    assert cause_of(known, AT + HOUR, silent=False) == "live"
    assert cause_of(known, None, silent=True) == "silence"
