"""Freezes as facts, each recorded once whoever finds it, and until when a workspace's volumes are known."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg

from jornada.db import Connection
from jornada.events import WorkspaceId, derived_id
from jornada.instants import instant, micros
from services.scoring.domain.freezing import Freeze
from services.scoring.domain.watching import Begun, Ended, Name, Standing

PATIENCE = timedelta(minutes=5)
"""How much older than now what is known of volumes may be without anybody waiting for more: it is read each minute."""


class Kept(NamedTuple):
    """A freeze as it is kept: with its id, when the latest of it came, how many customers an hour were expected, when
    it was recorded, and why it ended, if it did: `repaired`, `gone` by somebody's word, or `old`."""

    id: UUID
    freeze: Freeze
    last_seen_at: datetime
    customers: int
    recorded_at: datetime
    ended_because: str | None


async def of(connection: Connection, workspaces: Collection[WorkspaceId]) -> dict[WorkspaceId, tuple[Freeze, ...]]:
    """All freezes there ever were of those workspaces that had any, in order."""
    rows = await connection.fetch(
        "select * from freezes where workspace = any($1::uuid[]) order by began_at, source, kind", list(workspaces)
    )
    return {
        workspace: tuple(_freeze(row) for row in rows if row["workspace"] == workspace)
        for workspace in {WorkspaceId(row["workspace"]) for row in rows}
    }


async def watched(
    connection: Connection, workspaces: Collection[WorkspaceId]
) -> dict[WorkspaceId, tuple[datetime | None, datetime | None]]:
    """From when on nobody is judged yet, until when timers wait for no volumes; None: from never, for ever."""
    rows = await connection.fetch("select * from watched where workspace = any($1::uuid[])", list(workspaces))
    found = {WorkspaceId(row["workspace"]): (row["withheld_from"], row["until"] + PATIENCE) for row in rows}
    return {workspace: found.get(workspace, (None, None)) for workspace in workspaces}


async def watch(
    connection: Connection, workspace: WorkspaceId, until: datetime, withheld_from: datetime | None
) -> None:
    """Keeps until when volumes are known, and from when on nobody is judged yet; a look replaces no newer one."""
    await connection.execute(
        """insert into watched (workspace, until, withheld_from) values ($1, $2, $3)
           on conflict (workspace) do update set until = excluded.until, withheld_from = excluded.withheld_from
           where watched.until <= excluded.until""",
        workspace,
        until,
        withheld_from,
    )


async def unwatch(connection: Connection, workspace: WorkspaceId) -> None:
    """Has timers wait for no volumes any more: nobody reads them."""
    await connection.execute("delete from watched where workspace = $1", workspace)


async def watched_workspaces(connection: Connection) -> list[WorkspaceId]:
    """The workspaces whose timers wait for volumes; as the clock's role."""
    return [WorkspaceId(row["workspace"]) for row in await connection.fetch("select workspace from watched")]


async def standing(connection: Connection, workspace: WorkspaceId) -> list[Standing]:
    """The freezes that stand, each with what is expected."""
    rows = await connection.fetch("select * from freezes where workspace = $1 and ended_at is null", workspace)
    return [Standing(_freeze(row), row["week"]) for row in rows]


async def begin(connection: Connection, workspace: WorkspaceId, begun: Begun, now: datetime) -> bool:
    """Records a freeze; whether it is new."""
    freeze = begun.freeze
    added = await connection.fetchval(
        """insert into freezes (workspace, id, source, kind, components, began_at, last_seen_at, week, customers,
             recorded_at) values ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9) on conflict do nothing returning true""",
        workspace,
        _id(workspace, freeze),
        freeze.source,
        freeze.kind,
        sorted(freeze.components),
        instant(freeze.began),
        begun.week,
        begun.customers,
        now,
    )
    return added is not None


async def end(connection: Connection, workspace: WorkspaceId, ended: Ended, now: datetime) -> bool:
    """Records the end of a freeze that stands; whether it did."""
    return await _end(
        connection,
        workspace,
        _id(workspace, ended.freeze),
        instant(ended.at),
        "repaired" if ended.repaired else "old",
        now,
    )


async def gone(connection: Connection, workspace: WorkspaceId, id_: UUID, now: datetime, by: UUID) -> bool:
    """Ends a freeze by somebody's word: it will not come again. Whether it stood."""
    return await _end(connection, workspace, id_, now, "gone", now, by)


async def seen(connection: Connection, workspace: WorkspaceId, name: Name, at: datetime) -> None:
    """Keeps when the latest came of what is frozen."""
    await connection.execute(
        """update freezes set last_seen_at = $4 where workspace = $1 and source = $2 and kind = $3
           and ended_at is null and last_seen_at < $4""",
        workspace,
        *name,
        at,
    )


async def newest(connection: Connection, workspace: WorkspaceId, limit: int) -> Sequence[Kept]:
    """Those that stand first, then the newest."""
    rows = await connection.fetch(
        """select * from freezes where workspace = $1
           order by ended_at is not null, began_at desc, source, kind limit $2""",
        workspace,
        limit,
    )
    return [_kept(row) for row in rows]


async def one(connection: Connection, workspace: WorkspaceId, id_: UUID) -> Kept | None:
    """The freeze of that id."""
    row = await connection.fetchrow("select * from freezes where workspace = $1 and id = $2", workspace, id_)
    return None if row is None else _kept(row)


async def count_standing(connection: Connection) -> int:
    """How many stand in all workspaces; as the clock's role."""
    return int(await connection.fetchval("select count(*) from freezes where ended_at is null"))


async def _end(
    connection: Connection,
    workspace: WorkspaceId,
    id_: UUID,
    at: datetime,
    because: str,
    now: datetime,
    by: UUID | None = None,
) -> bool:
    ended = await connection.fetchval(
        """update freezes set ended_at = $3, ended_because = $4, end_recorded_at = $5, ended_by = $6
           where workspace = $1 and id = $2 and ended_at is null returning true""",
        workspace,
        id_,
        at,
        because,
        now,
        by,
    )
    return ended is not None


def _id(workspace: WorkspaceId, freeze: Freeze) -> UUID:
    return derived_id("freeze", workspace, freeze.source, freeze.kind, freeze.began)


def _kept(row: asyncpg.Record) -> Kept:
    return Kept(
        row["id"], _freeze(row), row["last_seen_at"], row["customers"], row["recorded_at"], row["ended_because"]
    )


def _freeze(row: asyncpg.Record) -> Freeze:
    ended = row["ended_at"]
    return Freeze(
        row["source"],
        row["kind"],
        frozenset(row["components"]),
        micros(row["began_at"]),
        None if ended is None else micros(ended),
    )
