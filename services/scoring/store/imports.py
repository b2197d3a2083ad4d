"""Imports: whether the past of many is coming in, and what it brought once it is over."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from jornada.db import Connection
from jornada.events import WorkspaceId, new_id

LEAST = 10
LEAST_SHARE = 0.01
"""Of a workspace's subjects; the past of fewer at a time is no import: some devices are always late."""


class Import(NamedTuple):
    """What an import brought: whose past came, how they stand, and how many got worse by it with nobody told.

    `bands` counts customers by band. Without `ended_at` it runs, and has no numbers yet.
    """

    id: UUID
    began_at: datetime
    ended_at: datetime | None
    customers: int
    accounts: int
    bands: Mapping[str, int]
    untold: int


async def concerned(connection: Connection, begin: datetime, end: datetime) -> list[WorkspaceId]:
    """Workspaces with an import that runs, or may begin by what came after one instant up to another; as the clock."""
    rows = await connection.fetch(
        """select workspace from subjects where past_at > $1 and past_at <= $2 group by workspace having count(*) >= $3
           union select workspace from imports where ended_at is null order by 1""",
        begin,
        end,
        LEAST,
    )
    return [WorkspaceId(row["workspace"]) for row in rows]


async def arriving(connection: Connection, workspace: WorkspaceId, begin: datetime, end: datetime) -> bool:
    """Whether the past of many was received after one instant up to another."""
    many: bool = await connection.fetchval(
        """select count(*) filter (where past_at > $2 and past_at <= $3) >= greatest($4::float8, $5::float8 * count(*))
           from subjects where workspace = $1 and band is not null""",
        workspace,
        begin,
        end,
        LEAST,
        LEAST_SHARE,
    )
    return many


async def begin(connection: Connection, workspace: WorkspaceId, after: datetime) -> None:
    """Notes that an import runs, since the first of what came after an instant; nothing where one is known to run."""
    await connection.execute(
        """insert into imports (workspace, id, began_at)
           select $1, $2, min(past_at) from subjects where workspace = $1 and past_at > $3
           on conflict (workspace) where ended_at is null do nothing""",
        workspace,
        new_id(),
        after,
    )


async def running(connection: Connection, workspace: WorkspaceId) -> Import | None:
    """The import that runs, locked."""
    row = await connection.fetchrow(
        "select * from imports where workspace = $1 and ended_at is null for update", workspace
    )
    return None if row is None else _import(row)


async def end(connection: Connection, workspace: WorkspaceId, import_: Import, until: datetime) -> None:
    """Keeps what an import brought that was over at an instant."""
    of_it = "subjects.workspace = $1 and past_at >= $2 and past_at <= $3 and band is not null"
    rows = await connection.fetch(
        f"select type, band, count(*), max(past_at) as last from subjects where {of_it} group by type, band order by 2",  # noqa: S608
        workspace,
        import_.began_at,
        until,
    )
    untold = await connection.fetchval(
        f"""select count(distinct subjects.id) from subjects join crossings on crossings.workspace = subjects.workspace
            and crossings.subject = subjects.id where {of_it} and crossings.score = 'health' and announced_at is null
            and recorded_at >= $2 and to_band in ('yellow', 'red') and (to_band = 'red' or from_band = 'green')""",  # noqa: S608
        workspace,
        import_.began_at,
        until,
    )
    await connection.execute(
        """update imports set ended_at = $3, customers = $4, accounts = $5, bands = $6, untold = $7
           where workspace = $1 and id = $2""",
        workspace,
        import_.id,
        max((row["last"] for row in rows), default=import_.began_at),
        sum(row["count"] for row in rows if row["type"] == "customer"),
        sum(row["count"] for row in rows if row["type"] == "account"),
        json.dumps({row["band"]: row["count"] for row in rows if row["type"] == "customer"}),
        untold,
    )


async def newest(connection: Connection, workspace: WorkspaceId, limit: int) -> Sequence[Import]:
    """The newest imports, one that runs first."""
    rows = await connection.fetch(
        "select * from imports where workspace = $1 order by ended_at is not null, began_at desc limit $2",
        workspace,
        limit,
    )
    return [_import(row) for row in rows]


def _import(row: asyncpg.Record) -> Import:
    return Import(**{name: row[name] for name in Import._fields} | {"bands": json.loads(row["bands"])})
