"""All scores of one subject at one instant: `score` is the whole of scoring as one pure function."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from jornada.events import ChurnRisk, Health, JourneySnapshot, Measures, UpsellPropensity
from services.scoring.domain.course import Course, contracted
from services.scoring.domain.health import health
from services.scoring.domain.profiles import ComponentName, Profile, profile_of
from services.scoring.domain.risk import churn_risk
from services.scoring.domain.upsell import upsell_propensity

FOLD = 1
"""The number of these rules; it grows when the same journey would give other scores."""


class Scores(NamedTuple):
    """What scoring says of one subject at `as_of`."""

    as_of: datetime
    profile: Profile
    course: Course
    health: Health
    churn_risk: ChurnRisk
    upsell_propensity: UpsellPropensity


def score(journey: JourneySnapshot, connected: Collection[str], now: datetime) -> Scores:
    """The scores at `now`, or at the journey's own instant where that is later.

    `connected` are the components of which the workspace has received anything.
    """
    at = max(now, journey.as_of)
    profile = profile_of(journey.rules)
    course = Course(journey, profile, connected)
    well = health(journey, course, profile, at)
    risk = churn_risk(well, course, profile, at)
    return Scores(at, profile, course, well, risk, upsell_propensity(journey, well, at))


def received(measures: Measures) -> set[ComponentName]:
    """The components of which this journey shows that something was received."""
    parts: tuple[tuple[ComponentName, object], ...] = (
        ("use", measures.use),
        ("support", measures.support),
        ("billing", contracted(measures)),
    )
    return {name for name, part in parts if part is not None}
