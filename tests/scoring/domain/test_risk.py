"""Churn risk: a probability whose factors sum to it."""

from datetime import datetime, timedelta
from math import log

import pytest
from hypothesis import given

from jornada.events import JourneySnapshot
from jornada.instants import micros
from services.scoring.domain.parts.adoption import AdoptionCourse
from tests.scoring.journeys import ALL, AT, connections, journey, journeys, later, score


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


@given(journeys(), connections, later)
def test_churn_risk_is_what_health_has_lost_and_what_silence_adds(
    snapshot: JourneySnapshot, connected: frozenset[str], at: datetime
) -> None:
    told = score(snapshot, connected, at)
    if told.churn_risk.probability is None:
        return
    rule = told.profile.risk
    lost = sum(rule.health * each.weight * (1 - each.value) for each in told.health.components)
    patience = [
        share.part.patience(micros(at)) for share in told.course.shares if isinstance(share.part, AdoptionCourse)
    ]
    silence = sum(rule.silence * (1 - each) for each in patience)
    leaves = rule.cancellation if told.course.cancels is not None else 0.0
    log_odds = log(told.churn_risk.probability / (1 - told.churn_risk.probability))
    assert log_odds == pytest.approx(rule.base + lost + silence + leaves, abs=1e-6)
