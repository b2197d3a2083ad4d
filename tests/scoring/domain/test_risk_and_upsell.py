"""Churn risk and upsell propensity: probabilities whose factors sum to them."""

from datetime import timedelta
from math import log
from typing import Any

import pytest
from hypothesis import given

from jornada.events import Billing, JourneySnapshot, Measures
from jornada.instants import micros
from tests.scoring.journeys import ALL, AT, DAY, connections, journey, journeys, score, use


@given(journeys(), connections)
def test_factors_sum_to_the_log_odds_and_the_interval_holds_the_probability(
    snapshot: JourneySnapshot, connected: frozenset[str]
) -> None:
    risk = score(snapshot, connected, AT).churn_risk
    if risk.probability is None:
        assert risk.band == "unknown"
        return
    assert risk.low is not None
    assert risk.high is not None
    assert 0 < risk.low < risk.probability < risk.high < 1
    log_odds = log(risk.probability / (1 - risk.probability))
    assert sum(each.contribution for each in risk.factors) == pytest.approx(log_odds, abs=1e-6)
    assert len(risk.factors) <= 6


def test_the_horizon_is_a_quarter_in_a_shop() -> None:
    assert score(journey(), ALL, AT).churn_risk.horizon_days == 30
    assert score(journey(rules="shop"), ALL, AT).churn_risk.horizon_days == 90


def test_risk_has_bands_of_its_own() -> None:
    bands = [score(journey(), ALL, AT + timedelta(days=day)).churn_risk.band for day in (0, 16, 40)]
    assert bands == ["green", "yellow", "red"]


def account(active: int, seats: int | None = 10, days_silent: int = 0, **more: Any) -> JourneySnapshot:
    last = AT - timedelta(days=days_silent)
    by_day = [(micros(last) // DAY, active)]
    measures = Measures(use=use(last), billing=Billing(seats=seats), people=active, people_by_day=by_day)
    return journey("acme", type_="account", measures=measures, **more)


def test_eight_of_ten_seats_used_raise_upsell_and_seven_do_not() -> None:
    full = score(account(8), ALL, AT).upsell_propensity
    spare = score(account(7), ALL, AT).upsell_propensity
    assert full.factors[-1].because.text["en"] == "8 of 10 seats used in 30 days (80%)"
    assert full.factors[-1].because.text["pt-BR"] == "8 de 10 licenças em uso em 30 dias (80%)"
    assert full.probability is not None
    assert spare.probability is not None
    assert full.probability > 4 * spare.probability


def test_a_seat_unused_for_thirty_days_does_not_count() -> None:
    assert len(score(account(8, days_silent=29), ALL, AT).upsell_propensity.factors) == 2
    assert len(score(account(8, days_silent=30), ALL, AT).upsell_propensity.factors) == 1


def test_everybody_counts_however_many_they_are() -> None:
    told = score(account(1_700, seats=2_000), ALL, AT).upsell_propensity.factors[-1].because
    assert told.values == {"used": 1_700, "seats": 2_000, "percent": 85}


def test_nobody_is_asked_to_buy_more_while_health_is_red() -> None:
    upsell = score(account(8, days_silent=25), ALL, AT).upsell_propensity
    assert upsell.gated_because is not None
    assert upsell.gated_because.values == {"band": "red"}
    assert score(account(8), ALL, AT).upsell_propensity.gated_because is None


def test_seats_may_be_a_trait_and_without_them_there_is_no_number() -> None:
    assert len(score(account(8, seats=None, traits={"seats": 10}), ALL, AT).upsell_propensity.factors) == 2
    for told in ({}, {"seats": "ten"}, {"seats": True}, {"seats": 0}):
        assert score(account(8, seats=None, traits=told), ALL, AT).upsell_propensity.probability is None
