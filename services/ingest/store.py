"""Rejections at rest: stored once, shown to their workspace in the order in which they were stored."""

from collections.abc import Sequence
from typing import NamedTuple

import asyncpg

from jornada.db import Connection, Database
from jornada.events import Rejection, WorkspaceId


class Numbered(NamedTuple):
    """A rejection and its place in the list, which only ever grows."""

    number: int
    rejection: Rejection


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

    async def page(self, workspace: WorkspaceId, after: int, limit: int) -> Sequence[Numbered]:
        """Up to `limit` of a workspace's after a place in the list, oldest first."""
        async with self._database.transaction([workspace]) as connection:
            rows = await connection.fetch(
                "select * from rejections where workspace = $1 and number > $2 order by number limit $3",
                workspace,
                after,
                limit,
            )
        return [Numbered(row["number"], _rejection(row)) for row in rows]


def _rejection(row: asyncpg.Record) -> Rejection:
    return Rejection(**{name: row[name] for name in Rejection.__struct_fields__})
