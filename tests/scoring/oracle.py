"""Health from raw events in the plainest way that is right: every sum over all of them, nothing kept, nothing decayed.

Of the service it takes the numbers of the shipped saas profile; it shares no fold, snapshot, component or shape.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, exp, log
from typing import Any, NamedTuple

from services.scoring.domain.shipped import SAAS

EXPECTED_GAP_DAYS = 7
_FEATURES = ("Report Exported", "Chart Shared", "Board Made")
_INBOUND = ("Survey Responded", "Support Ticket Created")


class Event(NamedTuple):
    """What happened, so many days after the beginning, which is a midnight."""

    at: float
    name: str
    properties: dict[str, Any]


def health(events: Sequence[Event], at: float) -> tuple[float, dict[str, float]]:
    """The score and the components' values at an instant (days), where every component is connected."""
    told = sorted(events, key=lambda event: event.at)
    values = {
        name: value
        for name, value in {
            "adoption": _adoption(told, at),
            "support": _support(told, at),
            "feedback": _feedback(told, at),
            "enablement": _enablement(told),
            "commercial": _commercial(told, at),
            "relationship": _relationship(told, at),
        }.items()
        if value is not None
    }
    weights = {str(name): weight for name, weight in SAAS.weights.items()}
    whole = sum(weights[name] for name in values)
    score = 100 * sum(weights[name] * value for name, value in values.items()) / whole
    unpaid = _unpaid_since(told)
    vetoed = unpaid is not None and at >= unpaid + SAAS.vetoes.overdue_days
    return min(score, SAAS.vetoes.at_most) if vetoed else score, values


def _named(events: Sequence[Event], *names: str) -> list[Event]:
    return [event for event in events if event.name in names]


def _half(days: float, half_life: float) -> float:
    return exp(-days / half_life * log(2))


def _clip(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _adoption(events: Sequence[Event], at: float) -> float | None:
    rule, used = SAAS.adoption, _named(events, *_FEATURES)
    assert rule.depth is not None
    assert rule.breadth is not None
    assert rule.trend is not None
    if not used:
        return None
    days, last = sorted({int(event.at) for event in used}), used[-1].at
    gaps = [later - earlier for earlier, later in pairwise(days)][-20:]
    own = sorted(gaps)[ceil(0.9 * len(gaps) - 1e-9) - 1] if len(gaps) >= 4 else EXPECTED_GAP_DAYS
    trust = len(gaps) / (len(gaps) + rule.shrink)
    usual = max(exp(trust * log(own) + (1 - trust) * log(EXPECTED_GAP_DAYS)), rule.least_gap_days)
    away = ((at - last) / usual - rule.calm) / (rule.gone - rule.calm)
    patience = 1 - (1 - rule.left) * _clip(away)

    def count(half_life: float) -> float:
        return sum(_half(days[-1] - day, half_life) for day in days) * _half(at - last, half_life)

    could = 1 - _half(at - events[0].at + rule.least_gap_days, rule.half_life_days)
    kept = count(rule.half_life_days)
    latest = {name: max(event.at for event in used if event.name == name) for name in {each.name for each in used}}
    features = sum(_half(at - each, rule.breadth.half_life_days) for each in latest.values())
    short, long = (count(half) * log(2) / half for half in (rule.trend.short_days, rule.trend.long_days))
    parts = [
        (rule.use, 1 - exp(-kept / (rule.enough * could))),
        (rule.depth.weight, 1 - exp(-kept / (rule.depth.enough * could))),
        (rule.breadth.weight, 1 - exp(-features / rule.breadth.enough)),
        (rule.trend.weight, min(short / (long + 1e-9) / rule.trend.steady, 1.0)),
    ]
    return patience * sum(weight * value for weight, value in parts) / sum(weight for weight, _ in parts)


def _support(events: Sequence[Event], at: float) -> float:
    rule, left = SAAS.support, 1.0
    resolved = {event.properties["ticket_id"] for event in _named(events, "Support Ticket Resolved")}
    for opened in _named(events, "Support Ticket Created"):
        if opened.properties["ticket_id"] not in resolved:
            takes = rule.takes[opened.properties["severity"] - 1]
            left *= 1 - min(takes * (1 + _clip((at - opened.at) / rule.doubles_in_days)), rule.at_most)
    return left


def _feedback(events: Sequence[Event], at: float) -> float | None:
    rule, answers = SAAS.feedback, _named(events, "Survey Responded")
    if not answers:
        return None
    weighed = [(_half(at - event.at, rule.half_life_days), event.properties["score"] / 10) for event in answers]
    total = sum(weight * level for weight, level in weighed) + rule.weight * rule.neutral
    level = total / (sum(weight for weight, _ in weighed) + rule.weight)
    return _clip((level - rule.worst) / (rule.best - rule.worst))


def _enablement(events: Sequence[Event]) -> float | None:
    steps = {event.properties["step"] for event in _named(events, "Onboarding Step Completed")}
    courses = {event.properties["course_id"] for event in _named(events, "Training Assigned", "Training Completed")}
    done = {event.properties["course_id"] for event in _named(events, "Training Completed")}
    shares = [_clip(len(steps) / SAAS.enablement.steps)] if steps else []
    shares += [len(done) / len(courses)] if courses else []
    return sum(shares) / len(shares) if shares else None


def _unpaid_since(events: Sequence[Event]) -> float | None:
    since = None
    for event in _named(events, "Payment Failed", "Payment Recovered"):
        failed = event.name == "Payment Failed"
        since = (event.at if since is None else since) if failed else None
    return since


def _commercial(events: Sequence[Event], at: float) -> float | None:
    rule, started = SAAS.commercial, _named(events, "Subscription Started")
    if not started and not _named(events, "Payment Failed", "Payment Recovered"):
        return None
    unpaid, value = _unpaid_since(events), 1.0
    if unpaid is not None:
        value = rule.failed * (1 - _clip((at - unpaid) / rule.gone_in_days))
    if not started:
        return value
    said = [event.properties["auto_renew"] for event in started if event.properties["auto_renew"] is not None]
    renewal, renews = started[-1].properties["renewal_in"], said[-1] if said else None
    if renews or (at >= renewal and renews is None):
        return value
    if at >= renewal:
        return 0.0
    return value * (1 - rule.renewal * (1 - _clip((renewal - at) / rule.renewal_days)))


def _relationship(events: Sequence[Event], at: float) -> float | None:
    rule = SAAS.relationship
    logged = _named(events, "Contact Logged")
    inbound = [event.at for event in logged if event.properties["direction"] == "inbound"]
    inbound += [event.at for event in _named(events, *_INBOUND)]
    outbound = [event.at for event in logged if event.properties["direction"] == "outbound"]
    values = []
    if inbound and outbound:
        values.append(_fresh(min(max(inbound), max(outbound)), at))
    elif inbound or outbound:
        values.append(0.5 * _fresh(max(inbound + outbound), at))
    referred = _named(events, "Referral Made")
    if referred:
        spoke = sum(_half(at - event.at, rule.half_life_days) for event in referred)
        values.append(rule.neutral + (1 - rule.neutral) * (1 - exp(-spoke / rule.enough)))
    return sum(values) / len(values) if values else None


def _fresh(since: float, at: float) -> float:
    rule = SAAS.relationship
    return 1 - _clip((at - since - rule.calm_days) / (rule.gone_days - rule.calm_days))
