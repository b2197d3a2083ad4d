"""All scores of one subject at one instant: `score` is the whole of scoring as one pure function."""

from datetime import datetime
from typing import NamedTuple

import msgspec

from jornada.events import ChurnRisk, Health, JourneySnapshot, UpsellPropensity
from jornada.instants import instant, micros
from services.scoring.domain.ahead import crosses_over
from services.scoring.domain.choosing import choices
from services.scoring.domain.course import Course
from services.scoring.domain.crossing import HORIZON_DAYS
from services.scoring.domain.health import health
from services.scoring.domain.overriding import Override, shown
from services.scoring.domain.profiles import Profile
from services.scoring.domain.risk import churn_risk
from services.scoring.domain.shapes import DAY
from services.scoring.domain.upsell import upsell_propensity

FOLD = 2
"""The number of these rules; it grows when the same journey would give other scores."""


class Configuration(NamedTuple):
    """What a workspace has shown and said: `connected` are the components of which it has received anything.

    `own` are its profiles, those first that are asked first whether they apply; `said` how often one was changed.
    """

    connected: frozenset[str]
    own: tuple[Profile, ...] = ()
    said: int = 0

    @property
    def grounds(self) -> str:
        """By what a score is made, beside the journey: these rules, the profiles, and what is connected."""
        return f"{FOLD}/{self.said}/{','.join(sorted(self.connected))}"


def fold_of(grounds: str) -> int:
    """The number of the rules among the grounds of a score; 0 where a release made it that did not say."""
    return int(grounds.partition("/")[0] or 0)


class Scores(NamedTuple):
    """What scoring says of one subject at `as_of`: `health` as computed, and as it is `shown` under an override.

    `again_at` is when another profile holds, or the override is over: then all must be said anew.
    """

    as_of: datetime
    profile: Profile
    course: Course
    health: Health
    churn_risk: ChurnRisk
    upsell_propensity: UpsellPropensity
    shown: Health
    again_at: datetime | None = None


def score(
    journey: JourneySnapshot, configuration: Configuration, now: datetime, override: Override | None = None
) -> Scores:
    """The scores at `now`, or at the journey's own instant where that is later, by what its workspace says."""
    connected, own = configuration.connected, configuration.own
    at = max(now, journey.as_of)
    begin = micros(at)
    chosen = choices(journey, own, connected, begin, begin + HORIZON_DAYS * DAY)
    profile = chosen[0].profile
    course = Course(journey, profile, connected)
    well = health(journey, course, profile, at)
    if len(chosen) > 1 and well.band != "unknown":
        well = msgspec.structs.replace(well, crosses=crosses_over(journey, chosen, connected, well.band))
    risk = churn_risk(well, course, profile, at)
    upsell = upsell_propensity(journey, well, profile.upsell, at)
    turns = [instant(each.since) for each in chosen[1:2]]
    ends = [override.until] if override is not None and override.holds(at) else []
    visible = shown(well, override, profile.bands, at)
    return Scores(at, profile, course, well, risk, upsell, visible, min([*turns, *ends], default=None))


def as_of(journey: JourneySnapshot, at: datetime) -> JourneySnapshot:
    """A journey as it stood at an instant before its own, at or after its last touchpoint."""
    if journey.as_of <= at:
        return journey
    entered = (stage for stage in reversed(journey.stages) if stage.entered_at <= at)
    return msgspec.structs.replace(journey, as_of=at, stage=next(entered, journey.stage))


def course_of(journey: JourneySnapshot, configuration: Configuration, at: int) -> Course:
    """Health as a function of time alone, by the profile that holds at an instant (microseconds since 1970)."""
    connected, own = configuration.connected, configuration.own
    return Course(journey, choices(journey, own, connected, at, at)[0].profile, connected)
