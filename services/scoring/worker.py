"""The stream side of scoring: journeys in, scores and crossings out, and timers for what silence changes."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeGuard

import msgspec

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
from jornada.instants import instant, micros
from services.scoring.domain.announcing import Cause, Recorded, cause_of
from services.scoring.domain.champions import member
from services.scoring.domain.course import received
from services.scoring.domain.freezing import thawed_at
from services.scoring.domain.judging import HEALTH, TIMED, Judged, dues, judge, moves, repeated, withheld
from services.scoring.domain.people import Peopled, peopled
from services.scoring.domain.scores import Configuration, Scores, score
from services.scoring.store import facts, overrides, people, subjects
from services.scoring.store.facts import RESCORE
from services.scoring.store.people import PEOPLE, Place, Step
from services.scoring.store.rows import ended, history_of, row_of
from services.scoring.store.subjects import Known

_MICROSECOND = timedelta(microseconds=1)
SERVICE = "scoring"

Configurations = Mapping[WorkspaceId, Configuration]


class Folding:
    """Folds journeys into scores, and fires the timers that silence makes due. All within the caller's transaction."""

    def __init__(self, publisher: Publisher, clock: Clock) -> None:
        self._publisher = publisher
        self._clock = clock

    async def fold(self, connection: Connection, records: Sequence[Received]) -> Collection[Subject]:
        """Scores the newest journey of each subject named; older and known versions change nothing."""
        return await self._fold(connection, _newest([decode(each.value, JourneyEvent) for each in records]))

    async def erase(self, connection: Connection, records: Sequence[Received]) -> Collection[Subject]:
        """Ends whom an erasure names, and confirms; has the topic forget them when all services have confirmed."""
        told: set[Subject] = set()
        for record in records:
            event: ErasureEvent = decode(record.value, ErasureEvent)
            if isinstance(event, ErasureAsked):
                told |= set(await self._fold(connection, _newest(ends(event))))
                confirmed = confirmation(event, SERVICE, self._clock.now())
                await self._publisher.hold(connection, event.workspace, [confirmed])
            elif isinstance(event, ErasureDone):
                await subjects.end(connection, event.workspace, event.subjects)
                told |= {Subject(event.workspace, id_) for id_ in event.subjects}
        return told

    async def _fold(self, connection: Connection, newest: Mapping[Subject, JourneyEvent]) -> Collection[Subject]:
        known = await subjects.locked(connection, newest, journeys=False)
        new = [event for subject, event in newest.items() if event.version > _version(known.get(subject))]
        now = self._clock.now()
        told = [event for event in new if _lives(event)]
        steps = await people.add_up(connection, {_subject(each): now for each in told if _is_account(each)})
        snapshots = [_with_people(each, steps) for each in told]
        configurations = await facts.configurations(connection, _received(snapshots), now)
        judged = await _judged(connection, snapshots, configurations, now, steps)
        await self._keep(connection, judged, [event for event in new if not _lives(event)], configurations)
        return list(newest)

    async def fire(self, connection: Connection, due: Sequence[Timer]) -> Mapping[Subject, int]:
        """Scores each subject at the very instant its timer was due; one timer of a subject at a time."""
        configurations = await facts.in_force(connection, {timer.workspace for timer in due})
        firing: dict[Subject, Timer] = {}
        for timer in sorted(due, key=lambda each: (each.due_at, each.name)):
            if not configurations[timer.workspace].waits(timer.due_at):
                firing.setdefault(Subject(timer.workspace, timer.subject), timer)
        if not firing:
            return {}
        known = await subjects.locked(connection, firing, journeys=True)
        for each in [each for each, timer in firing.items() if _waits(timer, known.get(each), configurations)]:
            del firing[each]
        accounts = {each: timer.due_at for each, timer in firing.items() if _concerns_people(timer, known.get(each))}
        # What time made of an account's people before then comes first; until it did, the account's timer stands.
        for each in await people.waiting(connection, accounts):
            del firing[each], accounts[each]
        steps = await people.add_up(connection, await people.first(connection, accounts))
        recorded = await facts.recorded(connection, firing)
        said = await overrides.of(connection, firing)
        judged, gone = [], []
        for subject, timer in firing.items():
            row = known.get(subject)
            known_bands = recorded.get(subject, {})
            if row is None or row.journey is None or _behind(row.journey_version, known_bands):
                gone.append(timer)
                continue
            journey: JourneySnapshot = decode(row.journey, Peopled)
            silent = timer.name in TIMED
            if not silent:
                gone.append(timer)
            # Who was scored later meanwhile goes no way back.
            at = timer.due_at if silent or row.as_of is None else max(timer.due_at, row.as_of)
            told = silent
            step = steps.get(subject)
            if step is not None:
                at = step.at if row.as_of is None else max(step.at, row.as_of + _MICROSECOND)
                told = step.told
                journey = peopled(journey, msgspec.structs.replace(step.people, at=at))
            elif timer.name == PEOPLE:
                continue
            configuration = configurations[subject.workspace]
            scores = score(journey, configuration, at, said.get(subject))
            cause = "silence" if told else _cause(journey, scores, known_bands, configuration)
            judged.append(judge(journey, scores, known_bands, cause, due=silent))
        await timers.drop(connection, [(timer.workspace, timer.subject, timer.name) for timer in gone])
        return await self._keep(connection, judged, [], configurations)

    async def _keep(
        self,
        connection: Connection,
        judged: Sequence[Judged],
        gone: Sequence[JourneyEvent],
        configurations: Configurations,
    ) -> Mapping[Subject, int]:
        drawn = await subjects.versions_drawn(connection, len(judged) + len(gone))
        versions = list(zip(judged, drawn, strict=False))
        rows = [row_of(each, version, configurations[each.subject[0]]) for each, version in versions]
        rows += [ended(event, version) for event, version in zip(gone, drawn[len(judged) :], strict=True)]
        await subjects.save(connection, rows, [each.journey.subject_id for each in judged if _is_no_news(each)])
        await subjects.keep_history(connection, [history_of(each, version) for each, version in versions])
        names = {Subject(*each.subject): each.journey.identifiers for each in judged}
        await subjects.name(connection, names | {_subject(event): [] for event in gone})
        await subjects.forget(connection, [_subject(event) for event in gone if isinstance(event, Erased)])
        await facts.record(connection, {Subject(*each.subject): each.recorded for each in judged if _settled(each)})
        told = await facts.keep(connection, [kept for each in judged for kept in each.kept])
        await self._tell(connection, told)
        places = {Subject(*each.subject): _place(each) for each in judged if _counts(each)}
        now = _next_second(self._clock.now())
        await people.place(connection, places | {_subject(event): Place(None, None, now, told=False) for event in gone})
        await self._wind(connection, judged, gone)
        return {Subject(row.workspace, row.id): row.version for row in rows}

    async def _tell(self, connection: Connection, crossings: Sequence[Crossing]) -> None:
        for workspace in sorted({each.workspace for each in crossings}):
            mine = [each for each in crossings if each.workspace == workspace]
            await self._publisher.hold(connection, workspace, [(each.id, _record(each)) for each in mine])

    async def _wind(self, connection: Connection, judged: Sequence[Judged], gone: Sequence[JourneyEvent]) -> None:
        wound = {_timer(each, name, at): each for each in judged for name, at in dues(each)}
        wound |= {
            _timer(each, RESCORE, each.scores.as_of): each for each in judged if each.withheld and not _frozen(each)
        }
        await timers.put(connection, [timer for timer, each in wound.items() if not each.repeated])
        await facts.put_missing(connection, [timer for timer, each in wound.items() if each.repeated])
        kept = {(timer.workspace, timer.subject, timer.name) for timer in wound}
        idle = {(*each.subject, name) for each in judged for name in TIMED if not each.repeated} - kept
        over = {(*_subject(event), name) for event in gone for name in (*TIMED, RESCORE, PEOPLE)}
        scored = {(*each.subject, RESCORE) for each in judged}
        await timers.drop(connection, sorted((idle | over | scored) - kept))


def _lives(event: JourneyEvent) -> TypeGuard[JourneySnapshot]:
    """Whether there is anything to score; who has no touchpoints left may get them back."""
    return isinstance(event, JourneySnapshot) and event.touchpoints > 0


def _is_account(journey: JourneySnapshot) -> bool:
    return journey.subject_type == "account"


def _waits(timer: Timer, known: Known | None, configurations: Configurations) -> bool:
    """Whether it is too early to score whom it belongs to at the timer's instant, or when they were scored last."""
    as_of = None if known is None or (timer.name in TIMED and known.type == "customer") else known.as_of
    return configurations[timer.workspace].waits(timer.due_at if as_of is None else max(timer.due_at, as_of))


def _concerns_people(timer: Timer, known: Known | None) -> bool:
    return timer.name == PEOPLE or (known is not None and known.type == "account")


def _with_people(journey: JourneySnapshot, steps: Mapping[Subject, Step]) -> JourneySnapshot:
    step = steps.get(_subject(journey))
    return journey if step is None else peopled(journey, step.people)


def _is_no_news(judged: Judged) -> bool:
    """Whether what an account is scored by is history, its own and its people's."""
    return _is_account(judged.journey) and judged.cause == "other"


def _counts(judged: Judged) -> bool:
    """Whether it tells what a person counts for in their account; what is not judged tells nothing."""
    if judged.journey.subject_type != "customer" or judged.withheld or judged.scores.frozen:
        return False
    return not _behind(judged.journey.version, judged.recorded)


def _place(judged: Judged) -> Place:
    account, at = judged.journey.account_id, judged.scores.as_of
    counted = None if account is None else member(judged.journey, judged.scores)
    return Place(account, counted, at if judged.due else _next_second(at), told=judged.due or judged.cause == "live")


def _next_second(at: datetime) -> datetime:
    """The whole second, so that an account is scored once for all that happens to its people within one."""
    return at + timedelta(microseconds=-at.microsecond % 1_000_000)


async def _judged(
    connection: Connection,
    snapshots: Sequence[JourneySnapshot],
    configurations: Configurations,
    now: datetime,
    steps: Mapping[Subject, Step],
) -> list[Judged]:
    named = [_subject(each) for each in snapshots]
    recorded = await facts.recorded(connection, named)
    said = await overrides.of(connection, named)
    scored = [(each, score(each, configurations[each.workspace], now, said.get(_subject(each)))) for each in snapshots]
    known = {subject: recorded.get(subject, {}) for subject in named}
    moved = [_subject(each) for each, scores in scored if moves(scores, known[_subject(each)])]
    before = await subjects.journeys(connection, moved) if moved else {}
    judged = []
    for journey, scores in scored:
        subject = _subject(journey)
        bands, earlier = known[subject], before.get(subject)
        if HEALTH in bands and journey.version <= bands[HEALTH].journey_version:
            judged.append(repeated(journey, scores, bands))
            continue
        configuration = configurations[subject.workspace]
        if configuration.withholds(scores.as_of):
            judged.append(withheld(journey, scores, bands))
            continue
        silent = earlier is not None and _band(earlier, configuration, scores.as_of) == scores.health.band
        told = subject in steps and steps[subject].told
        cause = cause_of(bands.get(HEALTH, Recorded("unknown", now)), journey.live_at, silent=silent or told)
        judged.append(judge(journey, scores, bands, cause))
    return judged


def _band(journey: bytes, configuration: Configuration, at: datetime) -> str:
    return score(decode(journey, Peopled), configuration, at).health.band


def _cause(
    journey: JourneySnapshot, scores: Scores, bands: Mapping[str, Recorded], configuration: Configuration
) -> Cause:
    """Of somebody scored again: what nobody judged since, if anything, and else what is no news."""
    known = bands.get(HEALTH, Recorded("unknown", scores.as_of))
    thawed = thawed_at(configuration.freezes, micros(scores.as_of))
    if not moves(scores, bands) or thawed is None:
        return cause_of(known, journey.live_at, silent=False)
    return cause_of(
        known, journey.live_at, silent=score(journey, configuration, instant(thawed)).health.band == known.band
    )


def _settled(judged: Judged) -> bool:
    return not judged.repeated and not judged.withheld


def _frozen(judged: Judged) -> bool:
    return judged.scores.frozen


def _timer(judged: Judged, name: str, at: datetime) -> Timer:
    return Timer(*judged.subject, name, at)


def _behind(version: int, known: Mapping[str, Recorded]) -> bool:
    """Whether a newer journey than the stored one was judged before: a rebuild is under way, and sets timers anew."""
    return HEALTH in known and version < known[HEALTH].journey_version


def _version(known: Known | None) -> int:
    return -1 if known is None else known.journey_version


def _newest(events: Sequence[JourneyEvent]) -> dict[Subject, JourneyEvent]:
    newest: dict[Subject, JourneyEvent] = {}
    for event in events:
        subject = _subject(event)
        if subject not in newest or event.version > newest[subject].version:
            newest[subject] = event
    return newest


def _received(snapshots: Sequence[JourneySnapshot]) -> dict[WorkspaceId, set[str]]:
    found: dict[WorkspaceId, set[str]] = {}
    for each in snapshots:
        found.setdefault(each.workspace, set()).update(received(each.measures))
    return found


def _subject(event: JourneyEvent) -> Subject:
    return Subject(event.workspace, event.subject_id)


def _record(crossing: Crossing) -> Record:
    return Record(CROSSINGS.name, topic_key(crossing.workspace, crossing.subject_id), encode(crossing))
