"""What sources send, counted where it is folded, in lanes: nobody who counts waits for anybody else."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from asyncpg import BitString

from jornada.db import Connection
from jornada.events import WorkspaceId
from jornada.instants import instant
from services.journey.domain.volumes import BITS, HOUR_SECONDS, Stream, Volume, customers

Place = tuple[datetime, str, str]
"""Where a volume stands in the list: its hour, source and kind."""


class Sent(NamedTuple):
    """What a source sent of a kind within the hour that begins at `hour`; `customers` is about how many they are."""

    source: str
    kind: str
    hour: datetime
    touchpoints: int
    customers: int
    last_received_at: datetime


class Wanted(NamedTuple):
    """Which volumes: of hours that begin at `since` or later and before `until`, of a source, of a kind."""

    since: datetime | None = None
    until: datetime | None = None
    source: str | None = None
    kind: str | None = None


async def add(connection: Connection, workspace: WorkspaceId, lane: int, volumes: Mapping[Stream, Volume]) -> None:
    """Adds up what a batch brought. A lane is a partition's number, and so one worker's."""
    ordered = sorted(volumes)
    await connection.execute(
        """insert into volumes (workspace, lane, hour, source, kind, touchpoints, last_received_at, customers)
           select $1, $2, * from unnest(
               $3::timestamptz[], $4::text[], $5::text[], $6::bigint[], $7::timestamptz[], $8::varbit[])
           on conflict (workspace, hour, source, kind, lane) do update
           set touchpoints = volumes.touchpoints + excluded.touchpoints,
               last_received_at = greatest(volumes.last_received_at, excluded.last_received_at),
               customers = volumes.customers | excluded.customers""",
        workspace,
        lane,
        [instant(stream.hour * HOUR_SECONDS * 1_000_000) for stream in ordered],
        [stream.source for stream in ordered],
        [stream.kind for stream in ordered],
        [volumes[stream].touchpoints for stream in ordered],
        [volumes[stream].last_received_at for stream in ordered],
        [BitString.frombytes(volumes[stream].customers.to_bytes(BITS // 8), BITS) for stream in ordered],
    )


async def listed(
    connection: Connection, workspace: WorkspaceId, wanted: Wanted, limit: int, after: Place | None
) -> list[Sent]:
    """Up to `limit` volumes, by hour, source and kind, after a place."""
    rows = await connection.fetch(
        """select source, kind, hour, sum(touchpoints)::bigint as touchpoints,
                  bit_count(bit_or(customers)) as customers, max(last_received_at) as last_received_at
           from volumes
           where workspace = $1 and hour >= coalesce($2::timestamptz, '-infinity')
             and hour < coalesce($3::timestamptz, 'infinity')
             and ($4::text is null or source = $4) and ($5::text is null or kind = $5)
             and ($6::timestamptz is null or (hour, source, kind) > ($6, $7::text, $8::text))
           group by hour, source, kind order by hour, source, kind limit $9""",
        workspace,
        *wanted,
        *(after or (None, None, None)),
        limit,
    )
    return [Sent(**{**row, "customers": customers(row["customers"])}) for row in rows]


async def older(connection: Connection, before: datetime) -> list[WorkspaceId]:
    """The workspaces of which hours are kept that begin before an instant; as the clock's role."""
    rows = await connection.fetch("select distinct workspace from volumes where hour < $1 order by 1", before)
    return [WorkspaceId(row["workspace"]) for row in rows]


async def drop(connection: Connection, workspace: WorkspaceId, before: datetime) -> None:
    """Drops a workspace's hours that begin before an instant."""
    await connection.execute("delete from volumes where workspace = $1 and hour < $2", workspace, before)
