"""Churn risk at level 1: made from health and silence, untrained, with an interval that says so."""

from datetime import datetime

from jornada.events import Band, ChurnRisk, Factor, Health
from jornada.instants import micros
from services.scoring.domain.course import Course, UseCourse
from services.scoring.domain.profiles import Profile, RiskRule
from services.scoring.domain.shapes import logistic, significant
from services.scoring.domain.words import reason

MODEL = "level-1"


def churn_risk(health: Health, course: Course, profile: Profile, at: datetime) -> ChurnRisk:
    """The probability of leaving within the profile's horizon; without a number where health has no band.

    The factors are log-odds and sum to the probability's; `low` and `high` are that sum less and plus the spread.
    """
    rule = profile.risk
    if health.band == "unknown":
        return ChurnRisk(horizon_days=rule.horizon_days, model=MODEL, band="unknown")
    factors = [
        Factor(name="base", contribution=rule.base, because=reason("usual_risk", horizon_days=rule.horizon_days))
    ]
    for component in health.components:
        lost = significant(rule.health * component.weight * (1.0 - component.value))
        factors.append(Factor(name=component.name, contribution=lost, because=component.because))
        part = next(share.part for share in course.shares if share.name == component.name)
        if isinstance(part, UseCourse):
            silent = significant(rule.silence * (1.0 - part.patience(micros(at))))
            factors.append(Factor(name="silence", contribution=silent, because=component.because))
    factors += [
        Factor(name="cancellation", contribution=rule.cancellation, because=veto)
        for veto in health.vetoes
        if veto.code == "cancellation"
    ]
    log_odds = sum(factor.contribution for factor in factors)
    probability = significant(logistic(log_odds))
    return ChurnRisk(
        horizon_days=rule.horizon_days,
        model=MODEL,
        band=_band(probability, rule),
        probability=probability,
        low=significant(logistic(log_odds - rule.spread)),
        high=significant(logistic(log_odds + rule.spread)),
        factors=factors,
    )


def _band(probability: float, rule: RiskRule) -> Band:
    if probability >= rule.red:
        return "red"
    return "yellow" if probability >= rule.yellow else "green"
