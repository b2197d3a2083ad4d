"""Records that could not be processed: kept with why, where they can be listed, replayed and erased."""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from jornada.bus.carrier import Received
from jornada.db import Connection, Database
from jornada.events import Undecodable, WorkspaceId, derived_id, workspace_of

NOWHERE = WorkspaceId(UUID(int=0))
"""The workspace of a record whose key names none."""


class TooManyDeadLetters(Exception):
    """More fails than bad data explains: the worker stops rather than drain a healthy topic after a bad deploy."""


class DeadLetter(NamedTuple):
    """One record that failed, as it was read, with why."""

    id: UUID
    workspace: WorkspaceId
    carrier: str
    record: Received
    reason: str
    error: str
    since: datetime
    replayed_at: datetime | None


class Line(NamedTuple):
    """One dead letter as it is listed: where the record lay, and why it failed; nothing of what it holds."""

    id: UUID
    carrier: str
    topic: str
    partition: int
    offset: int
    reason: str
    since: datetime
    replayed_at: datetime | None

    @property
    def place(self) -> "Place":
        """Where it stands in the list."""
        return Place(self.since, self.id)


class Place(NamedTuple):
    """A place in the list: dead letters stand in the order in which they were kept."""

    since: datetime
    id: UUID


_LINE = ", ".join(f'"{name}"' for name in Line._fields)


class Limit:
    """Counts dead among the last `window` records; more than `share` of them, or `run` in a row, is too many.

    Below `least` dead letters the share is not looked at: one bad record of ten is no bad deploy.
    With `skips_gaps` what the log no longer holds is said to be missing, and no reason to stop.
    """

    def __init__(
        self, *, window: int = 5_000, share: float = 0.1, run: int = 200, least: int = 50, skips_gaps: bool = False
    ) -> None:
        self.skips_gaps = skips_gaps
        self._recent: deque[bool] = deque(maxlen=window)
        self._share, self._longest, self._least = share, run, least
        self._dead = 0
        self._run = 0

    def count(self, dead: bool) -> None:
        """Counts one record; raises TooManyDeadLetters."""
        if len(self._recent) == self._recent.maxlen:
            self._dead -= self._recent[0]
        self._recent.append(dead)
        self._dead += dead
        self._run = self._run + 1 if dead else 0
        share = self._dead / len(self._recent)
        if self._run >= self._longest or (self._dead >= self._least and share > self._share):
            raise TooManyDeadLetters(f"{self._dead} of the last {len(self._recent)} records failed")


def home_of(record: Received) -> WorkspaceId:
    """The workspace that the record's key names, or nowhere."""
    try:
        return workspace_of(record.key)
    except Undecodable:
        return NOWHERE


async def bury(connection: Connection, carrier: str, record: Received, reason: str, error: str) -> None:
    """Keeps a record of the carrier's log with why it failed, once, in the transaction that steps over it."""
    headers = msgspec.json.encode([(name, value.decode("latin-1")) for name, value in record.headers]).decode()
    await connection.execute(
        """insert into dead_letters
           (id, workspace, carrier, topic, partition, "offset", key, value, headers, reason, error)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict do nothing""",
        derived_id("dead", carrier, record.topic, record.partition, record.offset),
        home_of(record),
        carrier,
        record.topic,
        record.partition,
        record.offset,
        record.key,
        record.value,
        headers,
        reason,
        error[:2_000],
    )


async def mark_replayed(connection: Connection, letter: DeadLetter) -> None:
    """Marks a letter replayed, in the transaction that folded it; it stays where it can be read."""
    await connection.execute(
        "update dead_letters set replayed_at = clock_timestamp() where workspace = $1 and id = $2",
        letter.workspace,
        letter.id,
    )


async def erase(connection: Connection, workspace: WorkspaceId, naming: Callable[[bytes, bytes], bool]) -> int:
    """Deletes a workspace's letters of whose key and value `naming` says that they name somebody; returns how many."""
    erased, after = 0, UUID(int=0)
    while True:
        rows = await connection.fetch(
            "select id, key, value from dead_letters where workspace = $1 and id > $2 order by id limit 100",
            workspace,
            after,
        )
        if not rows:
            return erased
        after = rows[-1]["id"]
        gone = [row["id"] for row in rows if naming(row["key"], row["value"])]
        erased += len(gone)
        await connection.execute("delete from dead_letters where workspace = $1 and id = any($2)", workspace, gone)


class DeadLetters:
    """The dead letters of one service."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, workspace: WorkspaceId, limit: int, after: Place | None, *, waiting: bool = False
    ) -> Sequence[Line]:
        """Up to `limit` of a workspace's, the oldest first, after a place; `waiting`: only those never replayed."""
        async with self._database.transaction([workspace]) as connection:
            rows = await connection.fetch(
                f"""select {_LINE} from dead_letters
                    where workspace = $1 and ($2::timestamptz is null or (since, id) > ($2, $3::uuid))
                      and (not $4 or replayed_at is null)
                    order by since, id limit $5""",  # noqa: S608 - our own columns
                workspace,
                *(after or (None, None)),
                waiting,
                limit,
            )
        return [Line(*row) for row in rows]

    async def one(self, workspace: WorkspaceId, id_: UUID) -> DeadLetter | None:
        """One of a workspace's, or None."""
        async with self._database.transaction([workspace]) as connection:
            row = await connection.fetchrow(
                "select * from dead_letters where workspace = $1 and id = $2", workspace, id_
            )
        return _letter(row) if row else None

    async def waiting(self, workspace: WorkspaceId) -> int:
        """How many of a workspace's were never replayed."""
        async with self._database.transaction([workspace]) as connection:
            count: int = await connection.fetchval(
                "select count(*) from dead_letters where workspace = $1 and replayed_at is null", workspace
            )
        return count


def _letter(row: Any) -> DeadLetter:
    headers = tuple((name, value.encode("latin-1")) for name, value in msgspec.json.decode(row["headers"]))
    record = Received(row["topic"], row["partition"], row["offset"], row["key"], row["value"], headers, row["since"])
    rest = [row[name] for name in ("reason", "error", "since", "replayed_at")]
    return DeadLetter(row["id"], row["workspace"], row["carrier"], record, *rest)
