"""Gets what a transaction stored onto the stream, however often the process dies on the way."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from jornada.bus.carrier import Bus, BusUnavailable, Record, Tombstone
from jornada.db import Connection, Database, Unavailable
from jornada.db.since import SINCE
from jornada.events import SubjectId, WorkspaceId
from jornada.observe import logs

_log = logs.get(__name__)

SWEEP_AFTER_SECONDS = 2.0
_DRAINED = 1_000
"""The most records of the outbox that are published together."""


class Subject(NamedTuple):
    """Whom a snapshot is about."""

    workspace: WorkspaceId
    id: SubjectId


class Stored(NamedTuple):
    """A subject's snapshot as it is stored, ready for the stream; a tombstone of whom the topic is to forget."""

    subject: Subject
    version: int
    record: Record | Tombstone


class Snapshots(Protocol):
    """Where a service keeps the snapshots that it publishes."""

    async def stored(self, connection: Connection, subjects: Sequence[Subject]) -> Sequence[Stored]:
        """The newest snapshot of each subject that has one."""

    async def versions(self, connection: Connection, subjects: Sequence[Subject]) -> Mapping[Subject, int]:
        """The newest version of each subject that has one."""


class Publisher:
    """Publishes snapshots by subject (the newest stored one, last on the topic whoever races) and outbox records by id.

    `Subject`s come from a worker, a timer or the API; what no record will repeat is marked in its own transaction
    with `mark`, so that the sweep finds it after a crash. Outbox records carry an id that their readers know again.
    """

    def __init__(self, database: Database, bus: Bus, snapshots: Snapshots | None = None) -> None:
        self._database = database
        self._bus = bus
        self._snapshots = snapshots
        self.held = 0
        """How many records this process has put into the outbox: as long as it stays the same, none needs draining."""

    async def mark(self, connection: Connection, versions: Mapping[Subject, int]) -> None:
        """Notes, within the transaction that changed them, subjects that no redelivered record would publish again."""
        await connection.execute(
            f"""insert into unpublished (workspace, subject, version, since)
                select *, coalesce({SINCE}, clock_timestamp())
                from unnest($1::uuid[], $2::uuid[], $3::bigint[]) order by 1, 2
                on conflict (workspace, subject) do update
                set version = greatest(unpublished.version, excluded.version),
                    since = least(unpublished.since, excluded.since)""",  # noqa: S608 - our own
            [subject.workspace for subject in versions],
            [subject.id for subject in versions],
            list(versions.values()),
        )

    async def mark_stored(self, connection: Connection, subjects: Collection[Subject]) -> None:
        """As `mark`, with the versions that the transaction sees stored."""
        if subjects and self._snapshots is not None:
            await self.mark(connection, await self._snapshots.versions(connection, sorted(subjects)))

    async def hold(self, connection: Connection, workspace: WorkspaceId, rows: Sequence[tuple[object, Record]]) -> None:
        """Puts records into the outbox within the transaction: (id that names the record for ever, record)."""
        await connection.executemany(
            "insert into outbox (workspace, id, topic, key, value) values ($1, $2, $3, $4, $5) on conflict do nothing",
            [(workspace, id_, record.topic, record.key, record.value) for id_, record in rows],
        )
        self.held += len(rows)

    async def publish(self, subjects: Collection[Subject]) -> None:
        """Publishes the stored snapshots and returns when each subject's newest is the last of its key.

        Raises BusUnavailable or Unavailable; the same call repeats it.
        """
        waiting = sorted(set(subjects))
        while waiting and self._snapshots is not None:
            workspaces = {subject.workspace for subject in waiting}
            async with self._database.transaction(workspaces) as connection:
                stored = await self._snapshots.stored(connection, waiting)
            await self._bus.publish([each.record for each in stored if isinstance(each.record, Record)])
            gone = [each.record for each in stored if isinstance(each.record, Tombstone)]
            if gone:
                await self._bus.forget(gone)
            async with self._database.transaction(workspaces) as connection:
                newest = await self._snapshots.versions(connection, waiting)
                sent = {each.subject: each.version for each in stored}
                await self._forget(connection, sent)
            waiting = [subject for subject, version in newest.items() if version > sent.get(subject, -1)]

    async def drain(self, workspaces: Collection[WorkspaceId]) -> None:
        """Publishes what the outbox holds of these workspaces, in the order it was stored; then forgets it."""
        more = True
        while more:
            async with self._database.transaction(workspaces) as connection:
                rows = await connection.fetch(
                    f"select workspace, id, topic, key, value from outbox order by sequence limit {_DRAINED}"  # noqa: S608
                )
            if not rows:
                return
            more = len(rows) == _DRAINED
            await self._bus.publish([Record(row["topic"], row["key"], row["value"]) for row in rows])
            async with self._database.transaction(workspaces) as connection:
                await connection.execute(
                    "delete from outbox using unnest($1::uuid[], $2::uuid[]) as sent (workspace, id)"
                    " where outbox.workspace = sent.workspace and outbox.id = sent.id",
                    [row["workspace"] for row in rows],
                    [row["id"] for row in rows],
                )

    async def sweep(self) -> None:
        """Publishes, once, what has waited for more than two seconds: left over by a crash or a broken connection."""
        async with self._database.transaction(role=f"jornada_{self._database.service}_clock") as connection:
            subjects = await connection.fetch(
                "select workspace, subject from unpublished where since < clock_timestamp() - make_interval(secs => $1)"
                " order by since limit 5000",
                SWEEP_AFTER_SECONDS,
            )
            held = await connection.fetch(
                "select distinct workspace from outbox where since < clock_timestamp() - make_interval(secs => $1)",
                SWEEP_AFTER_SECONDS,
            )
        if subjects:
            await self.publish([Subject(row["workspace"], row["subject"]) for row in subjects])
        if held:
            await self.drain([row["workspace"] for row in held])

    async def run(self) -> None:
        """Sweeps once a second, for ever."""
        while True:
            try:
                await self.sweep()
            except (BusUnavailable, Unavailable) as error:
                _log.warning("sweep.waiting", error=str(error))
            await asyncio.sleep(1)

    async def _forget(self, connection: Connection, sent: Mapping[Subject, int]) -> None:
        await connection.execute(
            """delete from unpublished
               using unnest($1::uuid[], $2::uuid[], $3::bigint[]) as sent (workspace, subject, version)
               where unpublished.workspace = sent.workspace and unpublished.subject = sent.subject
                 and unpublished.version <= sent.version""",
            [subject.workspace for subject in sent],
            [subject.id for subject in sent],
            list(sent.values()),
        )
