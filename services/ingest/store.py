"""Rejections at rest: stored once, shown to their workspace in the order in which they were stored."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg

from jornada.db import Connection, Database
from jornada.events import Rejection, WorkspaceId


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


async def keep(connection: Connection, rejections: Sequence[Rejection]) -> None:
    """Stores rejections, each once. A workspace's numbers become visible in order: its lock lasts until the commit."""
    await connection.execute(
        """select pg_advisory_xact_lock(hashtextextended('ingest.rejections/' || workspace, 0))
           from (select distinct workspace from unnest($1::text[]) as each (workspace) order by 1) as ordered""",
        [str(each.workspace) for each in rejections],
    )
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
