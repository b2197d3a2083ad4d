"""Journeys that have just come: in which order they are taken, what they wait for, and how they are judged."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from jornada.bus.publisher import Subject
from jornada.db import Connection
from jornada.events import JourneyEvent, JourneySnapshot, WorkspaceId, decode
from services.scoring.domain.announcing import Recorded, cause_of
from services.scoring.domain.course import received
from services.scoring.domain.judging import HEALTH, Judged, Scored, moves, repeated, taken, withheld
from services.scoring.domain.pending import MOST, Pending, pending, steps
from services.scoring.domain.people import Peopled
from services.scoring.store import overrides, subjects
from services.scoring.store import pending as store
from services.scoring.store.people import Step
from services.scoring.store.subjects import Known as Row
from services.scoring.worker.scoring import Bands, Configurations, lives, scored_by, subject_of, versions

BEHIND = timedelta(seconds=2)
"""How long ago the first live touchpoint among a subject's journeys in a batch may have come that they are one."""


class Known(NamedTuple):
    """What holds, what is on record, how the people of accounts stand, and who waits for earlier journeys."""

    configurations: Configurations
    recorded: Mapping[Subject, Bands]
    steps: Mapping[Subject, Step]
    waiting: Collection[Subject]


def in_order(events: Sequence[JourneyEvent]) -> dict[Subject, list[JourneyEvent]]:
    """Every version once, by subject."""
    found: dict[Subject, dict[int, JourneyEvent]] = {}
    for event in events:
        found.setdefault(subject_of(event), {})[event.version] = event
    return {subject: [by_version[each] for each in sorted(by_version)] for subject, by_version in found.items()}


def newer(events: Sequence[JourneyEvent], known: Row | None) -> list[JourneyEvent]:
    """Those of a later version than is stored."""
    return [event for event in events if known is None or event.version > known.journey_version]


def one_by_one(events: Sequence[JourneyEvent], now: datetime) -> Sequence[JourneyEvent]:
    """A subject's journeys as they are to be folded: one by one where what lives in them came a while ago, else as one.

    Of who is no more by the last of them, that alone.
    """
    snapshots = [event for event in events if lives(event)]
    if len(snapshots) < len(events):
        return events[-1:]
    first, last = snapshots[0].live_at, snapshots[-1].live_at
    late = first is not None and first != last and now - first >= BEHIND
    return steps(snapshots, MOST if late else 1)


def received_of(snapshots: Sequence[JourneySnapshot]) -> dict[WorkspaceId, set[str]]:
    """The components of which journeys show that something was received, by workspace."""
    found: dict[WorkspaceId, set[str]] = {}
    for each in snapshots:
        found.setdefault(each.workspace, set()).update(received(each.measures))
    return found


async def held(
    connection: Connection, snapshots: Sequence[JourneySnapshot], recorded: Mapping[Subject, Bands], now: datetime
) -> dict[Subject, Sequence[Pending]]:
    """What is to be judged before these journeys, of those whose timer was due and has not fired."""
    new = {subject_of(each): each for each in snapshots if not _judged_before(each, recorded.get(subject_of(each), {}))}
    latest = max([now, *(each.as_of for each in new.values())])
    due = await store.overdue(connection, new, latest) if new else {}
    if not due:
        return {}
    known = await subjects.locked(connection, due, journeys=True)
    before = await store.of(connection, versions(known, recorded))
    found: dict[Subject, Sequence[Pending]] = dict.fromkeys(due, ())
    for subject, row in known.items():
        if row.journey is not None and subject in recorded:
            stored: JourneySnapshot = decode(row.journey, Peopled)
            found[subject] = pending(due[subject], before.get(subject, ()), stored, new[subject])
    return found


async def judged(
    connection: Connection, snapshots: Sequence[JourneySnapshot], known: Known, now: datetime
) -> list[Judged]:
    """Scores the journeys that hold now, and judges them, save where earlier ones are to be judged before."""
    said = await overrides.of(connection, [subject_of(each) for each in snapshots])
    by = {
        subject_of(each): scored_by(known.configurations[each.workspace], said.get(subject_of(each)))
        for each in snapshots
    }
    told = [(journey, by[subject_of(journey)](journey, now)) for journey in snapshots]
    moved = [subject_of(each) for each, scores in told if moves(scores, known.recorded.get(subject_of(each), {}))]
    before = await subjects.journeys(connection, moved) if moved else {}
    found = []
    for journey, scores in told:
        subject = subject_of(journey)
        bands = known.recorded.get(subject, {})
        if _judged_before(journey, bands) or subject in known.waiting:
            found.append(repeated(journey, scores, bands))
            continue
        if known.configurations[subject.workspace].withholds(scores.as_of):
            found.append(withheld(journey, scores, bands))
            continue
        earlier = before.get(subject)
        silent = earlier is not None and _band(earlier, by[subject], scores.as_of) == scores.health.band
        silent = silent or (subject in known.steps and known.steps[subject].told)
        cause = cause_of(bands.get(HEALTH, Recorded("unknown", now)), journey.live_at, silent=silent)
        found.append(taken(journey, scores, bands, cause, by[subject]))
    return found


def _band(journey: bytes, scored: Scored, at: datetime) -> str:
    return scored(decode(journey, Peopled), at).health.band


def _judged_before(journey: JourneySnapshot, bands: Bands) -> bool:
    return HEALTH in bands and journey.version <= bands[HEALTH].journey_version
