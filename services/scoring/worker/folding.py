"""Journeys in, scores and crossings out, and timers for what silence changes."""

from collections.abc import Collection, Mapping, Sequence

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
    decode,
    encode,
    topic_key,
)
from services.scoring.domain.judging import TIMED, Judged, dues
from services.scoring.domain.pending import Pending
from services.scoring.store import facts, overrides, people, subjects
from services.scoring.store import pending as store
from services.scoring.store.facts import RESCORE
from services.scoring.store.people import PEOPLE, Place
from services.scoring.store.rows import ended, history_of, row_of
from services.scoring.worker import accounts, firing, taking
from services.scoring.worker.scoring import Configurations, lives, scored_by, subject_of, versions

SERVICE = "scoring"


class Folding:
    """Folds journeys into scores, and fires the timers that silence makes due. All within the caller's transaction."""

    def __init__(self, publisher: Publisher, clock: Clock) -> None:
        self._publisher = publisher
        self._clock = clock

    async def fold(self, connection: Connection, records: Sequence[Received]) -> Collection[Subject]:
        """Scores the newest journey of each subject named; older and known versions change nothing. Raises Outdated."""
        return await self._fold(connection, taking.in_order([decode(each.value, JourneyEvent) for each in records]))

    async def erase(self, connection: Connection, records: Sequence[Received]) -> Collection[Subject]:
        """Ends whom an erasure names, and confirms; has the topic forget them when all services have confirmed."""
        told: set[Subject] = set()
        for record in records:
            event: ErasureEvent = decode(record.value, ErasureEvent)
            if isinstance(event, ErasureAsked):
                told |= set(await self._fold(connection, taking.in_order(ends(event))))
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
        new = {subject: taking.newer(events, known.get(subject)) for subject, events in told.items()}
        left = {subject: taking.one_by_one(events, self._clock.now()) for subject, events in new.items() if events}
        while left:
            await self._take(connection, [events[0] for events in left.values()])
            left = {subject: events[1:] for subject, events in left.items() if len(events) > 1}
        return list(told)

    async def _take(self, connection: Connection, events: Sequence[JourneyEvent]) -> None:
        told, gone = [each for each in events if lives(each)], [each for each in events if not lives(each)]
        now = self._clock.now()
        named = {subject_of(each): now for each in told if accounts.is_account(each)}
        steps = await people.add_up(connection, named)
        snapshots = [accounts.with_people(each, steps) for each in told]
        configurations = await facts.configurations(connection, taking.received_of(snapshots), now)
        recorded = await facts.recorded(connection, [subject_of(each) for each in snapshots])
        held = await taking.held(connection, snapshots, recorded, now)
        waiting = {subject for subject, found in held.items() if found}
        known = taking.Known(configurations, recorded, steps, waiting)
        judged = await taking.judged(connection, snapshots, known, now)
        await store.keep(connection, held | {subject_of(each): [] for each in gone})
        await self._keep(connection, judged, gone, configurations)

    async def fire(self, connection: Connection, due: Sequence[Timer]) -> Mapping[Subject, int]:
        """Scores each subject at the very instant its timer was due; one of a subject's at a time. Raises Outdated."""
        configurations = await facts.in_force(connection, {timer.workspace for timer in due})
        first = firing.first_of(due, configurations)
        if not first:
            return {}
        known = await subjects.locked(connection, first, journeys=True)
        first = {
            each: timer for each, timer in first.items() if not firing.waits(timer, known.get(each), configurations)
        }
        concerned = {each: timer.due_at for each, timer in first.items() if accounts.concerns(timer, known.get(each))}
        # What time made of an account's people before then comes first; until it did, the account's timer stands.
        for each in await people.waiting(connection, concerned):
            del first[each], concerned[each]
        steps = await people.add_up(connection, await people.first(connection, concerned))
        recorded = await facts.recorded(connection, first)
        now = self._clock.now()
        said = await overrides.of(connection, first)
        held: dict[Subject, Sequence[Pending]] = {**await store.of(connection, versions(known, recorded))}
        again = [subject for subject, timer in first.items() if timer.name == RESCORE]
        overdue = await store.overdue(connection, again, now) if again else {}
        judged, gone = [], []
        for subject, timer in first.items():
            row, bands = known.get(subject), recorded.get(subject, {})
            kept = row is not None and row.journey is not None and not firing.behind(row.journey_version, bands)
            if not kept or timer.name not in TIMED:
                gone.append(timer)
            if row is None or not kept:
                continue
            configuration = configurations[subject.workspace]
            scored = scored_by(configuration, said.get(subject))
            found = firing.standing(row, bands, held.get(subject, ()), timer, scored)
            step, since = steps.get(subject), overdue.get(subject)
            told, left = firing.fired(found, timer, step, since, now, configuration)
            held |= {subject: left} if subject in held else {}
            judged += [] if told is None else [told]
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
        numbered = list(zip(published, drawn, strict=False))
        rows = [row_of(each, version, configurations[each.subject[0]]) for each, version in numbered]
        rows += [ended(event, version) for event, version in zip(gone, drawn[len(published) :], strict=True)]
        no_news = [each.journey.subject_id for each in published if accounts.is_no_news(each)]
        await subjects.save(connection, rows, no_news)
        await subjects.keep_history(connection, [history_of(each, version) for each, version in numbered])
        names = {Subject(*each.subject): each.journey.identifiers for each in published}
        await subjects.name(connection, names | {subject_of(event): [] for event in gone})
        await subjects.forget(connection, [subject_of(event) for event in gone if isinstance(event, Erased)])
        settled = [each for each in judged if not each.repeated and not each.withheld]
        await facts.record(connection, {Subject(*each.subject): each.recorded for each in settled})
        told = await facts.keep(connection, [kept for each in judged for kept in each.kept])
        await self._tell(connection, told)
        places = {Subject(*each.subject): accounts.place(each) for each in judged if accounts.counts(each)}
        nowhere = Place(None, None, accounts.next_second(self._clock.now()), told=False)
        await people.place(connection, places | {subject_of(event): nowhere for event in gone})
        await self._wind(connection, judged, gone)
        return {Subject(row.workspace, row.id): row.version for row in rows}

    async def _tell(self, connection: Connection, crossings: Sequence[Crossing]) -> None:
        for workspace in sorted({each.workspace for each in crossings}):
            mine = [each for each in crossings if each.workspace == workspace]
            await self._publisher.hold(connection, workspace, [(each.id, _record(each)) for each in mine])

    async def _wind(self, connection: Connection, judged: Sequence[Judged], gone: Sequence[JourneyEvent]) -> None:
        wound = {Timer(*each.subject, name, at): each for each in judged for name, at in dues(each)}
        back = [each for each in judged if each.withheld and not each.scores.frozen]
        wound |= {Timer(*each.subject, RESCORE, each.scores.as_of): each for each in back}
        await timers.put(connection, [timer for timer, each in wound.items() if not each.repeated])
        await facts.put_missing(connection, [timer for timer, each in wound.items() if each.repeated])
        kept = {(timer.workspace, timer.subject, timer.name) for timer in wound}
        idle = {(*each.subject, name) for each in judged for name in TIMED if not each.repeated} - kept
        over = {(*subject_of(event), name) for event in gone for name in (*TIMED, RESCORE, PEOPLE)}
        scored = {(*each.subject, RESCORE) for each in judged if each.until is None}
        await timers.drop(connection, sorted((idle | over | scored) - kept))


def _record(crossing: Crossing) -> Record:
    return Record(CROSSINGS.name, topic_key(crossing.workspace, crossing.subject_id), encode(crossing))
