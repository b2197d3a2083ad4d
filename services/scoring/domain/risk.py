"""Churn risk at level 1: made from health and silence, untrained, with an interval that says so."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from jornada.events import Band, ChurnRisk, Component, Factor, Health, Reason
from jornada.instants import micros
from services.scoring.domain.course import Course
from services.scoring.domain.parts.adoption import AdoptionCourse
from services.scoring.domain.profiles import Profile, RiskRule
from services.scoring.domain.shapes import logistic, significant
from services.scoring.domain.words import reason

MODEL = "level-1"

_GROUPS: Mapping[str, Collection[str]] = {
    "adoption": {"adoption"},
    "service": {"support", "feedback"},
    "bond": {"commercial", "relationship", "enablement"},
}
"""Components by the factor that tells them: with base, silence and cancellation at most six."""


def churn_risk(health: Health, course: Course, profile: Profile, at: datetime) -> ChurnRisk:
    """The probability of leaving within the profile's horizon; without a number where health has no band.

    The factors are log-odds and sum to the probability's; `low` and `high` are that sum less and plus the spread.
    """
    rule = profile.risk
    if health.band == "unknown":
        return ChurnRisk(horizon_days=rule.horizon_days, model=MODEL, band="unknown")
    factors = [
        Factor(name="base", contribution=rule.base, because=reason("usual_risk", horizon_days=rule.horizon_days)),
        *_silence(course, rule, micros(at)),
        *_lost(health.components, rule),
        *_cancellation(health.vetoes, rule),
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


def _silence(course: Course, rule: RiskRule, at: int) -> Iterator[Factor]:
    adoption = next((share.part for share in course.shares if isinstance(share.part, AdoptionCourse)), None)
    if adoption is not None:
        silent = significant(rule.silence * (1.0 - adoption.patience(at)))
        if silent:
            yield Factor(name="silence", contribution=silent, because=adoption.absence(at))


def _lost(components: Sequence[Component], rule: RiskRule) -> Iterator[Factor]:
    """What each group of components has lost, told by the one that lost most."""
    for group, names in _GROUPS.items():
        costs = [(rule.health * each.weight * (1.0 - each.value), each) for each in components if each.name in names]
        lost = [(cost, each) for cost, each in costs if cost]
        if lost:
            because = max(lost, key=lambda one: one[0])[1].because
            yield Factor(name=group, contribution=significant(sum(cost for cost, _ in lost)), because=because)


def _cancellation(vetoes: Sequence[Reason], rule: RiskRule) -> Iterator[Factor]:
    for veto in vetoes:
        if veto.code in {"cancellation", "cancelled"}:
            yield Factor(name="cancellation", contribution=rule.cancellation, because=veto)


def _band(probability: float, rule: RiskRule) -> Band:
    if probability >= rule.red:
        return "red"
    return "yellow" if probability >= rule.yellow else "green"
