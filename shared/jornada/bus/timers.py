"""What becomes true by silence: due instants in a narrow table, fired in order once the log before them is folded."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from jornada.bus.carrier import BusUnavailable
from jornada.bus.publisher import Publisher, Subject
from jornada.clock import Clock
from jornada.db import Conflict, Connection, Database, Unavailable
from jornada.events import SubjectId, WorkspaceId
from jornada.observe import logs, metrics

_log = logs.get(__name__)


class Timer(NamedTuple):
    """One due instant of one subject; `name` tells a subject's timers apart."""

    workspace: WorkspaceId
    subject: SubjectId
    name: str
    due_at: datetime


async def put(connection: Connection, timers: Collection[Timer]) -> None:
    """Sets timers; one that stands already moves to its new instant."""
    ordered = sorted(timers)
    await connection.execute(
        """insert into timers (workspace, subject, name, due_at)
           select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[])
           on conflict (workspace, subject, name) do update set due_at = excluded.due_at
           where timers.due_at <> excluded.due_at""",
        [timer.workspace for timer in ordered],
        [timer.subject for timer in ordered],
        [timer.name for timer in ordered],
        [timer.due_at for timer in ordered],
    )


async def drop(connection: Connection, timers: Collection[tuple[WorkspaceId, SubjectId, str]]) -> None:
    """Takes timers away; those that do not stand are no error."""
    ordered = sorted(timers)
    await connection.execute(
        """delete from timers using unnest($1::uuid[], $2::uuid[], $3::text[]) as gone (workspace, subject, name)
           where timers.workspace = gone.workspace and timers.subject = gone.subject and timers.name = gone.name""",
        [workspace for workspace, _, _ in ordered],
        [subject for _, subject, _ in ordered],
        [name for _, _, name in ordered],
    )


async def due(
    connection: Connection, workspace: WorkspaceId, subjects: Collection[SubjectId], name: str
) -> dict[SubjectId, datetime]:
    """When the timers of a name are due, of those subjects that have one."""
    rows = await connection.fetch(
        "select subject, due_at from timers where workspace = $1 and subject = any($2) and name = $3",
        workspace,
        list(subjects),
        name,
    )
    return {SubjectId(row["subject"]): row["due_at"] for row in rows}


_PARTS = 4
"""How many transactions' worth of timers one look finds."""

_FIRST = Timer(WorkspaceId(UUID(int=0)), SubjectId(UUID(int=0)), "", datetime.min.replace(tzinfo=UTC))


class Fire(Protocol):
    """What a service does when timers are due."""

    async def __call__(self, connection: Connection, due: Sequence[Timer]) -> Mapping[Subject, int]:
        """Acts, within the transaction, on timers that are locked and still due, earliest first, and puts or drops each
        of them (one left alone fires again). Returns the new version of every subject whose snapshot changed."""


class Hold(Protocol):
    """How a service keeps its subjects to itself while their timers fire."""

    async def __call__(self, connection: Connection, wanted: Collection[Subject]) -> Collection[Subject]:
        """Locks those that nobody else has locked, without waiting; returns them, and those without a row."""


class Ticker:
    """Fires one service's timers. They have no owner: any replica takes what is due and nobody else has locked.

    Subjects are locked before their timers, as by whoever folds. One that is being folded keeps its timer until the
    next look: nobody waits for anybody.
    """

    def __init__(
        self,
        *,
        database: Database,
        publisher: Publisher,
        clock: Clock,
        hold: Hold,
        fire: Fire,
        folded_until: Callable[[], Awaitable[datetime]],
        every_seconds: float = 0.5,
        most: int = 500,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._clock = clock
        self._hold = hold
        self._fire = fire
        self._folded_until = folded_until
        self._every = every_seconds
        self._most = most

    async def run(self) -> None:
        """Looks every half second, for ever."""
        while True:
            try:
                await self.tick()
            except (BusUnavailable, Unavailable, Conflict) as error:
                _log.warning("timers.waiting", service=self._database.service, error=str(error))
            await asyncio.sleep(self._every)

    async def tick(self) -> int:
        """Fires what is due and before which the log is folded, a part at a time, the earliest first.

        Goes once through all of it, past what others hold. Returns how many fired. Raises BusUnavailable, Unavailable,
        Conflict.
        """
        due = await self._due(self._clock.now(), _FIRST)
        if not due:
            return 0
        folded_until = await self._folded_until()
        fired = 0
        while ready := [timer for timer in due if timer.due_at <= folded_until]:
            for start in range(0, len(ready), self._most):
                fired += await self._fired(ready[start : start + self._most])
            if len(ready) < self._most * _PARTS:
                break
            due = await self._due(folded_until, ready[-1])
        return fired

    async def _due(self, until: datetime, after: Timer) -> list[Timer]:
        async with self._database.transaction(role=f"jornada_{self._database.service}_clock") as connection:
            rows = await connection.fetch(
                """select workspace, subject, name, due_at from timers
                   where due_at <= $1 and (due_at, workspace, subject, name) > ($5, $2, $3, $4)
                   order by due_at, workspace, subject, name limit $6""",
                until,
                *after,
                self._most * _PARTS,
            )
        return [Timer(*row) for row in rows]

    async def _fired(self, ready: Sequence[Timer]) -> int:
        outbox = self._publisher.held
        whom = [Subject(timer.workspace, timer.subject) for timer in ready]
        async with self._database.transaction({timer.workspace for timer in ready}) as connection:
            subjects = await self._hold(connection, set(whom))
            held = await _standing(
                connection, [timer for timer, each in zip(ready, whom, strict=True) if each in subjects]
            )
            if not held:
                return 0
            changed = await self._fire(connection, held)
            if changed:
                await self._publisher.mark(connection, changed)
        metrics.TIMERS_FIRED.labels(self._database.service).inc(len(changed))
        await self._publisher.publish(list(changed))
        if self._publisher.held != outbox:
            await self._publisher.drain({timer.workspace for timer in held})
        return len(held)


async def _standing(connection: Connection, timers: Sequence[Timer]) -> list[Timer]:
    """Those that stand as they were seen, locked, in their order. Told by their places: they need not be read again.

    Each is looked up by its key: a join reads a small table whole, and may go by instants, at which thousands are due.
    """
    rows = await connection.fetch(
        """select place from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[]) with ordinality
             as seen (workspace, subject, name, due_at, place),
           lateral (select from timers where timers.workspace = seen.workspace and timers.subject = seen.subject
             and timers.name = seen.name and timers.due_at is not distinct from seen.due_at
             for update skip locked) as standing
           order by place""",
        *([timer[column] for timer in timers] for column in range(4)),
    )
    return [timers[row[0] - 1] for row in rows]
