"""The whole life of a customer: loyal, advocate, churned, won back; and the plain machine says the same."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jornada.events import Touchpoint
from jornada.instants import instant
from services.journey.domain import folding
from services.journey.domain.reading import read
from services.journey.domain.rules import (
    APP,
    RULE_SETS,
    SHOP,
    SUBSCRIPTION,
    InvalidRules,
    RuleSet,
    nearest,
    own,
    proposed,
)
from services.journey.domain.stages import history, timeline
from services.journey.domain.vocabulary import ALL_KINDS
from tests.journey.makes import at, touchpoint
from tests.journey.naive import Machine, Told, walked
from tests.journey.test_stages import course, used

_EVENTS = (
    "Report Exported", "Report Exported", "Report Exported", "Signed Up", "Order Completed", "Subscription Started",
    "Subscription Renewed", "Subscription Cancelled", "Payment Failed", "Payment Recovered", "Account Deleted",
    "Referral Made", "Survey Responded",
)  # fmt: skip

_USES = {"Report Exported": "use", "Order Completed": "purchased"}


def _days(us: int) -> float:
    return (instant(us) - at(0)) / timedelta(days=1)


def names(rules: RuleSet, *told: Touchpoint) -> list[tuple[str, float]]:
    return [(stage, (entered - at(0)) / timedelta(days=1)) for stage, entered, *_ in course(rules, *told)]


def daily(first: int, last: int, every: int = 1) -> list[Touchpoint]:
    return [used(f"d{day:04}", day) for day in range(first, last, every)]


@st.composite
def lives(draw: st.DrawFn) -> list[Told]:
    life: list[Told] = []
    day = 0.0
    for place in range(draw(st.integers(1, 25))):
        event = draw(st.sampled_from(_EVENTS))
        given_: dict[str, Any] = {}
        if event == "Survey Responded":
            given_ = {"survey_type": "nps", "score": draw(st.integers(6, 10))}
        elif event == "Subscription Cancelled" and draw(st.booleans()):
            given_ = {"effective_at": day + draw(st.integers(-5, 40))}
        elif event in {"Subscription Started", "Subscription Renewed"} and draw(st.booleans()):
            given_ = {"renewal_at": day + draw(st.integers(1, 90)), "auto_renew": False}
        life.append(Told(day, place, event, given_, _USES.get(event)))
        day += draw(st.sampled_from([0, 0.5, 1, 1, 1.5, 3, 7, 7, 14, 30, 45, 61, 70, 200]))
    return life


def touchpoints(life: list[Told]) -> list[Touchpoint]:
    def said(value: Any, name: str) -> Any:
        return at(value).isoformat() if name.endswith("_at") else value

    return [
        used(f"m{each.place:03}", each.at, each.event,
             properties={name: said(value, name) for name, value in each.given.items()})
        for each in life
    ]  # fmt: skip


@settings(max_examples=150)
@given(life=lives(), rules=st.sampled_from([SUBSCRIPTION, SHOP]))
def test_the_timeline_is_what_a_machine_says_that_never_looks_ahead(life: list[Told], rules: RuleSet) -> None:
    entries = timeline(folding.fold(read(each) for each in touchpoints(life)), rules)
    machine = Machine(rules)
    for half in range(2 * int(life[-1].at) + 2 * 400):
        t = half / 2
        expected = machine.step(t, [each for each in life if each.at <= t])
        assert history(entries, at(t))[-1].name == expected, t
    assert walked(rules, life, t) == [(each.stage, _days(each.us)) for each in entries if _days(each.us) <= t]


def test_who_comes_back_and_goes_in_one_instant_has_churned_once() -> None:
    told = names(SUBSCRIPTION, used("a", 0, "Signed Up"), used("b", 0), used("c", 61), used("d", 61, "Account Deleted"))
    assert told == [("onboarding", 0), ("at_risk", 14), ("churned", 60)]


def test_loyalty_takes_half_a_year_and_a_renewal() -> None:
    told = [used("a", 0, "Subscription Started"), *daily(1, 300, 9), *daily(2, 9)]
    assert ("loyal", 190) in names(SUBSCRIPTION, *told, used("r", 190, "Subscription Renewed"))
    active = dict(names(SUBSCRIPTION, *told, used("r", 20, "Subscription Renewed")))
    assert active["loyal"] == active["active"] + 180


def test_loyalty_takes_twelve_of_the_last_thirteen_weeks() -> None:
    begun = [used("a", 0, "Signed Up"), *daily(1, 4)]
    weekly = names(SUBSCRIPTION, *begun, *daily(7, 250, 7))
    assert weekly[-3:-1] == [("loyal", 183), ("at_risk", 245 + 14)]
    assert "loyal" not in dict(names(SUBSCRIPTION, *begun, *daily(7, 250, 9)))
    assert "loyal" not in dict(names(SUBSCRIPTION, *begun, *daily(7, 90, 7)))


def test_a_shop_and_an_app_have_loyal_customers_of_their_own() -> None:
    bought = [used(f"m{n}", 200 * n, "Order Completed") for n in range(4)]
    assert ("loyal", 600) in names(SHOP, *bought)
    opened = [touchpoint(f"m{n:02}", n, anonymous_id="phone", event="Application Opened") for n in range(20)]
    assert names(APP, *opened)[-3:] == [("loyal", 19), ("at_risk", 22), ("churned", 33)]


def test_a_week_begins_on_monday_and_thirteen_are_counted() -> None:
    begun = [used("a", -220, "Subscription Started"), *daily(-220, -217)]
    weeks = [used(f"w{monday}", monday) for monday in range(4, 4 + 11 * 7, 7)]  # 2026-01-05 is a Monday
    assert ("loyal", 4 + 12 * 7 + 6) in names(SUBSCRIPTION, *begun, *weeks, used("z", 4 + 12 * 7 + 6))
    assert "loyal" not in dict(names(SUBSCRIPTION, *begun, *weeks, used("z", 4 + 13 * 7)))
    sunday_first = [used(f"w{monday}", monday - 1 if monday == 4 else monday) for monday in range(4, 4 + 11 * 7, 7)]
    assert "loyal" not in dict(names(SUBSCRIPTION, *begun, *sunday_first, used("z", 4 + 12 * 7)))


def test_an_eight_promotes_nobody() -> None:
    told = [used("a", 0, "Subscription Started"), *daily(1, 20)]
    eight = used("n", 10, "Survey Responded", properties={"survey_type": "nps", "score": 8})
    assert "advocate" not in dict(names(SUBSCRIPTION, *told, eight))


def test_an_advocate_promotes_for_half_a_year_or_until_they_answer_otherwise() -> None:
    told = [used("a", 0, "Subscription Started"), *daily(1, 400)]
    promoter = used("n", 10, "Survey Responded", properties={"survey_type": "nps", "score": 9})
    assert [each for each in names(SUBSCRIPTION, *told, promoter) if each[0] == "advocate"] == [("advocate", 10)]
    lapsed = names(SUBSCRIPTION, *told, promoter)
    assert lapsed[lapsed.index(("advocate", 10)) + 1][1] == 190
    critic = used("o", 50, "Survey Responded", properties={"survey_type": "nps", "score": 4})
    assert ("active", 50) in names(SUBSCRIPTION, *told, promoter, critic)
    referred = [used("r1", 20, "Referral Made"), used("r2", 150, "Referral Made")]
    assert ("loyal", 330) in names(SUBSCRIPTION, *told, *referred)
    assert "advocate" not in dict(names(SUBSCRIPTION, used("a", 0, "Signed Up"), promoter))


def test_silence_churns_at_twice_the_own_gap_but_never_under_a_running_contract() -> None:
    free = [used("a", 0, "Signed Up"), *daily(1, 3)]
    assert names(SUBSCRIPTION, *free)[-2:] == [("at_risk", 16), ("churned", 62)]
    slow = [used("a", 0, "Signed Up"), *daily(1, 201, 40)]
    assert names(SUBSCRIPTION, *slow)[-2:] == [("at_risk", 161 + 40), ("churned", 161 + 80)]
    paid = [used("b", 0, "Subscription Started"), *free]
    assert names(SUBSCRIPTION, *paid)[-1] == ("at_risk", 16)
    ended = used("c", 100, "Subscription Cancelled", properties={"effective_at": at(120).isoformat()})
    assert names(SUBSCRIPTION, *paid, ended)[-1] == ("churned", 120)


def test_who_begins_amid_a_silence_has_not_churned_by_it() -> None:
    late = [used("a", 0), used("b", 100, "Signed Up")]
    assert names(SUBSCRIPTION, *late) == [("lead", 0), ("at_risk", 100)]
    ended = [used("a", 0), used("b", 100, "Subscription Started"), used("c", 120, "Subscription Cancelled")]
    assert names(SUBSCRIPTION, *ended)[-1] == ("churned", 120)


def test_a_cancellation_ends_a_contract_no_earlier_than_it_was_said() -> None:
    late = used("c", 50, "Subscription Cancelled", properties={"effective_at": at(10).isoformat()})
    told = [used("a", 0, "Subscription Started"), *daily(1, 200), late]
    assert names(SUBSCRIPTION, *told)[-2:] == [("at_risk", 50), ("churned", 80)]


def test_a_contract_over_for_thirty_days_churns_and_a_new_one_wins_back() -> None:
    told = [used("a", 0, "Subscription Started"), *daily(1, 200), used("c", 50, "Subscription Cancelled")]
    assert names(SUBSCRIPTION, *told)[-1] == ("churned", 80)
    back = [*told, used("s", 100, "Subscription Started")]
    assert names(SUBSCRIPTION, *back)[-4:-1] == [("churned", 80), ("won_back", 100), ("active", 103)]
    assert ("churned", 80) not in names(SUBSCRIPTION, *told, used("s", 80, "Subscription Renewed"))


def test_a_contract_that_does_not_renew_by_itself_ends_at_its_renewal() -> None:
    given_ = {"renewal_at": at(40).isoformat(), "auto_renew": False}
    told = [used("a", 0, "Subscription Started", properties=given_), *daily(1, 200)]
    assert names(SUBSCRIPTION, *told)[-1] == ("churned", 70)
    assert names(SUBSCRIPTION, used("a", 0, "Subscription Started", properties={**given_, "auto_renew": True}),
                 *daily(1, 100))[-1] == ("at_risk", 99 + 14)  # fmt: skip


def test_who_deletes_their_account_has_churned_and_returns_by_use() -> None:
    told = [used("a", 0, "Signed Up"), *daily(1, 5), used("x", 5, "Account Deleted")]
    assert names(SUBSCRIPTION, *told)[-1] == ("churned", 5)
    again = names(SUBSCRIPTION, *told, *daily(20, 22), used("e", 22))
    assert again[-5:-2] == [("churned", 5), ("won_back", 20), ("active", 22)]
    twice = [used("y", 8, "Account Deleted"), *daily(20, 21)]
    assert [each for each in names(SUBSCRIPTION, *told, *twice) if each[0] == "won_back"] == [("won_back", 20)]


def test_a_workspace_writes_rules_of_its_own() -> None:
    made = own(SHOP, {"active_days": 1, "loyal_within_days": None, "onboarding_kinds": ["signed_up"]}, ALL_KINDS)
    assert (made.name, made.base, made.active_days, made.value_classes) == ("own", "shop", 1, SHOP.value_classes)
    assert names(made, used("m", 3, "Order Completed"))[0] == ("active", 3)
    with pytest.raises(InvalidRules) as caught:
        own(
            APP,
            {
                "name": "x",
                "base": "app",
                "loyal_days": True,
                "active_within_days": "7",
                "onboarding_kinds": ["nothing"],
            },
            ALL_KINDS,
        )
    assert [name for name, _ in caught.value.flaws] == [
        "name",
        "base",
        "loyal_days",
        "active_within_days",
        "onboarding_kinds",
    ]
    with pytest.raises(InvalidRules):
        own(SUBSCRIPTION, {"churned_floor_days": 13}, ALL_KINDS)


_NUMBERS = sorted(part for part, value in msgspec.structs.asdict(SHOP).items() if isinstance(value, int))


@given(st.sampled_from([SUBSCRIPTION, SHOP, APP]), st.sets(st.sampled_from(_NUMBERS), max_size=4), st.integers(1, 50))
def test_of_an_own_rule_set_of_few_changes_it_is_known_from_which_it_begins(
    base: RuleSet, changed: set[str], number: int
) -> None:
    made = msgspec.structs.replace(base, name="own", base="", **dict.fromkeys(changed, number))
    assert nearest(made) is base


@pytest.mark.parametrize(
    ("kinds", "name"),
    [
        ({}, "subscription"), ({"feature_used": 9}, "subscription"), ({"purchased": 1}, "shop"),
        ({"purchased": 3, "app_opened": 9}, "app"), ({"purchased": 3, "app_opened": 3}, "shop"),
        ({"purchased": 90, "app_opened": 9, "subscription_renewed": 1}, "subscription"),
    ],
)  # fmt: skip
def test_a_rule_set_is_proposed_by_what_was_seen(kinds: dict[str, int], name: str) -> None:
    assert proposed(kinds) is RULE_SETS[name]
