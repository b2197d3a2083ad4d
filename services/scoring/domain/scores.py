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
from services.scoring.domain.freezing import Freeze, freezing, turns
from services.scoring.domain.health import health
from services.scoring.domain.ladder import LEVEL_ONE, Model
from services.scoring.domain.overriding import Override, shown
from services.scoring.domain.profiles import Profile
from services.scoring.domain.shapes import DAY
from services.scoring.domain.upsell import upsell_propensity

FOLD = 3
"""The number of these rules; it grows when the same journey would give other scores."""


class Configuration(NamedTuple):
    """What a workspace has shown and said: `connected` are the components of which it has received anything.

    `own` are its profiles, those first that are asked first whether they apply; `said` how often one was changed.
    `freezes` are all there ever were. From `withheld_from` on nobody's band is judged yet: something may have come from
    next to nobody since, and whether that is a freeze is known within hours. Until `watched_until` volumes are known.
    `model` is the churn model that serves.
    """

    connected: frozenset[str]
    own: tuple[Profile, ...] = ()
    said: int = 0
    freezes: tuple[Freeze, ...] = ()
    withheld_from: datetime | None = None
    watched_until: datetime | None = None
    model: Model = LEVEL_ONE

    def withholds(self, at: datetime) -> bool:
        """Whether it is too early to judge anybody by an instant."""
        return self.withheld_from is not None and at > self.withheld_from

    def waits(self, at: datetime) -> bool:
        """Whether it is too early to say what silence made of an instant."""
        return self.withholds(at) or (self.watched_until is not None and at > self.watched_until)

    @property
    def grounds(self) -> str:
        """By what a score is made, beside the journey: these rules, the profiles, freezes, and what is connected."""
        edges = sum(1 if each.ended is None else 2 for each in self.freezes if each.components)
        return f"{FOLD}/{self.said}.{edges}/{','.join(sorted(self.connected))}"


def fold_of(grounds: str) -> int:
    """The number of the rules among the grounds of a score; 0 where a release made it that did not say."""
    return int(grounds.partition("/")[0] or 0)


class Scores(NamedTuple):
    """What scoring says of one subject at `as_of`: `health` as computed, and as it is `shown` under an override.

    `again_at` is when another profile holds, the override is over, or a freeze begins or ends: then all must be said
    anew. `frozen`: something of it is, so that its bands are not judged.
    """

    as_of: datetime
    profile: Profile
    course: Course
    health: Health
    churn_risk: ChurnRisk
    upsell_propensity: UpsellPropensity
    shown: Health
    again_at: datetime | None = None
    model: Model = LEVEL_ONE

    @property
    def frozen(self) -> bool:
        return bool(self.course.frozen)


def score(
    journey: JourneySnapshot, configuration: Configuration, now: datetime, override: Override | None = None
) -> Scores:
    """The scores at `now`, or at the journey's own instant where that is later, by what its workspace says."""
    connected, own = configuration.connected, configuration.own
    at = max(now, journey.as_of)
    begin = micros(at)
    chosen = choices(journey, own, connected, begin, begin + HORIZON_DAYS * DAY)
    profile = chosen[0].profile
    frozen = freezing(configuration.freezes, begin)
    course = Course(journey, profile, connected, frozen)
    well = health(journey, course, profile, at)
    if len(chosen) > 1 and well.band != "unknown" and not course.frozen:
        well = msgspec.structs.replace(well, crosses=crosses_over(journey, chosen, connected, well.band, frozen))
    risk = configuration.model.risk(well, course, profile, at)
    upsell = upsell_propensity(journey, well, profile.upsell, at)
    edge = turns(configuration.freezes, begin)
    anew = [instant(each) for each in (*(each.since for each in chosen[1:2]), edge) if each is not None]
    ends = [override.until] if override is not None and override.holds(at) else []
    visible = shown(well, override, profile.bands, at)
    again_at = min([*anew, *ends], default=None)
    return Scores(at, profile, course, well, risk, upsell, visible, again_at, configuration.model)


def as_of(journey: JourneySnapshot, at: datetime) -> JourneySnapshot:
    """A journey as it stood at an instant before its own, at or after its last touchpoint."""
    if journey.as_of <= at:
        return journey
    entered = (stage for stage in reversed(journey.stages) if stage.entered_at <= at)
    return msgspec.structs.replace(journey, as_of=at, stage=next(entered, journey.stage))


def ruled(
    journey: JourneySnapshot, configuration: Configuration, at: int, seen_at: int | None = None
) -> tuple[Profile, Course]:
    """The profile that holds at an instant (microseconds since 1970), and health by it as a function of time alone.

    Seen from then, or from later on: so much of what is frozen is over.
    """
    connected, own = configuration.connected, configuration.own
    profile = choices(journey, own, connected, at, at)[0].profile
    frozen = freezing(configuration.freezes, at if seen_at is None else seen_at)
    return profile, Course(journey, profile, connected, frozen)


def course_of(journey: JourneySnapshot, configuration: Configuration, at: int, seen_at: int | None = None) -> Course:
    """Health as a function of time alone, by the profile that holds at an instant."""
    return ruled(journey, configuration, at, seen_at)[1]
