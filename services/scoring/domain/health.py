"""Health: 0–100, made of components whose points sum to it, under the vetoes, with its band and its reasons."""

from datetime import datetime

from jornada.events import Component, Health, JourneySnapshot, OpenTicket, Reason
from jornada.instants import instant, micros
from services.scoring.domain.course import Course, UseCourse
from services.scoring.domain.crossing import crosses, fallen_below
from services.scoring.domain.profiles import BillingRule, ComponentName, Profile
from services.scoring.domain.shapes import DAY, significant, whole_days
from services.scoring.domain.words import reason

WITHOUT_BAND = frozenset({"visitor", "lead", "churned"})
"""Stages whose subjects have the band `unknown`; a score, where there is one, is kept."""


def health(journey: JourneySnapshot, course: Course, profile: Profile, at: datetime) -> Health:
    """Health at an instant at or after the journey's. `course` is the journey's under the same profile."""
    now = micros(at)
    unknown = _unknown(journey, course, profile)
    score = significant(course.score(now)) if course.shares else None
    components = [
        Component(
            name=name,
            points=significant(100.0 * weight * value),
            weight=significant(weight),
            value=significant(value),
            because=_because(name, journey, course, profile, at),
        )
        for name, weight, part in course.shares
        for value in (part.value(now),)
    ]
    return Health(
        band="unknown" if unknown or score is None else profile.thresholds.band(score),
        coverage=significant(course.coverage),
        components=components,
        score=score,
        vetoes=_vetoes(course, profile.billing, now),
        crosses=None if unknown else crosses(course, profile.thresholds, at),
        unknown_because=unknown,
    )


def _unknown(journey: JourneySnapshot, course: Course, profile: Profile) -> Reason | None:
    if journey.stage.name in WITHOUT_BAND:
        return reason("stage_has_no_band", stage=journey.stage.name)
    if not course.shares or course.coverage < profile.least_coverage:
        return reason("low_coverage", percent=round(100 * course.coverage))
    return None


def top_reasons(health_: Health) -> list[Reason]:
    """Why it is no better: what makes it unknown, vetoes, then components by the points they cost, the most first."""
    costly = sorted(health_.components, key=lambda each: (each.points - 100.0 * each.weight, each.name))
    first = [health_.unknown_because] if health_.unknown_because else []
    return [*first, *health_.vetoes, *(each.because for each in costly)]


def _vetoes(course: Course, rule: BillingRule, now: int) -> list[Reason]:
    """The vetoes that hold. `points` is what the cap takes from the components' sum, told by the first of them."""
    found: list[tuple[str, dict[str, object]]] = []
    if course.cancels is not None:
        found.append(("cancellation", {"on": course.cancels.date().isoformat()}))
    if course.overdue_from is not None and now >= course.overdue_from:
        days = rule.overdue_days + whole_days(course.overdue_from, now)
        found.append(("payment_overdue", {"days": days}))
    taken = significant(min(rule.veto_at_most - course.uncapped(now), 0.0)) if found else 0.0
    return [
        reason(code, at_most=rule.veto_at_most, points=0.0 if place else taken, **values)
        for place, (code, values) in enumerate(found)
    ]


def _because(name: ComponentName, journey: JourneySnapshot, course: Course, profile: Profile, at: datetime) -> Reason:
    if name == "use":
        return _use(course, profile, micros(at))
    if name == "support":
        support = journey.measures.support
        return _tickets(support.open if support else [], at)
    billing = journey.measures.billing
    failed = billing.payment_failed_since if billing else None
    if failed is None:
        return reason("payments_in_order")
    return reason("payment_failed", days=whole_days(micros(failed), micros(at)))


def _use(course: Course, profile: Profile, now: int) -> Reason:
    part = next(share.part for share in course.shares if share.name == "use")
    assert isinstance(part, UseCourse)
    days = whole_days(part.last, now)
    if now - part.last > part.usual * DAY:
        return reason(f"{profile.use.act}_silent", days=days, usual_days=part.usual)
    return reason(f"{profile.use.act}_recent", days=days, value_days=part.value_days)


def _tickets(tickets: list[OpenTicket], at: datetime) -> Reason:
    if not tickets:
        return reason("no_open_tickets")
    oldest = min(ticket.opened_at for ticket in tickets)
    return reason(
        "open_tickets",
        count=len(tickets),
        worst=min(ticket.severity for ticket in tickets),
        oldest_days=whole_days(micros(oldest), micros(at)),
    )


def fell_below(course: Course, threshold: float, begin: datetime, end: datetime) -> datetime | None:
    """When, between two instants, the score fell below by time alone; None if it lay below at `begin` already."""
    low = micros(begin)
    if end <= begin or significant(course.score(low)) < threshold:
        return None
    reached = fallen_below(course, threshold, low, micros(end))
    return None if reached is None else instant(reached)
