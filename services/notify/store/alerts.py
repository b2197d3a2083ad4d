"""The alerts of each workspace, in the order in which they came."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from jornada.db import Connection, Database
from jornada.events import WorkspaceId, encode
from services.notify.domain.alerts import Alert


class Row(NamedTuple):
    """One alert as it is kept: its place in the workspace's order, and its JSON."""

    sequence: int
    id: UUID
    body: bytes
    created_at: datetime


async def create(connection: Connection, workspace: WorkspaceId, alerts: Sequence[Alert], now: datetime) -> list[Alert]:
    """Keeps alerts, each once for ever; returns those that are new.

    The counter's lock makes the order of places that of commits: a reader never sees a later one first.
    """
    last: int = await connection.fetchval(
        """insert into alert_counters (workspace, last) values ($1, 0)
           on conflict (workspace) do update set last = alert_counters.last returning last""",
        workspace,
    )
    by_id = {alert.id: alert for alert in alerts}
    rows = await connection.fetch(
        """insert into alerts (workspace, id, sequence, subject, stale, body, created_at)
           select $1, id, $2 + row_number() over (order by place), subject, stale, body, $3
           from unnest($4::uuid[], $5::uuid[], $6::bool[], $7::bytea[]) with ordinality
                as new (id, subject, stale, body, place)
           where not exists (select from alerts where workspace = $1 and alerts.id = new.id)
           on conflict (workspace, id) do nothing returning id""",
        workspace,
        last,
        now,
        list(by_id),
        [alert.subject.id for alert in by_id.values()],
        [alert.stale for alert in by_id.values()],
        [encode(alert) for alert in by_id.values()],
    )
    await connection.execute("update alert_counters set last = last + $2 where workspace = $1", workspace, len(rows))
    created = {row["id"] for row in rows}
    return [alert for alert in by_id.values() if alert.id in created]


async def after(
    connection: Connection, workspace: WorkspaceId, sequence: int, limit: int, subjects: Sequence[UUID] | None = None
) -> list[Row]:
    """Up to `limit` alerts after that place, of these subjects or of all."""
    rows = await connection.fetch(
        """select sequence, id, body, created_at from alerts
           where workspace = $1 and sequence > $2 and ($4::uuid[] is null or subject = any($4))
           order by sequence limit $3""",
        workspace,
        sequence,
        limit,
        subjects,
    )
    return [Row(*row) for row in rows]


async def one(connection: Connection, workspace: WorkspaceId, id_: UUID) -> Row | None:
    """The alert of that id."""
    row = await connection.fetchrow(
        "select sequence, id, body, created_at from alerts where workspace = $1 and id = $2", workspace, id_
    )
    return None if row is None else Row(*row)


async def newest(connection: Connection, workspace: WorkspaceId) -> Row | None:
    """The last alert."""
    row = await connection.fetchrow(
        "select sequence, id, body, created_at from alerts where workspace = $1 order by sequence desc limit 1",
        workspace,
    )
    return None if row is None else Row(*row)


async def before_memory(connection: Connection, workspace: WorkspaceId, since: datetime) -> int:
    """The place after which every alert was created since then."""
    place: int = await connection.fetchval(
        "select coalesce(max(sequence), 0) from alerts where workspace = $1 and created_at < $2", workspace, since
    )
    return place


async def places(database: Database) -> dict[WorkspaceId, int]:
    """The last place of every workspace."""
    async with database.transaction(role="jornada_notify_clock") as connection:
        rows = await connection.fetch("select workspace, last from alert_counters")
    return {row["workspace"]: row["last"] for row in rows}
