"""Health: 0–100, made of components whose points sum to it, under the vetoes, with its band and its reasons."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from jornada.events import Component, Frozen, Health, JourneySnapshot, Reason
from jornada.instants import instant, micros
from services.scoring.domain.course import Course
from services.scoring.domain.crossing import crosses
from services.scoring.domain.freezing import Freeze
from services.scoring.domain.profiles import Profile, VetoRule
from services.scoring.domain.shapes import significant, whole_days
from services.scoring.domain.words import minute, reason

WITHOUT_BAND = frozenset({"visitor", "lead", "churned"})
"""Stages whose subjects have the band `unknown`; a score, where there is one, is kept."""


def health(journey: JourneySnapshot, course: Course, profile: Profile, at: datetime) -> Health:
    """Health at an instant at or after the journey's. `course` is the journey's under the same profile."""
    now = micros(at)
    unknown = bandless(journey, course, profile)
    values = course.values(now)
    score = significant(course.total(values, now)) if course.shares else None
    components = [
        Component(
            name=share.name,
            points=significant(100.0 * share.weight * value),
            weight=significant(share.weight),
            value=significant(value),
            because=share.part.because(now),
        )
        for share, value in zip(course.shares, values, strict=True)
    ]
    return Health(
        band="unknown" if unknown or score is None else profile.bands.band(score),
        coverage=significant(course.coverage),
        components=components,
        score=score,
        vetoes=_vetoes(course, profile.vetoes, course.points(values), now),
        crosses=None if unknown or course.frozen else crosses(course, profile.bands, at),
        unknown_because=unknown,
        frozen=_frozen(course),
    )


def bandless(journey: JourneySnapshot, course: Course, profile: Profile) -> Reason | None:
    """Why the subject has no band; None where it has one."""
    if journey.stage.name in WITHOUT_BAND:
        return reason("stage_has_no_band", stage=journey.stage.name)
    if not course.shares or course.coverage < profile.least_coverage:
        if course.frozen:
            first = min(course.frozen.values(), key=lambda each: (each.began, each.source, each.kind))
            return _frozen_because(first)
        return reason("low_coverage", percent=round(100 * course.coverage))
    return None


def top_reasons(health_: Health) -> list[Reason]:
    """Why it is no better: what makes it unknown, vetoes, then what costs points, the most first.

    Where nothing costs any: why it is as good as it is, the weightiest first.
    """
    lost = _lost(health_)
    costly = sorted(health_.components, key=lambda each: (-lost[each.name], -each.weight, each.name))
    first = [*([health_.unknown_because] if health_.unknown_because else []), *health_.vetoes]
    cost = [each.because for each in costly if lost[each.name] >= LEAST_COST]
    return [*first, *cost] or [each.because for each in costly]


def first_fix(health_: Health) -> Reason | None:
    """What to mend first: of what we can do ourselves what costs most, else to bring back whom it is about.

    None if nothing costs; `points` are those that it could give back, whole.
    """
    costly = [(cost, name) for name, cost in _lost(health_).items() if cost >= LEAST_COST]
    ours = [each for each in costly if each[1] not in {"adoption", "people"}]
    if not costly:
        return None
    cost, name = max(ours or costly)
    return reason(f"fix_{name}", points=max(round(cost), 1))


def _lost(health_: Health) -> dict[str, float]:
    """The points that each component costs."""
    return {each.name: 100.0 * each.weight - each.points for each in health_.components}


LEAST_COST = 0.5
"""Points that a component must cost to be told among the reasons."""


def _frozen(course: Course) -> list[Frozen]:
    return [
        Frozen(
            component=name,
            source=freeze.source,
            kind=freeze.kind,
            since=instant(freeze.began),
            because=_frozen_because(freeze),
        )
        for name, freeze in course.frozen.items()
    ]


def _frozen_because(freeze: Freeze) -> Reason:
    return reason("frozen", source=freeze.source, kind=freeze.kind, since=minute(instant(freeze.began)))


def _vetoes(course: Course, rule: VetoRule, points: float, now: int) -> list[Reason]:
    """The vetoes that hold. `points` is what the lowest cap takes from the sum, told by the first so low."""
    found: list[tuple[float, Callable[[float], Reason]]] = []
    if course.cancels is not None:
        on = course.cancels.date().isoformat()
        code = "cancellation" if micros(course.cancels) > now else "cancelled"
        found.append((rule.at_most, partial(_capped, code, rule.at_most, on=on)))
    if course.overdue_from is not None and now >= course.overdue_from:
        days = rule.overdue_days + whole_days(course.overdue_from, now)
        found.append((rule.at_most, partial(_capped, "payment_overdue", rule.at_most, days=days)))
    found += [(each.veto.at_most, each.because) for each in course.own if each.stands(now)]
    caps = [at_most for at_most, _ in found]
    lowest = caps.index(min(caps)) if caps else 0
    taken = significant(min(min(caps, default=0.0) - points, 0.0))
    return [because(taken if place == lowest else 0.0) for place, (_, because) in enumerate(found)]


def _capped(code: str, at_most: float, points: float, **values: object) -> Reason:
    return reason(code, at_most=at_most, points=points, **values)
