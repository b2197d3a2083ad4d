"""Who speaks for us within an account, when they fall silent, and what a person counts for among its people."""

from datetime import datetime, timedelta

from jornada.events import JourneySnapshot
from jornada.instants import instant, micros
from services.scoring.domain.course import Course
from services.scoring.domain.people import Member
from services.scoring.domain.scores import Scores

CHAMPION = "champion"
_TRAITS = ("role_in_account", "persona")


def is_champion(journey: JourneySnapshot) -> bool:
    """Whether a trait of the person says so, or a persona by the workspace's own rules."""
    said = any(journey.traits.get(name) == CHAMPION for name in _TRAITS)
    return said or any(each.name == CHAMPION for each in journey.personas)


def falls_silent(journey: JourneySnapshot, course: Course) -> datetime | None:
    """When silence leaves a champion less than half their adoption; None for others, and where it is not known."""
    if course.use is None or journey.account_id is None or not is_champion(journey):
        return None
    at = course.use.falls_silent()
    return None if at is None else instant(at)


def member(journey: JourneySnapshot, scores: Scores) -> Member:
    """What a person counts for in their account, by the band that was computed. `scores` are the journey's.

    A champion of whose use nothing is known is counted as anybody.
    """
    use = scores.course.use
    if use is None or not is_champion(journey):
        return Member(scores.health.band)
    silent_at = use.falls_silent()
    silent = silent_at is not None and micros(scores.as_of) >= silent_at
    return Member(scores.health.band, champion=True, silent_since=_hour(instant(use.last)) if silent else None)


def _hour(at: datetime) -> datetime:
    """So that those who are counted together stay few kinds, however many they are."""
    return at - timedelta(minutes=at.minute, seconds=at.second, microseconds=at.microsecond)
