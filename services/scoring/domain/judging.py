"""What scoring makes of one journey: its scores against what is on record, and the crossings to keep, if any."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from jornada.events import Band, Crossing, JourneySnapshot, SubjectId, WorkspaceId, derived_id
from jornada.instants import instant, micros
from services.scoring.domain import announcing
from services.scoring.domain.announcing import Announce, Cause, Crossed, Nothing, Recorded
from services.scoring.domain.bands import Bands, Corridor, common
from services.scoring.domain.champions import CHAMPION, falls_silent
from services.scoring.domain.crossing import HORIZON_DAYS, Curve, at, entered, leaves
from services.scoring.domain.health import top_reasons
from services.scoring.domain.people import people_of
from services.scoring.domain.risk import top_pushes
from services.scoring.domain.scores import Scores
from services.scoring.domain.shapes import DAY
from services.scoring.domain.upsell import next_turn

HEALTH = "health"
CHURN_RISK = "churn_risk"
SCORES = (HEALTH, CHURN_RISK)
"""Those whose crossings are recorded; churn risk's are told to nobody, as it is made from health, untrained."""

UPSELL = "upsell_propensity"
TIMED = (*SCORES, UPSELL, CHAMPION)
"""What time alone changes: each score, and whether a champion is silent, has a timer of its own."""

REFRESHED = 0.05
"""By how much churn risk may move in silence before it is published anew."""


class Kept(NamedTuple):
    """A crossing to keep; `announced_at` is None while nobody is told."""

    crossing: Crossing
    announced_at: datetime | None


class Judged(NamedTuple):
    """One subject scored and judged: its scores, its records by score, and the crossings to keep.

    `repeated`: this journey, or a later one, was judged before, or it is to be once earlier ones are; the records and
    the timers stand as they are.
    `cause` is what brought it, `due` whether time alone did, at the very instant.
    `withheld`: nobody is told anything, and the records stand, until more is known.
    `until`: it is such an earlier one, judged and not published, and holds until then. `later`: what is published
    instead, scored at a later instant than judged.
    """

    journey: JourneySnapshot
    scores: Scores
    recorded: Mapping[str, Recorded]
    kept: Sequence[Kept] = ()
    repeated: bool = False
    cause: Cause = "other"
    due: bool = False
    withheld: bool = False
    until: datetime | None = None
    later: Scores | None = None

    @property
    def published(self) -> Scores:
        """The scores to publish."""
        return self.later or self.scores

    @property
    def subject(self) -> tuple[WorkspaceId, SubjectId]:
        return self.journey.workspace, self.journey.subject_id


Scored = Callable[[JourneySnapshot, datetime], Scores]
"""The scores of a subject's journey, as it stood at an instant, by all else that holds now."""


class _Standing(NamedTuple):
    """One score as it stands: its band and value (more is better), and how both go on in silence."""

    curve: Curve
    bands: Bands
    band: Band
    value: float | None
    published: float | None


def judge(
    journey: JourneySnapshot, scores: Scores, known: Mapping[str, Recorded], cause: Cause, *, due: bool = False
) -> Judged:
    """Settles a subject's bands against what is on record; `due`: a timer tells that time alone brings them now.

    Where something is frozen the records stand as they are.
    """
    if scores.frozen:
        return withheld(journey, scores, known)
    judged: dict[str, Recorded] = {}
    kept: list[Kept] = []
    for name, standing in _standings(scores).items():
        at = scores.as_of if due else _became_at(standing, journey, scores.as_of)
        before = known.get(name, Recorded("unknown", at))
        band = standing.bands.settled(before.band, standing.value, standing.band)
        told = name == HEALTH
        judged[name], decision = announcing.decide(
            before, band, at, scores.as_of, cause if told else "other", journey.history_at if told else None
        )
        judged[name] = judged[name]._replace(
            live_at=later(before.live_at, journey.live_at),
            history_at=later(before.history_at, journey.history_at),
            journey_version=journey.version,
        )
        if not isinstance(decision, Nothing):
            told_at = scores.as_of if isinstance(decision, Announce) else None
            kept.append(Kept(_crossing(journey, scores, name, standing, decision.crossed), told_at))
    return Judged(journey, scores, judged, kept, cause=cause, due=due)


def taken(
    journey: JourneySnapshot, scores: Scores, known: Mapping[str, Recorded], cause: Cause, scored: Scored
) -> Judged:
    """Judges a journey that has just come, scored now.

    What silence has made of a live one since its last touchpoint is left to timers: the next one may be on its way.
    """
    if cause != "live" or not _turned(journey, scores, known):
        return judge(journey, scores, known, cause)
    own = scored(journey, min(journey.last_seen_at, scores.as_of))
    return judge(journey, own, known, cause)._replace(later=scores)


def _turned(journey: JourneySnapshot, scores: Scores, known: Mapping[str, Recorded]) -> bool:
    """Whether time alone has changed a band, or the one to record, since the last touchpoint."""
    begin, end = micros(min(journey.last_seen_at, scores.as_of)), micros(scores.as_of)
    for name, (curve, bands, band, value, _) in _standings(scores).items():
        if band == "unknown" or begin == end:
            continue
        before: Band = known[name].band if name in known else "unknown"
        first = at(curve, begin)
        recorded = bands.settled(before, first, bands.band(first))
        if recorded != bands.settled(before, value, band):
            return True
        if leaves(curve, common(bands.corridor(bands.band(first)), bands.kept(recorded)), begin, end) is not None:
            return True
    return False


def repeated(journey: JourneySnapshot, scores: Scores, known: Mapping[str, Recorded]) -> Judged:
    """A subject whose journey, or a later one, was judged before; or whose earlier ones are still to be."""
    return Judged(journey, scores, known, repeated=True)


def withheld(journey: JourneySnapshot, scores: Scores, known: Mapping[str, Recorded]) -> Judged:
    """A subject whose bands nobody can judge now."""
    last = min(journey.last_seen_at, scores.as_of)
    recorded = {name: known.get(name, Recorded("unknown", last)) for name in SCORES}
    return Judged(journey, scores, recorded, withheld=True)


def moves(scores: Scores, known: Mapping[str, Recorded]) -> bool:
    """Whether health has another known band than the one on record: then what brought it is to be found out."""
    before = known.get(HEALTH)
    return scores.health.band not in {"unknown", "unknown" if before is None else before.band}


def _standings(scores: Scores) -> dict[str, _Standing]:
    health, risk = scores.health, scores.churn_risk
    value = None if risk.probability is None else -risk.probability
    course = scores.model.curve(scores.course, scores.profile)
    return {
        HEALTH: _Standing(scores.course, scores.profile.bands, health.band, health.score, health.score),
        CHURN_RISK: _Standing(course, scores.profile.risk.bands, risk.band, value, risk.probability),
    }


def _became_at(standing: _Standing, journey: JourneySnapshot, as_of: datetime) -> datetime:
    """Since when a newly arrived journey has its band: from where silence made it so, else what happened last."""
    people = people_of(journey)
    known = [journey.last_seen_at] if people is None or people.at is None else [journey.last_seen_at, people.at]
    last = min(max(known), as_of)
    return last if standing.band == "unknown" else entered(standing.curve, standing.bands, last, as_of)


def dues(judged: Judged) -> Iterator[tuple[str, datetime]]:
    """When the subject must be looked at again, by score, if nothing more happens; while an earlier journey holds."""
    for name, due in _dues(judged):
        if judged.until is None or due < judged.until:
            yield name, due


def _dues(judged: Judged) -> Iterator[tuple[str, datetime]]:
    if judged.withheld:
        # All waits for the end of the freeze; who is held back for less is looked at again by who holds them.
        if judged.scores.frozen and judged.scores.again_at is not None:
            yield HEALTH, judged.scores.again_at
        return
    for name, standing in _standings(judged.scores).items():
        recorded = judged.recorded.get(name)
        # What is on record of a journey that was judged before may be a later one's.
        band = standing.band if recorded is None or judged.repeated else recorded.band
        told_at = None if recorded is None else recorded.announce_at
        again_at = judged.scores.again_at if name == HEALTH else None
        due = announcing.earliest([_turns_at(judged.scores, name, standing, band), told_at, again_at])
        if due is not None:
            yield name, due
    turn = next_turn(judged.journey, judged.scores.profile.upsell, micros(judged.scores.as_of))
    if turn is not None:
        yield UPSELL, instant(turn)
    silent_at = falls_silent(judged.journey, judged.scores.course)
    if silent_at is not None and silent_at > judged.scores.as_of:
        yield CHAMPION, silent_at


def _turns_at(scores: Scores, name: str, standing: _Standing, recorded: Band) -> datetime | None:
    """When time alone changes the band, the one on record, or what is published by much."""
    if standing.band == "unknown" or standing.value is None:
        return None
    crosses = scores.health.crosses
    if name == HEALTH and recorded == standing.band:
        return None if crosses is None else crosses.at
    corridor = common(standing.bands.corridor(standing.band), standing.bands.kept(recorded))
    if name == CHURN_RISK:
        corridor = common(corridor, _near(standing.value))
    begin = micros(scores.as_of)
    left = leaves(standing.curve, corridor, begin, begin + HORIZON_DAYS * DAY)
    return None if left is None else instant(left)


def _near(value: float) -> Corridor:
    return value - REFRESHED, value + REFRESHED


def later(one: datetime | None, other: datetime | None) -> datetime | None:
    """The later of two instants, as far as they are known."""
    return max((each for each in (one, other) if each is not None), default=None)


def _crossing(journey: JourneySnapshot, scores: Scores, name: str, standing: _Standing, crossed: Crossed) -> Crossing:
    return Crossing(
        id=derived_id(journey.workspace, journey.subject_id, name, crossed.from_, crossed.to, crossed.ordinal),
        workspace=journey.workspace,
        subject_type=journey.subject_type,
        subject_id=journey.subject_id,
        score=name,
        ordinal=crossed.ordinal,
        from_=crossed.from_,
        to=crossed.to,
        value=standing.published,
        at=crossed.at,
        recorded_at=scores.as_of,
        because=top_reasons(scores.health) if name == HEALTH else top_pushes(scores.churn_risk),
        identifiers=journey.identifiers,
    )
