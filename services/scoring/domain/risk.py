"""Churn risk at level 1: made from health and silence, untrained, with an interval that says so."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from jornada.events import ChurnRisk, Factor, Health, Reason
from jornada.instants import micros
from services.scoring.domain.course import Course
from services.scoring.domain.features import PATIENCE, features
from services.scoring.domain.profiles import ComponentName, Profile, RiskRule
from services.scoring.domain.shapes import logistic, significant
from services.scoring.domain.words import reason

MODEL = "level-1"

_GROUPS: Mapping[ComponentName, str] = {
    "adoption": "adoption",
    "support": "service",
    "feedback": "service",
    "commercial": "bond",
    "relationship": "bond",
    "enablement": "bond",
    "people": "bond",
}
"""The factor that tells each component: with base, silence and cancellation at most six."""


class _Push(NamedTuple):
    """One factor in log-odds, and the component that tells most of it."""

    name: str
    contribution: float
    told_by: int | None = None


class RiskCourse:
    """The probability over time, negative, so that more is better; its values are health's, and what silence leaves."""

    def __init__(self, course: Course, rule: RiskRule) -> None:
        self.turns = course.turns
        self._course, self.rule, self.use = course, rule, course.use

    def values(self, at: int) -> list[float]:
        patience = 1.0 if self.use is None else self.use.patience(at)
        return [*self._course.values(at), patience]

    def told(self, features_: Mapping[str, float]) -> list[float]:
        """The values as features tell them."""
        return [*(features_[share.name] for share in self._course.shares), features_.get(PATIENCE, 1.0)]

    def total(self, values: Sequence[float], at: int) -> float:
        return -logistic(sum(push.contribution for push in self.pushes(values)))

    def pushes(self, values: Sequence[float]) -> Iterator[_Push]:
        """What the values push, those apart that push nothing."""
        rule = self.rule
        yield _Push("base", rule.base)
        silence = significant(rule.silence * (1.0 - values[-1]))
        if silence:
            yield _Push("silence", silence)
        groups: dict[str, list[tuple[float, int]]] = {}
        for place, (share, value) in enumerate(zip(self._course.shares, values, strict=False)):
            cost = rule.health * share.weight * (1.0 - value)
            if cost:
                groups.setdefault(_GROUPS[share.name], []).append((cost, place))
        for group, costs in groups.items():
            yield _Push(group, significant(sum(cost for cost, _ in costs)), max(costs)[1])
        if self._course.cancels is not None:
            yield _Push("cancellation", rule.cancellation)


def churn_risk(health: Health, course: Course, profile: Profile, at: datetime) -> ChurnRisk:
    """The probability of leaving within the profile's horizon; without a number where health has no band, or is frozen.

    The factors are log-odds and sum to the probability's; `low` and `high` are that sum less and plus the spread.
    """
    rule = profile.risk
    if health.band == "unknown" or course.frozen:
        return ChurnRisk(horizon_days=rule.horizon_days, model=MODEL, band="unknown")
    risk = RiskCourse(course, rule)
    pushes = list(risk.pushes(risk.told(features(course, micros(at)))))
    log_odds = sum(push.contribution for push in pushes)
    probability = significant(logistic(log_odds))
    return ChurnRisk(
        horizon_days=rule.horizon_days,
        model=MODEL,
        band=rule.bands.band(-probability),
        probability=probability,
        low=significant(logistic(log_odds - rule.spread)),
        high=significant(logistic(log_odds + rule.spread)),
        factors=[
            Factor(name=push.name, contribution=push.contribution, because=_because(push, health, risk, at))
            for push in pushes
        ],
    )


def _because(push: _Push, health: Health, risk: RiskCourse, at: datetime) -> Reason:
    if push.told_by is not None:
        return health.components[push.told_by].because
    if push.name == "silence" and risk.use is not None:
        return risk.use.absence(micros(at))
    if push.name == "cancellation":
        return next(veto for veto in health.vetoes if veto.code in {"cancellation", "cancelled"})
    return reason("usual_risk", horizon_days=risk.rule.horizon_days)


def top_pushes(risk: ChurnRisk) -> list[Reason]:
    """Why it is no lower: what pushes it up, the most first."""
    pushing = [each for each in risk.factors if each.name != "base" and each.contribution > 0]
    return [each.because for each in sorted(pushing, key=lambda each: (-each.contribution, each.name))]
