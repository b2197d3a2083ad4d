"""The stream side of scoring: journeys in, scores and crossings out, and timers for what silence changes."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeGuard

from jornada.bus import timers
from jornada.bus.carrier import Received, Record
from jornada.bus.erasures import confirmation, ends
from jornada.bus.publisher import Publisher, Subject
from jornada.bus.timers import Timer
from jornada.clock import Clock
from jornada.db import Connection
from jornada.events import (
    CROSSINGS,
    Crossing,
    Erased,
    ErasureAsked,
    ErasureDone,
    ErasureEvent,
    JourneyEvent,
    JourneySnapshot,
    WorkspaceId,
    decode,
    encode,
    topic_key,
)
from services.scoring.domain.announcing import Recorded, cause_of
from services.scoring.domain.course import received
from services.scoring.domain.judging import HEALTH, TIMED, Judged, Scored, dues, judge, moves, repeated, taken
from services.scoring.domain.overriding import Override
from services.scoring.domain.pending import MOST, Pending, onward, pending, steps
from services.scoring.domain.scores import Configuration, Scores, as_of, score
from services.scoring.store import facts, overrides, subjects
from services.scoring.store import pending as store
from services.scoring.store.facts import RESCORE
from services.scoring.store.rows import ended, history_of, row_of
from services.scoring.store.subjects import Known

SERVICE = "scoring"

BEHIND = timedelta(seconds=2)
"""How long ago the first live touchpoint among a subject's journeys in a batch may have come that they are one."""

Configurations = Mapping[WorkspaceId, Configuration]
Bands = Mapping[str, Recorded]


class Folding:
    """Folds journeys into scores, and fires the timers that silence makes due. All within the caller's transaction."""

    def __init__(self, publisher: Publisher, clock: Clock) -> None:
        self._publisher = publisher
        self._clock = clock

    async def fold(self, connection: Connection, records: Sequence[Received]) -> Collection[Subject]:
        """Scores the newest journey of each subject named; older and known versions change nothing. Raises Outdated."""
        return await self._fold(connection, _in_order([decode(each.value, JourneyEvent) for each in records]))

    async def erase(self, connection: Connection, records: Sequence[Received]) -> Collection[Subject]:
        """Ends whom an erasure names, and confirms; has the topic forget them when all services have confirmed."""
        told: set[Subject] = set()
        for record in records:
            event: ErasureEvent = decode(record.value, ErasureEvent)
            if isinstance(event, ErasureAsked):
                told |= set(await self._fold(connection, _in_order(ends(event))))
                confirmed = confirmation(event, SERVICE, self._clock.now())
                await self._publisher.hold(connection, event.workspace, [confirmed])
            elif isinstance(event, ErasureDone):
                await subjects.end(connection, event.workspace, event.subjects)
                told |= {Subject(event.workspace, id_) for id_ in event.subjects}
        return told

    async def _fold(
        self, connection: Connection, told: Mapping[Subject, Sequence[JourneyEvent]]
    ) -> Collection[Subject]:
        known = await subjects.locked(connection, told, journeys=False)
        new = {subject: _newer(events, known.get(subject)) for subject, events in told.items()}
        left = {subject: _steps(events, self._clock.now()) for subject, events in new.items() if events}
        while left:
            await self._take(connection, [events[0] for events in left.values()])
            left = {subject: events[1:] for subject, events in left.items() if len(events) > 1}
        return list(told)

    async def _take(self, connection: Connection, events: Sequence[JourneyEvent]) -> None:
        snapshots, gone = [each for each in events if _lives(each)], [each for each in events if not _lives(each)]
        now = self._clock.now()
        configurations = await facts.configurations(connection, _received(snapshots), now)
        recorded = await facts.recorded(connection, [_subject(each) for each in snapshots])
        held = await _held(connection, snapshots, recorded, now)
        waiting = {subject for subject, found in held.items() if found}
        judged = await _judged(connection, snapshots, configurations, recorded, waiting, now)
        await store.keep(connection, held | {_subject(each): [] for each in gone})
        await self._keep(connection, judged, gone, configurations)

    async def fire(self, connection: Connection, due: Sequence[Timer]) -> Mapping[Subject, int]:
        """Scores each subject at the very instant its timer was due; one of a subject's at a time. Raises Outdated."""
        firing: dict[Subject, Timer] = {}
        for timer in sorted(due, key=lambda each: (each.due_at, each.name)):
            firing.setdefault(Subject(timer.workspace, timer.subject), timer)
        known = await subjects.locked(connection, firing, journeys=True)
        recorded = await facts.recorded(connection, firing)
        now = self._clock.now()
        configurations = await facts.configurations(connection, {subject.workspace: () for subject in firing}, now)
        said = await overrides.of(connection, firing)
        held: dict[Subject, Sequence[Pending]] = {**await store.of(connection, _versions(known, recorded))}
        again = [subject for subject, timer in firing.items() if timer.name == RESCORE]
        overdue = await store.overdue(connection, again, now) if again else {}
        judged, gone = [], []
        for subject, timer in firing.items():
            row, bands = known.get(subject), recorded.get(subject, {})
            if row is None or row.journey is None or _behind(row.journey_version, bands):
                gone.append(timer)
                continue
            scored = _scored(configurations[subject.workspace], said.get(subject))
            # Who was scored later meanwhile goes no way back.
            last = max(timer.due_at, row.as_of or timer.due_at)
            standing = _Standing(decode(row.journey, JourneySnapshot), bands, held.get(subject, ()), last, scored)
            if timer.name in TIMED:
                turned, left = _turned(standing, timer.due_at, now)
                held |= {subject: left} if subject in held else {}
            else:
                turned = _again(standing, overdue.get(subject))
                gone.append(timer)
            judged.append(turned)
        await timers.drop(connection, [(timer.workspace, timer.subject, timer.name) for timer in gone])
        await store.keep(connection, held)
        return await self._keep(connection, judged, [], configurations)

    async def _keep(
        self,
        connection: Connection,
        judged: Sequence[Judged],
        gone: Sequence[JourneyEvent],
        configurations: Configurations,
    ) -> Mapping[Subject, int]:
        published = [each for each in judged if each.until is None]
        drawn = await subjects.versions_drawn(connection, len(published) + len(gone))
        versions = list(zip(published, drawn, strict=False))
        rows = [row_of(each, version, configurations[each.subject[0]]) for each, version in versions]
        rows += [ended(event, version) for event, version in zip(gone, drawn[len(published) :], strict=True)]
        await subjects.save(connection, rows)
        await subjects.keep_history(connection, [history_of(each, version) for each, version in versions])
        names = {Subject(*each.subject): each.journey.identifiers for each in published}
        await subjects.name(connection, names | {_subject(event): [] for event in gone})
        await subjects.forget(connection, [_subject(event) for event in gone if isinstance(event, Erased)])
        await facts.record(connection, {Subject(*each.subject): each.recorded for each in judged if not each.repeated})
        told = await facts.keep(connection, [kept for each in judged for kept in each.kept])
        await self._tell(connection, told)
        await self._wind(connection, judged, gone)
        return {Subject(row.workspace, row.id): row.version for row in rows}

    async def _tell(self, connection: Connection, crossings: Sequence[Crossing]) -> None:
        for workspace in sorted({each.workspace for each in crossings}):
            mine = [each for each in crossings if each.workspace == workspace]
            await self._publisher.hold(connection, workspace, [(each.id, _record(each)) for each in mine])

    async def _wind(self, connection: Connection, judged: Sequence[Judged], gone: Sequence[JourneyEvent]) -> None:
        wound = {_timer(each, name, at): each for each in judged for name, at in dues(each)}
        await timers.put(connection, [timer for timer, each in wound.items() if not each.repeated])
        await facts.put_missing(connection, [timer for timer, each in wound.items() if each.repeated])
        kept = {(timer.workspace, timer.subject, timer.name) for timer in wound}
        idle = {(*each.subject, name) for each in judged for name in TIMED if not each.repeated} - kept
        over = {(*_subject(event), name) for event in gone for name in (*TIMED, RESCORE)}
        scored = {(*each.subject, RESCORE) for each in judged if each.until is None}
        await timers.drop(connection, sorted(idle | over | scored))


def _lives(event: JourneyEvent) -> TypeGuard[JourneySnapshot]:
    """Whether there is anything to score; who has no touchpoints left may get them back."""
    return isinstance(event, JourneySnapshot) and event.touchpoints > 0


async def _held(
    connection: Connection, snapshots: Sequence[JourneySnapshot], recorded: Mapping[Subject, Bands], now: datetime
) -> dict[Subject, Sequence[Pending]]:
    """What is to be judged before these journeys, of those whose timer was due and has not fired."""
    new = {_subject(each): each for each in snapshots if not _judged_before(each, recorded.get(_subject(each), {}))}
    latest = max([now, *(each.as_of for each in new.values())])
    due = await store.overdue(connection, new, latest) if new else {}
    if not due:
        return {}
    known = await subjects.locked(connection, due, journeys=True)
    before = await store.of(connection, _versions(known, recorded))
    held: dict[Subject, Sequence[Pending]] = dict.fromkeys(due, ())
    for subject, row in known.items():
        if row.journey is not None and subject in recorded:
            stored: JourneySnapshot = decode(row.journey, JourneySnapshot)
            held[subject] = pending(due[subject], before.get(subject, ()), stored, new[subject])
    return held


async def _judged(
    connection: Connection,
    snapshots: Sequence[JourneySnapshot],
    configurations: Configurations,
    recorded: Mapping[Subject, Bands],
    waiting: Collection[Subject],
    now: datetime,
) -> list[Judged]:
    """Scores the journeys that hold now, and judges them, save where earlier ones are to be judged before."""
    said = await overrides.of(connection, [_subject(each) for each in snapshots])
    each_scored = [(each, _scored(configurations[each.workspace], said.get(_subject(each)))) for each in snapshots]
    told = [(journey, scored, scored(journey, now)) for journey, scored in each_scored]
    moved = [_subject(each) for each, _, scores in told if moves(scores, recorded.get(_subject(each), {}))]
    before = await subjects.journeys(connection, moved) if moved else {}
    judged = []
    for journey, scored, scores in told:
        subject = _subject(journey)
        bands, earlier = recorded.get(subject, {}), before.get(subject)
        if _judged_before(journey, bands) or subject in waiting:
            judged.append(repeated(journey, scores, bands, waits=subject in waiting))
            continue
        silent = earlier is not None and _band(earlier, scored, scores.as_of) == scores.health.band
        cause = cause_of(bands.get(HEALTH, Recorded("unknown", now)), journey.live_at, silent=silent)
        judged.append(taken(journey, scores, bands, cause, scored))
    return judged


class _Standing(NamedTuple):
    """A subject whose timer fires: what is stored and on record of it, what is pending, as of when it was published."""

    journey: JourneySnapshot
    bands: Bands
    held: Sequence[Pending]
    last: datetime
    scored: Scored


def _turned(standing: _Standing, due_at: datetime, now: datetime) -> tuple[Judged, Sequence[Pending]]:
    """What time alone has made of a subject by an instant; and what is still pending of it."""
    journey, bands, held, last, scored = standing
    first = held[0].journey if held else journey
    judged = judge(first, scored(first, due_at), bands, "silence", due=True)
    if held:
        return onward(judged, held, journey, max(now, last), scored)
    return (judged._replace(later=scored(journey, last)) if last > due_at else judged), []


def _again(standing: _Standing, overdue: datetime | None) -> Judged:
    """A subject scored again though nothing happened; judged too, unless a timer before then is still to fire."""
    journey, bands, held, last, scored = standing
    if held or (overdue is not None and overdue < last):
        return repeated(journey, scored(journey, last), bands, waits=True)
    return judge(journey, scored(journey, last), bands, "other")


def _scored(configuration: Configuration, override: Override | None) -> Scored:
    def scored(journey: JourneySnapshot, at: datetime) -> Scores:
        return score(as_of(journey, at), configuration, at, override)

    return scored


def _band(journey: bytes, scored: Scored, at: datetime) -> str:
    return scored(decode(journey, JourneySnapshot), at).health.band


def _judged_before(journey: JourneySnapshot, bands: Bands) -> bool:
    return HEALTH in bands and journey.version <= bands[HEALTH].journey_version


def _versions(known: Mapping[Subject, Known], recorded: Mapping[Subject, Bands]) -> dict[Subject, tuple[int, int]]:
    """Of subjects on record: the version of the journey that was judged last, and of the stored one."""
    return {
        subject: (recorded[subject][HEALTH].journey_version, row.journey_version)
        for subject, row in known.items()
        if HEALTH in recorded.get(subject, {})
    }


def _timer(judged: Judged, name: str, at: datetime) -> Timer:
    return Timer(*judged.subject, name, at)


def _behind(version: int, known: Mapping[str, Recorded]) -> bool:
    """Whether a newer journey than the stored one was judged before: a rebuild is under way, and sets timers anew."""
    return HEALTH in known and version < known[HEALTH].journey_version


def _in_order(events: Sequence[JourneyEvent]) -> dict[Subject, list[JourneyEvent]]:
    """Every version once, by subject."""
    found: dict[Subject, dict[int, JourneyEvent]] = {}
    for event in events:
        found.setdefault(_subject(event), {})[event.version] = event
    return {subject: [versions[each] for each in sorted(versions)] for subject, versions in found.items()}


def _newer(events: Sequence[JourneyEvent], known: Known | None) -> list[JourneyEvent]:
    return [event for event in events if known is None or event.version > known.journey_version]


def _steps(events: Sequence[JourneyEvent], now: datetime) -> Sequence[JourneyEvent]:
    """A subject's journeys as they are to be folded: one by one where what lives in them came a while ago, else as one.

    Of who is no more by the last of them, that alone.
    """
    snapshots = [event for event in events if _lives(event)]
    if len(snapshots) < len(events):
        return events[-1:]
    first, last = snapshots[0].live_at, snapshots[-1].live_at
    late = first is not None and first != last and now - first >= BEHIND
    return steps(snapshots, MOST if late else 1)


def _received(snapshots: Sequence[JourneySnapshot]) -> dict[WorkspaceId, set[str]]:
    found: dict[WorkspaceId, set[str]] = {}
    for each in snapshots:
        found.setdefault(each.workspace, set()).update(received(each.measures))
    return found


def _subject(event: JourneyEvent) -> Subject:
    return Subject(event.workspace, event.subject_id)


def _record(crossing: Crossing) -> Record:
    return Record(CROSSINGS.name, topic_key(crossing.workspace, crossing.subject_id), encode(crossing))
