"""Replays: a workspace told again from its stored touchpoints, piece by piece, beside what goes on being folded."""

import asyncio
from datetime import datetime
from uuid import UUID

from jornada import crashpoints
from jornada.bus.carrier import BusUnavailable
from jornada.bus.publisher import Publisher
from jornada.clock import Clock
from jornada.db import Conflict, Connection, Database, TimedOut, Unavailable
from jornada.events import WorkspaceId
from jornada.observe import logs
from services.journey.domain.identity import Named
from services.journey.domain.segments import InForce
from services.journey.store import identifiers, in_force, replays
from services.journey.store.replays import STEPS, Failure, Replay, Step
from services.journey.worker import comparing, grounding, restating
from services.journey.worker.pieces import NOTHING, Piece, Versions

FOLDED, COMMITTED, PUBLISHED = "replay.folded", "replay.committed", "replay.published"
CRASHPOINTS = (FOLDED, COMMITTED, PUBLISHED)

_log = logs.get(__name__)

MOST_FAILED = 100

_FIRST = UUID(int=0)


class Replayer:
    """Goes on with every replay that runs, a piece at a time.

    Keeps between calls only how much of each it does at a time: less after a piece that took too long.
    """

    def __init__(self, database: Database, publisher: Publisher, clock: Clock) -> None:
        self._database = database
        self._publisher = publisher
        self._clock = clock
        self._most: dict[UUID, int] = {}

    async def run(self) -> None:
        """Goes on while any runs; else looks once a second, for ever."""
        while True:
            done = 0
            try:
                done = await self.work()
            except (BusUnavailable, Unavailable, Conflict) as error:
                _log.warning("replays.waiting", error=str(error))
            await asyncio.sleep(0 if done else 1)

    async def work(self) -> int:
        """Does a piece of each; returns of how many. Raises BusUnavailable, Unavailable, Conflict."""
        async with self._database.transaction(role=f"jornada_{self._database.service}_clock") as connection:
            running = await replays.running(connection)
        done = 0
        for workspace, id_ in running:
            try:
                done += await self._go_on(workspace, id_)
            except (BusUnavailable, Unavailable, Conflict):
                raise
            except Exception as error:
                await self._fail(workspace, id_, error)
        ids = {id_ for _, id_ in running}
        self._most = {id_: most for id_, most in self._most.items() if id_ in ids}
        return done

    async def _go_on(self, workspace: WorkspaceId, id_: UUID) -> bool:
        """Does a piece, and notes how far it is, in one transaction: whoever comes next goes on from there.

        One that takes too long is done in halves; what alone does is passed by and named. Where not even that can be
        done in time the replay fails.
        """
        most = _WHOLE
        try:
            async with self._database.transaction([workspace]) as connection:
                replay = await replays.claimed(connection, workspace, id_)
                if replay is None:
                    return False
                most = min(self._most.get(id_, _WHOLE), _most(replay.step))
                changed = await self._piece(connection, workspace, replay, most)
                crashpoints.reached(FOLDED)
            crashpoints.reached(COMMITTED)
        except TimedOut as error:
            if most == 0:
                await self._fail(workspace, id_, error)
            else:
                _log.warning("replay.slow", most=most, error=str(error))
                self._most[id_] = most // 2
            return True
        self._most[id_] = max(2 * most, 1)
        await self._publisher.publish(list(changed))
        crashpoints.reached(PUBLISHED)
        return True

    async def _piece(self, connection: Connection, workspace: WorkspaceId, replay: Replay, most: int) -> Versions:
        """Does a piece of so many parts; of none: passes by the next one."""
        force, now = await in_force.held(connection, workspace), self._clock.now()
        piece = await _read(connection, workspace, force, replay, max(most, 1), now)
        counts, changed, within = await piece.act() if piece.first and most else NOTHING
        if changed:
            await self._publisher.mark(connection, changed)
        failed = [Failure(replay.step, piece.first)] if piece.first and not most else []
        place = within or piece.next
        step = replay.step if place is not None else _next(replay.step)
        at = replay._replace(
            step=step or replay.step, place=place, counts=replay.counts + counts, failed=replay.failed + failed
        )
        await replays.note(connection, workspace, at)
        if len(at.failed) >= MOST_FAILED:
            await replays.end(connection, workspace, replay.id, "failed", now, TimedOut.__name__)
        elif step is None:
            await replays.end(connection, workspace, replay.id, "done", now)
        return changed

    async def _fail(self, workspace: WorkspaceId, id_: UUID, error: Exception) -> None:
        name = type(error).__name__
        _log.error("replay.failed", error=name, exc_info=error)
        async with self._database.transaction([workspace]) as connection:
            await replays.end(connection, workspace, id_, "failed", self._clock.now(), name)


def _next(step: Step) -> Step | None:
    number = STEPS.index(step) + 1
    return STEPS[number] if number < len(STEPS) else None


def _most(step: Step) -> int:
    """How many parts a whole piece of a step has."""
    match step:
        case "touchpoints" | "devices":
            return restating.MOST
        case "facts":
            return grounding.MOST
        case "customers" | "accounts":
            return comparing.MOST


_WHOLE = max(map(_most, STEPS))


async def _read(
    connection: Connection, workspace: WorkspaceId, force: InForce, replay: Replay, most: int, now: datetime
) -> Piece:
    """The next piece, of up to so many parts."""
    match replay.step:
        case "touchpoints":
            return await restating.by_owner(connection, workspace, force, replay.place, most)
        case "devices":
            return await restating.by_device(connection, workspace, force, replay.place, most)
        case "facts":
            return await grounding.ground(connection, workspace, replay.place, most)
        case "customers":
            return await _customers(connection, workspace, force, replay, most, now)
        case "accounts":
            return await _accounts(connection, workspace, force, replay, most, now)


async def _customers(
    connection: Connection, workspace: WorkspaceId, force: InForce, replay: Replay, most: int, now: datetime
) -> Piece:
    """Who came after the replay began is told by what tells them now, and passed by: it would never end."""
    after = UUID(replay.place[0]) if replay.place else _FIRST
    named = await identifiers.people_after(connection, workspace, after, replay.id, most)
    ids = [str(id_) for id_ in sorted(named)]
    return Piece(
        ids[:1],
        ids[-1:] if len(ids) == most else None,
        lambda: comparing.compare_people(connection, workspace, force, named, now),
    )


async def _accounts(
    connection: Connection, workspace: WorkspaceId, force: InForce, replay: Replay, most: int, now: datetime
) -> Piece:
    """Some accounts, by name, or a part of one of many people: the place then tells also how far it is within."""
    name, *within = replay.place or [""]
    if within:
        known = list((await identifiers.read(connection, workspace, [Named("account", name)])).values())
    else:
        known = list((await identifiers.accounts_after(connection, workspace, name, replay.id, most)).values())
    inside = within[0] if within else None
    last = [stored.node.named.value for stored in known[-1:]]
    return Piece(
        [str(stored.node.id) for stored in known[:1]],
        [name] if within else last if len(known) == most else None,
        lambda: comparing.compare_accounts(connection, workspace, force, known, inside, now),
    )
