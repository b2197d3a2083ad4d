"""Replays of workspaces: how far each is, and what it found."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

import asyncpg

from jornada.db import Connection
from jornada.events import WorkspaceId, decode, encode

Step = Literal["touchpoints", "devices", "facts", "customers", "accounts"]
STEPS: Sequence[Step] = ("touchpoints", "devices", "facts", "customers", "accounts")
"""What a replay goes through, in this order."""

Status = Literal["running", "done", "cancelled", "failed"]

_MOST_COUNTED = 10_000_000


class Counts(NamedTuple):
    """What was looked at, and what came of it.

    `compared` are subjects: `equal`, or `changed` and told anew. `mended` are stored rows of which nobody is told:
    what follows from them was right, or is told of whom it is about.
    """

    touchpoints: int = 0
    compared: int = 0
    equal: int = 0
    mended: int = 0
    changed: int = 0

    def __add__(self, other: object) -> "Counts":
        """Both together."""
        assert isinstance(other, Counts)
        return Counts(*(a + b for a, b in zip(self, other, strict=True)))


class Failure(NamedTuple):
    """What took longer than a statement may, though it was alone: its step, and its key there."""

    step: Step
    at: list[str]


class Replay(NamedTuple):
    """A replay; its id is drawn as it begins. `place` is how far its step is, `subjects` about how many there are.

    `failed` is what was left as it was.
    """

    id: UUID
    status: Status
    error: str | None
    step: Step
    place: list[str] | None
    asked_at: datetime
    asked_by: UUID
    ended_at: datetime | None
    subjects: int
    counts: Counts
    failed: list[Failure]


async def begin(connection: Connection, workspace: WorkspaceId, id_: UUID, at: datetime, by: UUID) -> Replay | None:
    """Begins one; None while another runs."""
    row = await connection.fetchrow(
        """insert into replays (workspace, id, asked_at, asked_by, step, subjects)
           select $1, $2, $3, $4, $5, count(*) from (
               select from identifiers where workspace = $1 and id <= $2 and customer = id limit $6) as counted
           on conflict (workspace) where status = 'running' do nothing returning *""",
        workspace,
        id_,
        at,
        by,
        STEPS[0],
        _MOST_COUNTED,
    )
    return None if row is None else _replay(row)


async def running(connection: Connection) -> list[tuple[WorkspaceId, UUID]]:
    """Those that are not at their end; as the clock's role."""
    rows = await connection.fetch("select workspace, id from replays where status = 'running' order by id")
    return [(WorkspaceId(row["workspace"]), row["id"]) for row in rows]


async def claimed(connection: Connection, workspace: WorkspaceId, id_: UUID) -> Replay | None:
    """One that runs and that nobody goes on with; nobody else can before this transaction ends."""
    row = await connection.fetchrow(
        "select * from replays where workspace = $1 and id = $2 and status = 'running' for update skip locked",
        workspace,
        id_,
    )
    return None if row is None else _replay(row)


async def note(connection: Connection, workspace: WorkspaceId, replay: Replay) -> None:
    """Notes how far it is, and what came of it."""
    await connection.execute(
        """update replays set step = $3, place = $4, failed = $5, touchpoints = $6, compared = $7, equal = $8,
                  mended = $9, changed = $10 where workspace = $1 and id = $2""",
        workspace,
        replay.id,
        replay.step,
        replay.place,
        encode(replay.failed),
        *replay.counts,
    )


async def end(
    connection: Connection, workspace: WorkspaceId, id_: UUID, status: Status, at: datetime, error: str | None = None
) -> bool:
    """Ends one that runs; whether it did. Waits for the piece that is under way. Where it was may name somebody."""
    row = await connection.fetchrow(
        """update replays set status = $3, ended_at = $4, error = $5, place = null
           where workspace = $1 and id = $2 and status = 'running' returning id""",
        workspace,
        id_,
        status,
        at,
        error,
    )
    return row is not None


async def one(connection: Connection, workspace: WorkspaceId, id_: UUID) -> Replay | None:
    """One of them."""
    row = await connection.fetchrow("select * from replays where workspace = $1 and id = $2", workspace, id_)
    return None if row is None else _replay(row)


async def listed(connection: Connection, workspace: WorkspaceId, limit: int, before: UUID | None) -> list[Replay]:
    """Up to `limit`, the newest first, before the one named."""
    rows = await connection.fetch(
        "select * from replays where workspace = $1 and ($3::uuid is null or id < $3) order by id desc limit $2",
        workspace,
        limit,
        before,
    )
    return [_replay(row) for row in rows]


def _replay(row: asyncpg.Record) -> Replay:
    counts = Counts(*(row[name] for name in Counts._fields))
    failed: list[Failure] = decode(row["failed"], list[Failure])
    return Replay(**{name: row[name] for name in Replay._fields[:-2]}, counts=counts, failed=failed)
