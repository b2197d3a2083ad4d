"""Upsell propensity: signs that sum to it, each only raising it, a gate beside it, and when it turns by time alone."""

from datetime import datetime, timedelta
from math import log
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from jornada.events import (
    Billing,
    Counted,
    Factor,
    Feedback,
    JourneySnapshot,
    Measures,
    OpenTicket,
    Support,
    UpsellPropensity,
    Use,
)
from jornada.instants import instant, micros
from services.scoring.domain.profiles import UpsellRule
from services.scoring.domain.upsell import next_turn, upsell_propensity
from tests.scoring.journeys import ALL, AT, DAY, LADDER, connections, journey, journeys, later, score, use

RULE = UpsellRule()
HOUR = DAY // 24
TODAY = micros(AT) // DAY


def upsell(snapshot: JourneySnapshot, at: datetime = AT) -> UpsellPropensity:
    return score(snapshot, ALL, at).upsell_propensity


def probability(snapshot: JourneySnapshot, at: datetime = AT) -> float:
    found = upsell(snapshot, at).probability
    assert found is not None
    return found


def factor(found: UpsellPropensity, name: str) -> Factor | None:
    return next((each for each in found.factors if each.name == name), None)


def counted(total: int, last: datetime = AT, value: float | None = None) -> Counted:
    return Counted(total=total, last_at=last, decayed=[float(total) if value is None else value] * len(LADDER))


def account(active: int = 3, seats: int | None = 10, days_silent: int = 0, **more: Any) -> JourneySnapshot:
    last = AT - timedelta(days=days_silent)
    told: dict[str, Any] = {"use": use(last), "billing": Billing(seats=seats), "people": active}
    told["people_by_day"] = [(micros(last) // DAY, active)]
    return journey("acme", type_="account", measures=Measures(**(told | more.pop("measures", {}))), **more)


def quota(used: float = 600, limit: float = 1000, **more: str) -> dict[str, Any]:
    """Of which 60 % were used in the first 15 days: it runs out in 10."""
    since = (AT - timedelta(days=15)).isoformat()
    return {"used": used, "limit": limit, "since": since, "at": AT.isoformat(), **more}


def with_quotas(**quotas: Any) -> JourneySnapshot:
    return account(seats=None, traits={"quotas": quotas})


_past = st.integers(0, 200 * DAY).map(lambda before: AT - timedelta(microseconds=before))
_counted = st.builds(
    lambda total, at, share: counted(total, at, total * share), st.integers(1, 9), _past, st.floats(0, 1)
)
_kinds = (*RULE.attempt_kinds[:2], "account_added_user", "account_removed_user", "signed_up", "referral_made")
_quotas = st.builds(
    lambda used, since, at, until: {
        "used": used,
        "limit": 100,
        "since": min(since, at).isoformat(),
        "at": max(since, at).isoformat(),
        **({} if until is None else {"until": (AT + timedelta(days=until)).isoformat()}),
    },
    st.floats(0, 120),
    _past,
    _past,
    st.none() | st.integers(1, 90),
)


@st.composite
def _signs(draw: st.DrawFn) -> JourneySnapshot:
    """Journeys with any of the signs."""
    drawn = draw(journeys())
    counts = draw(st.dictionaries(st.sampled_from(_kinds), _counted, max_size=4))
    feedback = draw(st.none() | st.builds(lambda nps, at: Feedback(nps=nps, nps_at=at), st.integers(0, 10), _past))
    measures = replace(drawn.measures, counts=counts, feedback=feedback)
    quotas = draw(st.dictionaries(st.sampled_from(("emails", "storage")), _quotas, max_size=2))
    return replace(drawn, measures=measures, traits={"quotas": quotas})


@given(_signs(), connections, later)
def test_the_factors_sum_to_the_log_odds(snapshot: JourneySnapshot, connected: frozenset[str], at: datetime) -> None:
    found = score(snapshot, connected, at).upsell_propensity
    if found.probability is None:
        assert found.factors == []
        return
    log_odds = log(found.probability / (1 - found.probability))
    assert sum(each.contribution for each in found.factors) == pytest.approx(log_odds, abs=1e-6)
    assert all(each.contribution > 0 for each in found.factors[1:])
    assert all(set(each.because.text) == {"en", "pt-BR"} for each in found.factors)


@given(_signs(), later)
def test_the_gate_never_changes_the_probability(snapshot: JourneySnapshot, at: datetime) -> None:
    well = score(snapshot, ALL, at).health
    found = [upsell_propensity(snapshot, replace(well, band=band), RULE, at) for band in ("green", "red", "unknown")]
    assert len({(each.probability, tuple(factor.contribution for factor in each.factors)) for each in found}) == 1
    assert all(each.gated_because is not None for each in found[1:])


@given(_signs())
def test_the_next_turn_is_what_asking_by_the_hour_finds(snapshot: JourneySnapshot) -> None:
    def told(at: int) -> object:
        found = upsell_propensity(snapshot, well, RULE, instant(at))
        return [(each.name, each.contribution) for each in found.factors]

    well = score(snapshot, ALL, AT).health
    begin = micros(AT)
    turn = next_turn(snapshot, RULE, begin)
    polled = next((at for at in range(begin, begin + 60 * DAY, HOUR) if told(at) != told(begin)), None)
    if polled is None:
        assert turn is None or turn > begin + 60 * DAY - HOUR
        return
    assert turn is not None
    assert polled - HOUR < turn <= polled
    assert told(turn) != told(begin) == told(turn - 1)


@given(_signs(), st.sampled_from(("seats", "quota", "breadth", "attempts", "growth", "promoter")), st.data())
def test_a_clearer_sign_never_lowers_it(snapshot: JourneySnapshot, name: str, data: st.DataObject) -> None:
    measures, more = snapshot.measures, data.draw(st.integers(1, 9))
    counts = measures.counts

    def counting(kind: str, often: int) -> Measures:
        known = counts.get(kind, counted(1, AT, 0.1))
        grown = replace(known, decayed=[each + often for each in known.decayed])
        return replace(measures, counts=counts | {kind: grown})

    def featured(number: int) -> Measures:
        new = {f"new{each}": AT for each in range(number)}
        known = measures.use or use(AT)
        return replace(measures, use=replace(known, features=known.features | new))

    def of(often: int) -> JourneySnapshot:
        changed: dict[str, Measures] = {
            "seats": replace(measures, billing=Billing(seats=10), people_by_day=[(TODAY, often)]),
            "quota": measures,
            "breadth": featured(often),
            "attempts": counting(RULE.attempt_kinds[0], often),
            "growth": counting("account_added_user", often),
            "promoter": replace(measures, feedback=Feedback(nps=often, nps_at=AT)),
        }
        traits = {"quotas": {"emails": quota(used=100 * often)}} if name == "quota" else snapshot.traits
        return replace(snapshot, subject_type="account", measures=changed[name], traits=traits)

    assert probability(of(more)) <= probability(of(more + data.draw(st.integers(0, 5))))


def test_eight_of_ten_seats_used_raise_it_and_seven_do_not() -> None:
    full = upsell(account(8))
    assert full.factors[-1].because.text["en"] == "8 of 10 seats used in 30 days (80%)"
    assert full.factors[-1].because.text["pt-BR"] == "8 de 10 licenças em uso em 30 dias (80%)"
    assert probability(account(8)) > 4 * probability(account(7))


def test_a_seat_unused_for_thirty_days_does_not_count() -> None:
    assert factor(upsell(account(8, days_silent=29)), "seats") is not None
    assert factor(upsell(account(8, days_silent=30)), "seats") is None
    assert next_turn(account(8), RULE, micros(AT)) == (TODAY + 30) * DAY


def test_seats_may_be_a_trait() -> None:
    assert factor(upsell(account(8, seats=None, traits={"seats": 10})), "seats") is not None
    for told in ({}, {"seats": "ten"}, {"seats": True}, {"seats": 0}):
        assert upsell(account(8, seats=None, traits=told)).probability is None


def test_a_quota_is_nearer_every_day_from_thirty_days_before_its_date_and_ends_with_its_period() -> None:
    until = AT + timedelta(days=12)
    found = with_quotas(emails=quota(until=until.isoformat()))
    because = [factor(upsell(found, AT + timedelta(days=day)), "quota") for day in range(13)]
    nearness = [None if each is None else each.contribution for each in because]
    expected = [RULE.quota * (30 - left) / 30 for left in (*range(10, -1, -1), 0)]
    assert nearness == [pytest.approx(each) for each in expected] + [None]
    assert because[0] is not None
    assert because[0].because.text == {
        "en": "emails: 600 of 1,000 used, at this pace until 12 Mar 2026, in 10 days",
        "pt-BR": "emails: 600 de 1.000 em uso, nesse ritmo até 12/03/2026, em 10 dias",
    }
    assert next_turn(found, RULE, micros(AT)) == micros(AT) + 1


def test_a_quota_that_lasts_its_period_is_no_sign_but_tells() -> None:
    lasting = with_quotas(emails=quota(until=(AT + timedelta(days=9)).isoformat()))
    assert [each.name for each in upsell(lasting).factors] == ["base"]
    assert next_turn(lasting, RULE, micros(AT)) is None


def test_of_several_quotas_the_one_that_runs_out_first_is_told() -> None:
    found = factor(upsell(with_quotas(emails=quota(600), storage=quota(8.5, 10), seats=quota(0))), "quota")
    assert found is not None
    assert found.because.text["pt-BR"].startswith("storage: 8,5 de 10 em uso")
    spent = factor(upsell(with_quotas(emails=quota(1000))), "quota")
    assert spent is not None
    assert spent.because.text["en"] == "emails: 1,000 of 1,000 used"


@pytest.mark.parametrize(
    "told",
    [
        "full",
        None,
        {},
        {"used": 1},
        quota() | {"limit": 0},
        quota() | {"used": -1},
        quota() | {"used": True},
        quota() | {"used": float("inf")},
        quota() | {"limit": 10**400},
        quota() | {"since": "0001-01-01T00:00:00+14:00"},
        quota() | {"since": "yesterday"},
        quota() | {"since": (AT + timedelta(days=1)).isoformat()},
        quota() | {"until": (AT - timedelta(days=1)).isoformat()},
    ],
)
def test_a_quota_that_cannot_be_read_says_nothing(told: object) -> None:
    assert upsell(with_quotas(emails=told)).probability is None
    assert upsell(account(seats=None, traits={"quotas": told})).probability is None


def test_attempts_count_by_kind_until_they_fade_or_an_upgrade_comes() -> None:
    counts = {"pricing_viewed": counted(2), "feature_gated": counted(1), "help_article_viewed": counted(9)}
    asked = account(measures={"counts": counts})
    found = factor(upsell(asked), "attempts")
    assert found is not None
    assert found.contribution == pytest.approx(RULE.attempts * 3 / 4)
    assert found.because.text["en"] == "asked 3 times for what the plan does not include, last on 2 Mar 2026"
    fewer = next_turn(asked, RULE, micros(AT))
    assert fewer == pytest.approx(micros(AT) + 30 * DAY * log(3 / 2.5, 2), abs=2)
    given_it = account(measures={"counts": counts | {"subscription_upgraded": counted(1)}})
    assert factor(upsell(given_it), "attempts") is None


def test_an_account_grows_by_who_came_less_who_left() -> None:
    def growing(**kinds: Counted) -> Factor | None:
        return factor(upsell(account(8, measures={"counts": kinds})), "growth")

    came = growing(account_added_user=counted(3), signed_up=counted(3))
    assert came is not None
    assert came.contribution == RULE.growth
    assert growing(account_added_user=counted(3), account_removed_user=counted(3)) is None
    person = journey(measures=Measures(use=use(), counts={"signed_up": counted(1)}))
    assert upsell(person).probability is None


def test_breadth_is_of_what_was_used_lately() -> None:
    def broad(lately: int, earlier: int) -> Use:
        old = {f"old{each}": AT - timedelta(days=40) for each in range(earlier)}
        return replace(use(), features={f"new{each}": AT for each in range(lately)} | old)

    found = [probability(account(measures={"use": broad(*each)})) for each in ((5, 0), (4, 0), (4, 2), (0, 5))]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 4


def test_a_promoter_is_one_for_half_a_year() -> None:
    told = account(measures={"feedback": Feedback(nps=9, nps_at=AT)})
    assert factor(upsell(told), "promoter") is not None
    assert next_turn(account(seats=None, measures={"feedback": Feedback(nps=9, nps_at=AT)}), RULE, micros(AT)) == (
        micros(AT) + 180 * DAY
    )
    assert factor(upsell(account(measures={"feedback": Feedback(nps=8, nps_at=AT)})), "promoter") is None
    assert factor(upsell(account(measures={"counts": {"referral_made": counted(1)}})), "promoter") is not None


def test_nobody_is_asked_to_buy_more_while_health_is_low_or_a_severe_ticket_open() -> None:
    low = upsell(account(8, days_silent=25))
    assert low.gated_because is not None
    assert low.gated_because.values == {"band": "red"}
    assert low.probability == upsell(account(8)).probability
    assert upsell(account(8)).gated_because is None

    def ticketed(severity: int) -> UpsellPropensity:
        ticket = OpenTicket(ticket_id="t", opened_at=AT - timedelta(days=2), severity=severity)
        return upsell(account(8, measures={"support": Support(tickets=1, open=[ticket])}))

    severe = ticketed(2).gated_because
    assert severe is not None
    assert severe.text == {
        "en": "a ticket of severity 2 open for 2 days: not the time to offer more",
        "pt-BR": "chamado de severidade 2 aberto há 2 dias: não é hora de oferecer mais",
    }
    assert ticketed(3).gated_because is None


def test_a_quota_of_the_end_of_time_has_no_timer_and_breaks_nothing() -> None:
    last = {"used": 9, "limit": 10, "since": "9999-11-30", "at": "9999-12-31"}
    told = account(traits={"quotas": {"emails": last}})
    assert probability(told) == probability(account())
    turn = next_turn(told, RULE, micros(AT))
    assert turn is None or turn == next_turn(account(), RULE, micros(AT))
