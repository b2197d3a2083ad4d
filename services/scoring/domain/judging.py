"""What scoring makes of one journey: its scores against what is on record, and the crossing to keep, if any."""

from datetime import datetime
from typing import NamedTuple

from jornada.events import Crossing, JourneySnapshot, SubjectId, WorkspaceId, derived_id
from services.scoring.domain import announcing
from services.scoring.domain.announcing import Announce, Cause, Crossed, Nothing, Recorded
from services.scoring.domain.health import fell_below, top_reasons
from services.scoring.domain.scores import Scores

HEALTH = "health"
"""The score whose crossings are recorded."""


class Kept(NamedTuple):
    """A crossing to keep; `announced_at` is None while nobody is told."""

    crossing: Crossing
    announced_at: datetime | None


class Judged(NamedTuple):
    """One subject scored and judged: its scores, its record, and the crossing to keep, if any.

    `repeated`: this journey, or a later one, was judged before; the record and the timers stand as they are.
    """

    journey: JourneySnapshot
    scores: Scores
    recorded: Recorded
    kept: Kept | None = None
    repeated: bool = False

    @property
    def subject(self) -> tuple[WorkspaceId, SubjectId]:
        return self.journey.workspace, self.journey.subject_id


def judge(journey: JourneySnapshot, scores: Scores, known: Recorded | None, cause: Cause, at: datetime) -> Judged:
    """Settles a subject's band against what is on record; `at` is when it became what it is now."""
    before = known or Recorded("unknown", at)
    if journey.version < before.journey_version:
        return Judged(journey, scores, before, repeated=True)
    band = announcing.settled(before.band, scores.health.band, scores.health.score, scores.profile)
    judged, decision = announcing.decide(before, band, at, scores.as_of, cause, journey.history_at)
    judged = judged._replace(
        live_at=_later(before.live_at, journey.live_at),
        history_at=_later(before.history_at, journey.history_at),
        journey_version=journey.version,
    )
    if isinstance(decision, Nothing):
        return Judged(journey, scores, judged)
    told_at = scores.as_of if isinstance(decision, Announce) else None
    return Judged(journey, scores, judged, Kept(_crossing(journey, scores, decision.crossed), told_at))


def became_at(journey: JourneySnapshot, scores: Scores) -> datetime:
    """Since when a newly arrived journey has its band: red from where silence made it so, else the last touchpoint."""
    last = min(journey.last_seen_at, scores.as_of)
    if scores.health.band != "red":
        return last
    return fell_below(scores.course, scores.profile.thresholds.yellow, last, scores.as_of) or last


def due_at(judged: Judged) -> datetime | None:
    """When the subject must be looked at again if nothing more happens."""
    crosses = judged.scores.health.crosses
    return announcing.earliest([crosses.at if crosses else None, judged.recorded.announce_at])


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((each for each in (one, other) if each is not None), default=None)


def _crossing(journey: JourneySnapshot, scores: Scores, crossed: Crossed) -> Crossing:
    return Crossing(
        id=derived_id(journey.workspace, journey.subject_id, HEALTH, crossed.from_, crossed.to, crossed.ordinal),
        workspace=journey.workspace,
        subject_type=journey.subject_type,
        subject_id=journey.subject_id,
        score=HEALTH,
        ordinal=crossed.ordinal,
        from_=crossed.from_,
        to=crossed.to,
        value=scores.health.score,
        at=crossed.at,
        recorded_at=scores.as_of,
        because=top_reasons(scores.health),
        identifiers=journey.identifiers,
    )
