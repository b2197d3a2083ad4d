"""Replays: a workspace told again from its stored touchpoints, piece by piece, beside what goes on being folded."""

import asyncio
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from jornada import crashpoints
from jornada.bus.carrier import BusUnavailable
from jornada.bus.publisher import Publisher
from jornada.clock import Clock
from jornada.db import Conflict, Connection, Database, Unavailable
from jornada.events import WorkspaceId
from jornada.observe import logs
from services.journey.domain.identity import Named
from services.journey.domain.segments import InForce
from services.journey.store import identifiers, in_force, replays
from services.journey.store.replays import STEPS, Counts, Replay, Step
from services.journey.worker import comparing, grounding, restating
from services.journey.worker.comparing import Compared, Versions

FOLDED, COMMITTED, PUBLISHED = "replay.folded", "replay.committed", "replay.published"
CRASHPOINTS = (FOLDED, COMMITTED, PUBLISHED)

_log = logs.get(__name__)

_FIRST = UUID(int=0)


class _Piece(NamedTuple):
    """A piece that is done: where the next begins, None at the end of the step; what came of it."""

    place: list[str] | None
    counts: Counts
    changed: Versions


class Replayer:
    """Goes on with every replay that runs, a piece at a time. Keeps nothing between calls."""

    def __init__(self, database: Database, publisher: Publisher, clock: Clock) -> None:
        self._database = database
        self._publisher = publisher
        self._clock = clock

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
                _log.error("replay.failed", error=type(error).__name__, exc_info=True)
                await self._fail(workspace, id_, type(error).__name__)
        return done

    async def _go_on(self, workspace: WorkspaceId, id_: UUID) -> bool:
        """Does a piece, and notes how far it is, in one transaction: whoever comes next goes on from there."""
        async with self._database.transaction([workspace]) as connection:
            replay = await replays.claimed(connection, workspace, id_)
            if replay is None:
                return False
            force = await in_force.held(connection, workspace)
            piece = await _piece(connection, workspace, force, replay, self._clock.now())
            if piece.changed:
                await self._publisher.mark(connection, piece.changed)
            step = replay.step if piece.place is not None else _next(replay.step)
            counts = replay.counts + piece.counts
            await replays.note(connection, workspace, id_, step or replay.step, piece.place, counts)
            if step is None:
                await replays.end(connection, workspace, id_, "done", self._clock.now())
            crashpoints.reached(FOLDED)
        crashpoints.reached(COMMITTED)
        await self._publisher.publish(list(piece.changed))
        crashpoints.reached(PUBLISHED)
        return True

    async def _fail(self, workspace: WorkspaceId, id_: UUID, error: str) -> None:
        async with self._database.transaction([workspace]) as connection:
            await replays.end(connection, workspace, id_, "failed", self._clock.now(), error)


def _next(step: Step) -> Step | None:
    number = STEPS.index(step) + 1
    return STEPS[number] if number < len(STEPS) else None


async def _piece(
    connection: Connection, workspace: WorkspaceId, force: InForce, replay: Replay, now: datetime
) -> _Piece:
    match replay.step:
        case "touchpoints":
            return _Piece(*await restating.by_owner(connection, workspace, force, replay.place), {})
        case "devices":
            return _Piece(*await restating.by_device(connection, workspace, force, replay.place), {})
        case "facts":
            return _Piece(*await grounding.ground(connection, workspace, replay.place), {})
        case "customers":
            return await _customers(connection, workspace, force, replay, now)
        case "accounts":
            return await _accounts(connection, workspace, force, replay, now)


async def _customers(
    connection: Connection, workspace: WorkspaceId, force: InForce, replay: Replay, now: datetime
) -> _Piece:
    """Who came after the replay began is told by what tells them now, and passed by: it would never end."""
    after = UUID(replay.place[0]) if replay.place else _FIRST
    named = await identifiers.people_after(connection, workspace, after, replay.id, comparing.MOST)
    if not named:
        return _Piece(None, Counts(), {})
    done = await comparing.compare_people(connection, workspace, force, named, now)
    return _Piece([str(max(named))] if len(named) == comparing.MOST else None, *done)


async def _accounts(
    connection: Connection, workspace: WorkspaceId, force: InForce, replay: Replay, now: datetime
) -> _Piece:
    """Some accounts, by name, or a part of one of many people: the place then tells also how far it is within."""
    name, *within = replay.place or [""]
    inside = within[0] if within else None
    if inside is None:
        found = list(
            (await identifiers.accounts_after(connection, workspace, name, replay.id, comparing.MOST)).values()
        )
    else:
        found = list((await identifiers.read(connection, workspace, [Named("account", name)])).values())
    done = Compared(Counts(), {})
    for stored in found:
        compared, inside = await comparing.compare_account(connection, workspace, force, stored, inside, now)
        done = Compared(done.counts + compared.counts, done.changed | compared.changed)
        name = stored.node.named.value
        if inside is not None:
            return _Piece([name, inside], *done)
        await asyncio.sleep(0)
    return _Piece([name] if within or len(found) == comparing.MOST else None, *done)
