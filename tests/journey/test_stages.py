"""Stages and the instants at which they were entered."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jornada.events import Touchpoint
from jornada.instants import instant
from services.journey.domain import folding
from services.journey.domain.decay import decayed
from services.journey.domain.reading import read
from services.journey.domain.rules import APP, SHOP, SUBSCRIPTION, RuleSet
from services.journey.domain.sessions import GAP, Session, coalesced
from services.journey.domain.silences import own_gap
from services.journey.domain.stages import history, next_change, timeline
from tests.journey.makes import at, touchpoint


def used(message_id: str, days: float, event: str = "Report Exported", **given_: Any) -> Touchpoint:
    return touchpoint(message_id, days, event=event, user_id="ana", **given_)


def course(rules: RuleSet, *told: Touchpoint) -> list[tuple[str, datetime, str, str]]:
    entries = timeline(folding.fold(read(each) for each in told), rules)
    return [(entry.stage, instant(entry.us), entry.rule, entry.message_id) for entry in entries]


def test_a_customer_climbs_falls_silent_and_comes_back() -> None:
    told = [
        touchpoint("m0", 0, anonymous_id="phone"),
        touchpoint("m1", 1, type="identify", user_id="ana"),
        used("m2", 2, "Signed Up"),
        *(used(f"m{day}", day) for day in (3, 5, 8, 30)),
    ]
    assert course(SUBSCRIPTION, *told) == [
        ("visitor", at(0), "first_touchpoint", "m0"),
        ("lead", at(1), "known", "m1"),
        ("onboarding", at(2), "signed_up", "m2"),
        ("active", at(8), "value_days", "m8"),
        ("at_risk", at(22), "silence", "m8"),
        ("active", at(30), "value_days", "m30"),
        ("at_risk", at(44), "silence", "m30"),
        ("churned", at(90), "silence", "m30"),
    ]


def test_silence_is_measured_by_the_customers_own_gaps() -> None:
    told = [used("m0", 0, "Signed Up"), *(used(f"m{n}", 20 * n) for n in range(1, 7))]
    assert course(SUBSCRIPTION, *told)[-2] == ("at_risk", at(140), "silence", "m6")


def test_a_payment_unrecovered_for_seven_days_and_a_cancellation_are_risks() -> None:
    begun = [used("m0", 0, "Subscription Started")]
    failed = [used("m1", 1, "Payment Failed"), used("m2", 3, "Payment Failed")]
    assert course(SUBSCRIPTION, *begun, *failed)[-1] == ("at_risk", at(8), "payment_failed", "m1")
    assert course(SUBSCRIPTION, *begun, *failed, used("m3", 8, "Payment Recovered"))[-1][0] == "onboarding"
    cancelled = course(
        SUBSCRIPTION, *begun, used("m4", 2, "Subscription Cancelled"), used("m5", 4, "Subscription Renewed")
    )
    assert cancelled[-2:] == [
        ("at_risk", at(2), "cancellation", "m4"),
        ("onboarding", at(4), "subscription_started", "m5"),
    ]


def test_a_shop_counts_purchases_and_an_app_its_openings() -> None:
    bought = [used(f"m{n}", 100 * n, "Order Completed") for n in range(2)]
    assert course(SHOP, *bought) == [
        ("onboarding", at(0), "purchased", "m0"),
        ("active", at(100), "value_days", "m1"),
        ("at_risk", at(280), "silence", "m1"),
        ("churned", at(465), "silence", "m1"),
    ]
    opened = [touchpoint(f"m{n}", n, anonymous_id="phone", event="Application Opened") for n in range(3)]
    assert [stage for stage, *_ in course(APP, *opened)] == ["onboarding", "active", "at_risk", "churned"]


def test_the_own_gap_is_the_nearest_rank_ninetieth_percentile_of_the_last_twenty() -> None:
    assert own_gap([1, 2, 3], SUBSCRIPTION) == 7
    assert own_gap([9, 1, 1, 1], SUBSCRIPTION) == 9
    assert own_gap([50, *range(1, 21)], SUBSCRIPTION) == 18


@given(st.sets(st.integers(0, 120), min_size=1, max_size=12), st.integers(0, 400))
def test_the_next_change_is_the_first_instant_at_which_a_later_look_differs(days: set[int], look: int) -> None:
    told = [used("m", -1, "Signed Up"), *(used(f"m{day}", day) for day in days)]
    whole = folding.fold(read(each) for each in told)
    entries = timeline(whole, SUBSCRIPTION)
    now = at(look)
    change = next_change(whole, SUBSCRIPTION, now)
    before = history(entries, now)[-1].name
    if change is None:
        assert history(entries, at(10_000))[-1].name == before
    else:
        assert history(entries, change - timedelta(microseconds=1))[-1].name == before
        assert history(entries, change)[-1].name != before


_SINGLES = st.lists(st.integers(0, 20), max_size=30)


@given(_SINGLES, st.integers(0, 30))
def test_sessions_of_parts_join_to_the_sessions_of_the_whole(times: list[int], cut: int) -> None:
    singles = [Session(n * GAP // 2, f"m{place}", "app", n * GAP // 2, 1) for place, n in enumerate(times)]
    whole = coalesced(singles)
    assert coalesced([*coalesced(singles[cut:]), *coalesced(singles[:cut])]) == whole
    assert sum(session.touchpoints for session in whole) == len(times)


def test_thirty_minutes_continue_a_session_and_a_microsecond_more_ends_it() -> None:
    def two(pause: int) -> int:
        return len(coalesced([Session(0, "a", "app", 0, 1), Session(pause, "b", "app", pause, 1)]))

    assert (two(GAP), two(GAP + 1)) == (1, 2)


@given(st.sets(st.integers(18_000, 21_000), min_size=1, max_size=50), st.sampled_from([7, 14, 30, 60, 90]))
def test_decayed_counts_are_the_sum_of_halvings(days: set[int], half_life: int) -> None:
    last = max(days)
    exact = sum(2 ** ((day - last) / half_life) for day in days)
    if last >= 18_262:
        assert abs(decayed(days, half_life, last) - exact) < 1e-6 * exact + 1e-9
