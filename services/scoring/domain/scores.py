"""All scores of one subject at one instant: `score` is the whole of scoring as one pure function."""

from datetime import datetime
from typing import NamedTuple

from jornada.events import ChurnRisk, Health, JourneySnapshot, UpsellPropensity
from services.scoring.domain.course import Course
from services.scoring.domain.health import health
from services.scoring.domain.profiles import Profile
from services.scoring.domain.risk import churn_risk
from services.scoring.domain.shipped import shipped_for
from services.scoring.domain.upsell import upsell_propensity

FOLD = 2
"""The number of these rules; it grows when the same journey would give other scores."""


class Configuration(NamedTuple):
    """What a workspace has shown and said: `connected` are the components of which it has received anything."""

    connected: frozenset[str]


class Scores(NamedTuple):
    """What scoring says of one subject at `as_of`."""

    as_of: datetime
    profile: Profile
    course: Course
    health: Health
    churn_risk: ChurnRisk
    upsell_propensity: UpsellPropensity


def score(journey: JourneySnapshot, configuration: Configuration, now: datetime) -> Scores:
    """The scores at `now`, or at the journey's own instant where that is later, by what its workspace says."""
    at = max(now, journey.as_of)
    profile = profile_of(journey, configuration)
    course = Course(journey, profile, configuration.connected)
    well = health(journey, course, profile, at)
    risk = churn_risk(well, course, profile, at)
    return Scores(at, profile, course, well, risk, upsell_propensity(journey, well, at))


def profile_of(journey: JourneySnapshot, configuration: Configuration) -> Profile:
    """The profile by which a journey is scored."""
    return shipped_for(journey.rules_base or journey.rules, configuration.connected)


def course_of(journey: JourneySnapshot, configuration: Configuration) -> Course:
    """Health as a function of time alone."""
    return Course(journey, profile_of(journey, configuration), configuration.connected)
