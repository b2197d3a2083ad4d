"""Rejections at rest: stored once, shown to their workspace in the order in which they were stored."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg

from jornada.db import Connection, Database
from jornada.events import ErasureAsked, Rejection, WorkspaceId


class Numbered(NamedTuple):
    """A rejection and its place in the list, which only ever grows."""

    number: int
    rejection: Rejection


class Wanted(NamedTuple):
    """A page of the list: what comes after a place, of a source and of a code if asked."""

    after: int
    source: str | None
    code: str | None
    limit: int


async def hold(connection: Connection, workspace: WorkspaceId) -> None:
    """Lets nobody else store or erase rejections of a workspace until the commit; hold many in order.

    So its numbers become visible in order, and what is stored meanwhile is seen by who erases, or sees whom.
    """
    await connection.execute(
        "select pg_advisory_xact_lock(hashtextextended('ingest.rejections/' || $1::text, 0))", str(workspace)
    )


async def keep(connection: Connection, rejections: Sequence[Rejection]) -> None:
    """Stores rejections, each once, and holds their workspaces."""
    for workspace in sorted({each.workspace for each in rejections}):
        await hold(connection, workspace)
    await connection.executemany(
        """insert into rejections (workspace, id, source, received_at, code, message, message_id, event, payload)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing""",
        [
            (
                each.workspace,
                each.id,
                each.source,
                each.received_at,
                each.code,
                each.message,
                each.message_id,
                each.event,
                each.payload,
            )
            for each in rejections
        ],
    )


class Mark(NamedTuple):
    """When somebody of a name was erased; with `block` what came later is theirs, too."""

    erased_at: datetime
    block: bool


async def mark(connection: Connection, asked: ErasureAsked) -> None:
    """Keeps the names of an erasure for ever."""
    await connection.execute(
        """insert into erased_names as known (workspace, name, erased_at, block)
           select $1, name, $3, $4 from unnest($2::text[]) as name order by name
           on conflict (workspace, name) do update
           set erased_at = greatest(known.erased_at, excluded.erased_at), block = known.block or excluded.block""",
        asked.workspace,
        sorted(asked.names),
        asked.erased_at,
        asked.block,
    )


async def marks(connection: Connection, workspace: WorkspaceId, names: Collection[str]) -> Sequence[Mark]:
    """What those of the names stand for that were erased."""
    rows = await connection.fetch(
        "select erased_at, block from erased_names where workspace = $1 and name = any($2)", workspace, list(names)
    )
    return [Mark(*row) for row in rows]


async def any_erased(connection: Connection, workspace: WorkspaceId) -> bool:
    """Whether anybody ever was."""
    known: bool = await connection.fetchval("select exists (select from erased_names where workspace = $1)", workspace)
    return known


async def piece(connection: Connection, workspace: WorkspaceId, after: int, most: int) -> Sequence[Numbered]:
    """Up to `most` of a workspace's rejections after a place."""
    rows = await connection.fetch(
        "select * from rejections where workspace = $1 and number > $2 order by number limit $3",
        workspace,
        after,
        most,
    )
    return [Numbered(row["number"], _rejection(row)) for row in rows]


async def remove(connection: Connection, workspace: WorkspaceId, numbers: Collection[int]) -> None:
    """Deletes rejections by their places."""
    await connection.execute(
        "delete from rejections where workspace = $1 and number = any($2)", workspace, list(numbers)
    )


class Rejections:
    """What was refused, for those who sent it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, workspace: WorkspaceId, wanted: Wanted) -> Sequence[Numbered]:
        """Up to `limit` of a workspace's after a place in the list, oldest first."""
        async with self._database.transaction([workspace]) as connection:
            rows = await connection.fetch(
                """select * from rejections where workspace = $1 and number > $2
                     and ($3::text is null or source = $3) and ($4::text is null or code = $4)
                   order by number limit $5""",
                workspace,
                *wanted,
            )
        return [Numbered(row["number"], _rejection(row)) for row in rows]

    async def forget(self, workspace: WorkspaceId, before: datetime, kept: int, most: int) -> int:
        """Deletes those of a workspace's `most` oldest that were received before an instant or lie beyond the newest
        `kept`; returns how many. Looks at no more rows than these, and at the index for the count."""
        async with self._database.transaction([workspace]) as connection:
            rows = await connection.fetch(
                """with oldest as (
                       select number, received_at from rejections where workspace = $1 order by number limit $4),
                   beyond as (
                       select number from rejections where workspace = $1 order by number desc offset $3 limit 1)
                   delete from rejections using oldest
                   where rejections.workspace = $1 and rejections.number = oldest.number
                     and (oldest.received_at < $2 or oldest.number <= (select number from beyond))
                   returning 1""",
                workspace,
                before,
                kept,
                most,
            )
        return len(rows)


def _rejection(row: asyncpg.Record) -> Rejection:
    return Rejection(**{name: row[name] for name in Rejection.__struct_fields__})
