"""When a profile would have shown a subject red, and how each of these warnings turned out."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from jornada.events import Band, JourneySnapshot
from jornada.instants import micros
from services.scoring.domain import crossing
from services.scoring.domain.course import Course
from services.scoring.domain.health import bandless
from services.scoring.domain.hindsight.facts import Left
from services.scoring.domain.profiles import Profile
from services.scoring.domain.scores import Configuration, ruled

Outcome = Literal["right", "in_vain", "late", "open"]
"""They left within the horizon; they did not; they had left before and stayed away; the horizon is not over."""


class Standing(NamedTuple):
    """Health as computed at a journey's instant, without its reasons."""

    profile: Profile
    course: Course
    score: float | None
    band: Band


class Red(NamedTuple):
    """A time in the red: since when, and when it was seen to be over, None while it lasts."""

    since: datetime
    until: datetime | None = None


def standing(journey: JourneySnapshot, configuration: Configuration) -> Standing:
    """Health's score and band at the journey's instant: those of `score`, for less."""
    at = micros(journey.as_of)
    profile, course = ruled(journey, configuration, at)
    score = crossing.at(course, at) if course.shares else None
    unknown = score is None or bandless(journey, course, profile) is not None
    return Standing(profile, course, score, "unknown" if score is None or unknown else profile.bands.band(score))


def reds(series: Sequence[JourneySnapshot], standings: Sequence[Standing]) -> list[Red]:
    """The times in the red, in order: of those that silence brought the very beginning is known."""
    found: list[Red] = []
    red, earlier = False, None
    for journey, stands in zip(series, standings, strict=True):
        if stands.band == "red" and not red:
            found.append(Red(_since(journey, stands, earlier)))
        elif stands.band != "red" and red:
            found[-1] = found[-1]._replace(until=journey.as_of)
        red, earlier = stands.band == "red", journey.as_of
    return found


def _since(journey: JourneySnapshot, stands: Standing, earlier: datetime | None) -> datetime:
    begin = journey.last_seen_at if earlier is None else max(journey.last_seen_at, earlier)
    return crossing.entered(stands.course, stands.profile.bands, begin, journey.as_of)


def warned_at(left: Left, warnings: Sequence[Red], horizon: timedelta) -> datetime | None:
    """When the first warning began that stood within the horizon before the subject left; None where none did."""
    opens = left.at - horizon
    standing_then = (each for each in warnings if each.since < left.at and (each.until is None or each.until > opens))
    return min((each.since for each in standing_then), default=None)


def outcomes(
    warnings: Sequence[Red], departures: Sequence[Left], horizon: timedelta, begin: datetime, end: datetime
) -> list[Outcome]:
    """How the warnings turned out that began after `begin`, by what is known at `end`."""
    return [_outcome(each, departures, horizon, end) for each in warnings if each.since > begin]


def _outcome(warning: Red, departures: Sequence[Left], horizon: timedelta, end: datetime) -> Outcome:
    since, decided_at = warning.since, warning.since + horizon
    if any(since < each.at <= decided_at for each in departures):
        return "right"
    if any(each.at <= since and (each.back_at is None or each.back_at > decided_at) for each in departures):
        return "late"
    return "open" if decided_at > end else "in_vain"
