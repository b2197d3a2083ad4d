"""Health: contributions sum, silence never helps, the unknown is said, and the next crossing is exact."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jornada.events import (
    Billing,
    Contacts,
    Counted,
    DecayedMean,
    Feedback,
    JourneySnapshot,
    Learning,
    Measures,
    OpenTicket,
    Support,
)
from jornada.instants import micros
from services.scoring.domain import crossing
from services.scoring.domain.bands import Bands
from services.scoring.domain.course import Course, received
from services.scoring.domain.health import top_reasons
from services.scoring.domain.parts.adoption import usual_gap
from services.scoring.domain.profiles import InvalidProfile, Thresholds, validated
from services.scoring.domain.shapes import trend
from services.scoring.domain.shipped import APP, SAAS, SHIPPED, shipped_for
from tests.scoring.journeys import ALL, AT, connections, journey, journeys, later, score, subject_id, use, used_on

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
def test_adoption_never_rises_in_silence_nor_does_what_only_ages(
    snapshot: JourneySnapshot, connected: frozenset[str], one: datetime, other: datetime
) -> None:
    early, late = (score(snapshot, connected, at).health for at in sorted((one, other)))
    for before, after in zip(early.components, late.components, strict=True):
        if before.name in {"adoption", "support", "relationship"}:
            assert after.value <= before.value
        if before.name == "enablement":
            assert after.value == before.value


@given(journeys(), connections, later, later)
def test_health_never_rises_in_silence_while_the_other_components_hold(
    snapshot: JourneySnapshot, connected: frozenset[str], one: datetime, other: datetime
) -> None:
    course = score(snapshot, connected, AT).course
    values = course.values(micros(one))
    early, late = (
        course.points(
            [
                share.part.value(micros(at)) if share.name == "adoption" else held
                for share, held in zip(course.shares, values, strict=True)
            ]
        )
        for at in sorted((one, other))
    )
    assert late <= early


@given(journeys(), connections, later, later)
def test_from_turn_to_turn_each_component_only_rises_or_only_falls(
    snapshot: JourneySnapshot, connected: frozenset[str], one: datetime, other: datetime
) -> None:
    course = score(snapshot, connected, AT).course
    low, high = sorted((micros(one), micros(other)))
    if any(low < turn <= high for turn in course.turns):
        return
    for share in course.shares:
        between = share.part.value((low + high) // 2)
        ends = share.part.value(low), share.part.value(high)
        assert min(ends) - 1e-12 <= between <= max(ends) + 1e-12


@given(journeys(), connections, later, later)
def test_old_feedback_drifts_back_to_neutral(
    snapshot: JourneySnapshot, connected: frozenset[str], one: datetime, other: datetime
) -> None:
    course = score(snapshot, connected, AT).course
    rule = score(snapshot, connected, AT).profile.feedback
    neutral = (rule.neutral - rule.worst) / (rule.best - rule.worst)
    for share in course.shares:
        if share.name == "feedback":
            early, late = (abs(share.part.value(micros(at)) - neutral) for at in sorted((one, other)))
            assert late <= early + 1e-12


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
    bands, course = begun.profile.bands, begun.course
    polled = next(
        (each for each in range(3 * 1_440) if _band(course, bands, at + each * MINUTE) != begun.health.band), None
    )
    crosses = begun.health.crosses
    if polled is None:
        assert crosses is None or crosses.at > at + (3 * 1_440 - 1) * MINUTE
    else:
        assert crosses is not None
        assert at + (polled - 1) * MINUTE < crosses.at <= at + polled * MINUTE


def _band(course: Course, bands: Bands, at: datetime) -> str:
    return bands.band(crossing.at(course, micros(at)))


def test_a_component_that_the_workspace_never_received_is_left_out() -> None:
    health = score(journey(), frozenset({"adoption"}), AT).health
    assert [each.name for each in health.components] == ["adoption"]
    assert (health.components[0].weight, health.coverage) == (1.0, 1.0)


def test_a_trial_alone_connects_no_contract() -> None:
    for billing, connects in ((Billing(trial_ends_at=AT), False), (Billing(trial_ends_at=AT, seats=3), True)):
        assert ("commercial" in received(Measures(use=use(), billing=billing))) is connects


def test_a_trial_costs_what_it_is_near_its_end_unless_an_account_may_pay() -> None:
    measures = Measures(use=use(), billing=Billing(trial_ends_at=AT + timedelta(days=7)))

    def told(day: int, **more: Any) -> list[tuple[float, str]]:
        health = score(journey(measures=measures, **more), ALL, AT + timedelta(days=day)).health
        return [(each.value, each.because.code) for each in health.components if each.name == "commercial"]

    assert told(0) == [(1.0, "payments_in_order")]
    assert told(6)[0][1] == "trial_ends"
    assert told(7) == [(0.0, "trial_ended")]
    assert told(6, account_id=subject_id("acme")) == []


def test_a_renewal_that_does_not_come_by_itself_costs_until_it_is_past() -> None:
    def told(day: int, renews: bool | None) -> tuple[float, str]:
        billing = Billing(renewal_at=AT + timedelta(days=30), auto_renew=renews)
        health = score(journey(measures=Measures(use=use(), billing=billing)), ALL, AT + timedelta(days=day)).health
        return next((each.value, each.because.code) for each in health.components if each.name == "commercial")

    assert [told(day, renews=True)[0] for day in (0, 29, 31)] == [1.0, 1.0, 1.0]
    assert told(15, renews=None) == (0.75, "contract_ends")
    assert told(30, renews=None) == (1.0, "payments_in_order")
    assert told(30, renews=False) == (0.0, "contract_ended")


def test_once_support_is_connected_no_tickets_are_a_known_good() -> None:
    measures = Measures(use=use())
    health = score(journey(measures=measures), frozenset({"adoption", "support"}), AT).health
    support = next(each for each in health.components if each.name == "support")
    assert (support.value, support.because.code) == (1.0, "no_open_tickets")


def test_below_half_coverage_the_band_is_unknown_and_says_so() -> None:
    health = score(journey(measures=Measures(support=Support(tickets=0))), ALL, AT).health
    assert (health.band, health.coverage) == ("unknown", 0.12)
    assert health.unknown_because is not None
    assert health.unknown_because.text["en"] == "only 12% of what makes health is known"


@pytest.mark.parametrize("stage", ["visitor", "lead", "churned"])
def test_some_stages_have_no_band_but_keep_a_score(stage: str) -> None:
    health = score(journey(stage=stage), ALL, AT).health
    assert (health.band, health.crosses) == ("unknown", None)
    assert health.score is not None
    assert health.unknown_because is not None
    assert health.unknown_because.values == {"stage": stage}


def test_silence_alone_is_red_though_all_else_is_perfect() -> None:
    measures = Measures(
        use=use(count=40),
        support=Support(tickets=1),
        billing=Billing(plan="pro"),
        feedback=Feedback(
            nps=10,
            nps_at=AT,
            level_decayed=[DecayedMean(half_life_days=90, mean=1.0, weight=50, at=AT)],
        ),
        learning=Learning(onboarding_steps=9),
        counts={"referral_made": Counted(total=1, last_at=AT, decayed=[50.0] * 5)},
    )
    before, after = (score(journey(measures=measures), ALL, AT + timedelta(days=day)).health for day in (0, 22))
    assert before.score is not None
    assert before.score > 95
    assert [each.value for each in after.components if each.name != "adoption"] == pytest.approx([1.0] * 5, abs=0.01)
    assert after.band == "red"


def test_a_daily_user_turns_yellow_and_red_within_three_weeks_of_silence() -> None:
    daily = journey(measures=Measures(use=used_on(range(90), own_gap_days=1), support=Support(tickets=0)))
    bands = [
        score(daily, frozenset({"adoption", "support"}), AT + timedelta(days=day)).health.band for day in (0, 7, 14, 21)
    ]
    assert bands == ["green", "green", "yellow", "red"]


def test_somebody_new_is_not_red_for_having_had_no_time() -> None:
    new = journey(measures=Measures(use=used_on([0])), first_seen_at=AT)
    assert score(new, frozenset({"adoption"}), AT).health.band == "yellow"
    assert score(new, frozenset({"adoption"}), AT + timedelta(days=14)).health.band == "red"


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


def test_of_two_who_are_gone_the_regular_still_stands_higher() -> None:
    def points(days: int) -> float:
        told = journey(measures=Measures(use=used_on(range(0, 7 * days, 7), own_gap_days=7)))
        value = score(told, frozenset({"adoption"}), AT + timedelta(days=40)).health.score
        assert value is not None
        return value

    assert points(20) > points(5) > points(1) > 0


@given(st.integers(1, 200), st.integers(0, 20), st.integers(1, 200))
def test_the_usual_gap_lies_between_the_own_and_the_expected_one_nearer_the_own_the_more_of_them_are_known(
    own: int, gaps: int, expected: int
) -> None:
    def usual(known: int) -> float:
        told = msgspec.structs.replace(use(own_gap_days=own), gaps=known, expected_gap_days=expected)
        return usual_gap(told, SAAS.adoption)

    least = SAAS.adoption.least_gap_days
    assert min(own, expected) - 1e-9 <= max(usual(gaps), min(own, expected)) <= max(own, expected, least) + 1e-9
    assert usual(0) == pytest.approx(max(expected, least))
    assert abs(usual(gaps + 1) - max(own, least)) <= abs(usual(gaps) - max(own, least)) + 1e-9


def test_a_worse_and_an_older_ticket_takes_more() -> None:
    def value(severity: int, age: int) -> float:
        ticket = OpenTicket(ticket_id="t", opened_at=AT - timedelta(days=age), severity=severity)
        measures = Measures(use=use(), support=Support(tickets=1, open=[ticket]))
        components = score(journey(measures=measures), ALL, AT).health.components
        return next(each.value for each in components if each.name == "support")

    assert value(1, 0) < value(2, 0) < value(3, 0) < value(4, 0) < 1
    assert value(1, 9) < value(1, 3) < value(1, 0)


def component(measures: Measures, name: str, days: int = 0) -> tuple[float, str]:
    """The value of a component so many days after AT, and the code of its reason."""
    components = score(journey(measures=measures), ALL, AT + timedelta(days=days)).health.components
    return next((each.value, each.because.code) for each in components if each.name == name)


def test_unpaid_counts_since_the_oldest_of_a_failed_payment_and_overdue_invoices() -> None:
    failed = AT - timedelta(days=1)
    oldest = {"a": AT - timedelta(days=29), "b": AT - timedelta(days=2)}
    alone, both = (Billing(payment_failed_since=failed, overdue=overdue) for overdue in ({}, oldest))
    assert component(Measures(billing=both), "commercial")[0] < component(Measures(billing=alone), "commercial")[0]
    assert component(Measures(billing=both), "commercial")[1] == "invoices_overdue"
    for day, vetoed in ((0, False), (1, True)):
        health = score(journey(measures=Measures(billing=both)), ALL, AT + timedelta(days=day)).health
        assert [veto.code for veto in health.vetoes] == ["payment_overdue"] * vetoed


def test_an_escalated_and_a_reopened_ticket_take_more() -> None:
    def value(*, reopened: bool = False, escalated: bool = False) -> float:
        ticket = OpenTicket(ticket_id="t", opened_at=AT, severity=3, reopened=reopened, escalated=escalated)
        return component(Measures(support=Support(tickets=1, open=[ticket])), "support")[0]

    assert value(reopened=True) < value(escalated=True) < value() < 1


def test_onboarding_and_courses_count_by_how_far_they_have_come_and_hold() -> None:
    for learning, worth in (
        (Learning(onboarding_steps=1), 1 / 3),
        (Learning(onboarding_steps=3), 1.0),
        (Learning(courses=4, courses_completed=1), 0.25),
        (Learning(onboarding_steps=3, courses=2), 0.5),
    ):
        assert component(Measures(learning=learning), "enablement")[0] == pytest.approx(worth)
        assert component(Measures(learning=learning), "enablement", 300)[0] == pytest.approx(worth)


def test_contact_counts_since_the_earlier_of_both_sides_and_one_way_half() -> None:
    def spoken(inbound: int | None, outbound: int | None) -> tuple[float, str]:
        ago = [None if days is None else AT - timedelta(days=days) for days in (inbound, outbound)]
        return component(Measures(contacts=Contacts(inbound_at=ago[0], outbound_at=ago[1])), "relationship")

    assert spoken(2, 5) == (1.0, "two_way_contact")
    assert spoken(2, 75) == spoken(75, 2) == (0.5, "two_way_contact")
    assert spoken(2, None) == spoken(None, 2) == (0.5, "one_way_contact")


def test_who_speaks_for_us_is_never_worse_for_it_than_who_never_did() -> None:
    spoke = Counted(total=1, last_at=AT, decayed=[1.0] * 5)
    values = [component(Measures(counts={"referral_made": spoke}), "relationship", day)[0] for day in (0, 90, 3_000)]
    neutral = SAAS.relationship.neutral
    assert values == sorted(values, reverse=True)
    assert values[0] > values[1] > neutral + 0.1
    assert values[2] == pytest.approx(neutral)


@given(st.floats(0, 100), st.floats(0, 100), st.integers(1, 4_000), st.integers(1, 4_000))
def test_the_trend_of_what_dies_out_never_turns_up(short: float, long: float, one: int, other: int) -> None:
    def at(days: int) -> float:
        return trend(short * 2.0 ** (-days / 7), long * 2.0 ** (-days / 30), 0.8)

    early, late = sorted((one, other))
    assert at(late) <= at(early)
    assert at(4_000) == pytest.approx(0, abs=1e-6)


def test_what_costs_nothing_is_no_reason_and_where_nothing_does_what_is_well_is_told() -> None:
    well = Measures(use=use(count=400), support=Support(tickets=1), billing=Billing(plan="pro"))
    assert {each.code for each in top_reasons(score(journey(measures=well), ALL, AT).health)} == {
        "use_recent",
        "no_open_tickets",
        "payments_in_order",
    }
    silent = top_reasons(score(journey(measures=well), ALL, AT + timedelta(days=40)).health)
    assert [each.code for each in silent] == ["use_silent"]


@pytest.mark.parametrize(
    ("rules", "connected", "name"),
    [
        ("subscription", {"adoption"}, "saas"),
        ("shop", {"adoption", "relationship"}, "commerce"),
        ("app", {"adoption"}, "app"),
        ("shop", {"relationship", "commercial"}, "services"),
        ("never heard of", set(), "saas"),
    ],
)
def test_the_touchpoints_choose_the_profile(rules: str, connected: set[str], name: str) -> None:
    assert shipped_for(rules, connected).name == name
    own = journey(rules="own", rules_base=rules)
    assert score(own, connected, AT).profile.name == name


def test_a_shop_is_read_at_its_own_pace() -> None:
    def band(days_ago: list[float], own_gap_days: int = 180) -> str:
        bought = journey(
            measures=Measures(use=used_on(days_ago, own_gap_days=own_gap_days)),
            rules="shop",
            first_seen_at=AT - timedelta(days=540),
        )
        return score(bought, frozenset({"adoption"}), AT).health.band

    assert band([3]) == "green"
    assert band([120]) == "yellow"
    assert band([360]) == "red"
    assert band([300, 400, 500]) == "red"
    assert band([20, 50, 80, 110], own_gap_days=30) == "green"


def test_an_app_loses_people_within_days() -> None:
    opened = journey(measures=Measures(use=used_on([0, 1, 2, 3, 4, 5], own_gap_days=1)), rules="app")
    bands = [score(opened, frozenset({"adoption"}), AT + timedelta(days=day)).health.band for day in (0, 4, 8)]
    assert bands == ["green", "yellow", "red"]


def test_the_built_in_profiles_hold_together() -> None:
    assert set(SHIPPED) == {"saas", "commerce", "services", "app"}
    for profile in SHIPPED.values():
        assert validated(profile) is profile


@pytest.mark.parametrize(
    "change",
    [
        {"thresholds": Thresholds(green=40, yellow=70)},
        {"thresholds": Thresholds(green=42, yellow=40)},
        {"weights": {"adoption": -1.0}},
        {"weights": {}},
        {"least_coverage": 0.0},
    ],
)
def test_a_profile_that_contradicts_itself_is_refused(change: dict[str, object]) -> None:
    fields = {name: getattr(SAAS, name) for name in SAAS.__struct_fields__}
    with pytest.raises(InvalidProfile):
        validated(type(APP)(**(fields | change)))
