"""Health: contributions sum, silence never helps, the unknown is said, and the next crossing is exact."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jornada.events import Billing, JourneySnapshot, Measures, OpenTicket, Support
from jornada.instants import micros
from services.scoring.domain.course import Course
from services.scoring.domain.crossing import band_at
from services.scoring.domain.profiles import APP, BUILT_IN, SUBSCRIPTION, InvalidProfile, Thresholds, validated
from services.scoring.domain.scores import received, score
from tests.scoring.journeys import ALL, AT, connections, journey, journeys, later, use, used_on

MINUTE = timedelta(minutes=1)


@given(journeys(), connections, later)
def test_contributions_and_vetoes_sum_to_the_score(
    snapshot: JourneySnapshot, connected: frozenset[str], at: datetime
) -> None:
    health = score(snapshot, connected, at).health
    taken = sum(veto.values["points"] for veto in health.vetoes)
    if health.score is not None:
        assert health.score == pytest.approx(sum(each.points for each in health.components) + taken, abs=5e-7)
        assert sum(each.weight for each in health.components) == pytest.approx(1, abs=5e-9)
        assert 0 <= health.score <= 100


@given(journeys(), connections, later, later)
def test_health_never_rises_in_silence(
    snapshot: JourneySnapshot, connected: frozenset[str], one: datetime, other: datetime
) -> None:
    early, late = (score(snapshot, connected, at).health for at in sorted((one, other)))
    for before, after in zip(early.components, late.components, strict=True):
        assert after.value <= before.value
    assert early.score is None or (late.score is not None and late.score <= early.score)


@given(journeys(), connections, later, later)
def test_churn_risk_never_falls_in_silence(
    snapshot: JourneySnapshot, connected: frozenset[str], one: datetime, other: datetime
) -> None:
    early, late = (score(snapshot, connected, at).churn_risk for at in sorted((one, other)))
    if early.probability is not None and late.probability is not None:
        assert late.probability >= early.probability - 2e-9


@given(journeys(), connections, later)
@settings(max_examples=200)
def test_the_crossing_is_the_very_microsecond_at_which_the_band_changes(
    snapshot: JourneySnapshot, connected: frozenset[str], at: datetime
) -> None:
    health = score(snapshot, connected, at).health
    if health.crosses is None:
        far = score(snapshot, connected, at + timedelta(days=3_650)).health
        assert far.band == health.band
        return
    assert score(snapshot, connected, health.crosses.at).health.band == health.crosses.band != health.band
    just_before = max(at, health.crosses.at - timedelta(microseconds=1))
    assert score(snapshot, connected, just_before).health.band == health.band


@given(journeys(), connections, st.integers(0, 86_400_000_000))
@settings(max_examples=25, deadline=None)
def test_the_crossing_is_what_polling_by_the_minute_finds(
    snapshot: JourneySnapshot, connected: frozenset[str], offset: int
) -> None:
    at = AT + timedelta(microseconds=offset)
    begun = score(snapshot, connected, at)
    if begun.health.band == "unknown":
        return
    thresholds, course = begun.profile.thresholds, begun.course
    polled = next(
        (each for each in range(3 * 1_440) if _band(course, thresholds, at + each * MINUTE) != begun.health.band), None
    )
    crosses = begun.health.crosses
    if polled is None:
        assert crosses is None or crosses.at > at + (3 * 1_440 - 1) * MINUTE
    else:
        assert crosses is not None
        assert at + (polled - 1) * MINUTE < crosses.at <= at + polled * MINUTE


def _band(course: Course, thresholds: Thresholds, at: datetime) -> str:
    return band_at(course, thresholds, micros(at))


def test_a_component_that_the_workspace_never_received_is_left_out() -> None:
    health = score(journey(), frozenset({"use"}), AT).health
    assert [each.name for each in health.components] == ["use"]
    assert (health.components[0].weight, health.coverage) == (1.0, 1.0)


def test_a_trial_alone_says_nothing_of_how_is_paid() -> None:
    for billing, known in ((Billing(trial_ends_at=AT), 0), (Billing(trial_ends_at=AT, seats=3), 1), (Billing(), 1)):
        measures = Measures(use=use(), billing=billing)
        health = score(journey(measures=measures), frozenset({"use", "billing"}), AT).health
        assert [each.name for each in health.components] == ["use", "billing"][: 1 + known]
        assert ("billing" in received(measures)) is bool(known)


def test_once_support_is_connected_no_tickets_are_a_known_good() -> None:
    measures = Measures(use=use())
    health = score(journey(measures=measures), frozenset({"use", "support"}), AT).health
    support = next(each for each in health.components if each.name == "support")
    assert (support.value, support.because.code) == (1.0, "no_open_tickets")


def test_below_half_coverage_the_band_is_unknown_and_says_so() -> None:
    health = score(journey(measures=Measures(support=Support(tickets=0))), ALL, AT).health
    assert (health.band, health.coverage) == ("unknown", 0.2)
    assert health.unknown_because is not None
    assert health.unknown_because.text["en"] == "only 20% of what makes health is known"


@pytest.mark.parametrize("stage", ["visitor", "lead", "churned"])
def test_some_stages_have_no_band_but_keep_a_score(stage: str) -> None:
    health = score(journey(stage=stage), ALL, AT).health
    assert (health.band, health.crosses) == ("unknown", None)
    assert health.score is not None
    assert health.unknown_because is not None
    assert health.unknown_because.values == {"stage": stage}


def test_silence_alone_is_red_though_all_else_is_perfect() -> None:
    health = score(journey(), ALL, AT + timedelta(days=60)).health
    assert (health.band, health.score) == ("red", 35.0)


def test_a_daily_user_turns_yellow_and_red_within_three_weeks_of_silence() -> None:
    daily = journey(measures=Measures(use=used_on(range(90), own_gap_days=1), support=Support(tickets=0)))
    bands = [
        score(daily, frozenset({"use", "support"}), AT + timedelta(days=day)).health.band for day in (0, 7, 14, 21)
    ]
    assert bands == ["green", "green", "yellow", "red"]


def test_somebody_new_is_not_red_for_having_had_no_time() -> None:
    new = journey(measures=Measures(use=used_on([0])), first_seen_at=AT)
    assert score(new, frozenset({"use"}), AT).health.band == "yellow"
    assert score(new, frozenset({"use"}), AT + timedelta(days=14)).health.band == "red"


def test_a_standing_cancellation_caps_health_and_is_listed() -> None:
    billing = Billing(cancels_at=AT + timedelta(days=20))
    health = score(journey(measures=Measures(use=use(), billing=billing)), ALL, AT).health
    assert (health.score, health.band) == (35.0, "red")
    assert [veto.text["pt-BR"] for veto in health.vetoes] == ["cancelamento com efeito em 22/03/2026"]


def test_a_payment_overdue_for_thirty_days_is_a_dated_fact_that_crosses() -> None:
    billing = Billing(payment_failed_since=AT)
    busy = use(AT + timedelta(days=29), count=30)
    snapshot = journey(measures=Measures(use=busy, billing=billing), as_of=AT + timedelta(days=29))
    health = score(snapshot, ALL, snapshot.as_of).health
    assert health.crosses is not None
    assert (health.crosses.band, health.crosses.at) == ("red", AT + timedelta(days=30))


def test_a_worse_and_an_older_ticket_takes_more() -> None:
    def value(severity: int, age: int) -> float:
        ticket = OpenTicket(ticket_id="t", opened_at=AT - timedelta(days=age), severity=severity)
        measures = Measures(use=use(), support=Support(tickets=1, open=[ticket]))
        components = score(journey(measures=measures), ALL, AT).health.components
        return next(each.value for each in components if each.name == "support")

    assert value(1, 0) < value(2, 0) < value(3, 0) < value(4, 0) < 1
    assert value(1, 9) < value(1, 3) < value(1, 0)


def test_a_shop_is_read_at_its_own_pace() -> None:
    def band(days_ago: list[float], own_gap_days: int = 180) -> str:
        bought = journey(
            measures=Measures(use=used_on(days_ago, own_gap_days=own_gap_days)),
            rules="shop",
            first_seen_at=AT - timedelta(days=540),
        )
        return score(bought, frozenset({"use"}), AT).health.band

    assert band([3]) == "green"
    assert band([120]) == "yellow"
    assert band([360]) == "red"
    assert band([300, 400, 500]) == "red"
    assert band([20, 50, 80, 110], own_gap_days=30) == "green"


def test_an_app_loses_people_within_days() -> None:
    opened = journey(measures=Measures(use=used_on([0, 1, 2, 3, 4, 5], own_gap_days=1)), rules="app")
    bands = [score(opened, frozenset({"use"}), AT + timedelta(days=day)).health.band for day in (0, 4, 8)]
    assert bands == ["green", "yellow", "red"]


def test_the_built_in_profiles_hold_together() -> None:
    assert set(BUILT_IN) == {"subscription", "shop", "app"}
    for profile in BUILT_IN.values():
        assert validated(profile) is profile


@pytest.mark.parametrize(
    "change",
    [
        {"thresholds": Thresholds(green=40, yellow=70)},
        {"thresholds": Thresholds(green=42, yellow=40)},
        {"weights": {"use": -1.0}},
        {"weights": {}},
        {"least_coverage": 0.0},
    ],
)
def test_a_profile_that_contradicts_itself_is_refused(change: dict[str, object]) -> None:
    fields = {name: getattr(SUBSCRIPTION, name) for name in SUBSCRIPTION.__struct_fields__}
    with pytest.raises(InvalidProfile):
        validated(type(APP)(**(fields | change)))
