"""For how long each workspace keeps touchpoints, and how far what is older is gone."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from jornada.db import Connection
from jornada.events import WorkspaceId
from services.journey.domain.retention import horizon


class Retention(NamedTuple):
    """What a workspace said, and when; no days are for ever. `passed_until` is the instant before which all is gone."""

    days: int | None
    set_at: datetime
    set_by: UUID
    passed_until: datetime | None


class Concerned(NamedTuple):
    """How many touchpoints are older than an instant, and of how many customers; `more` where these are not all."""

    touchpoints: int
    customers: int
    more: bool


async def read(connection: Connection, workspace: WorkspaceId) -> Retention | None:
    """What was said last; None where nothing ever was."""
    row = await connection.fetchrow(
        "select days, set_at, set_by, passed_until from retention where workspace = $1", workspace
    )
    return None if row is None else Retention(*row)


async def kept_from(connection: Connection, workspace: WorkspaceId, now: datetime) -> datetime | None:
    """The instant from which on touchpoints are kept; None where all are."""
    said = await read(connection, workspace)
    return None if said is None or said.days is None else horizon(now, said.days)


async def write(connection: Connection, workspace: WorkspaceId, days: int | None, by: UUID, now: datetime) -> None:
    """Has touchpoints be kept for so many days, or for ever."""
    await connection.execute(
        """insert into retention (workspace, days, set_at, set_by) values ($1, $2, $3, $4)
           on conflict (workspace) do update
           set days = excluded.days, set_at = excluded.set_at, set_by = excluded.set_by, passed_until = null""",
        workspace,
        days,
        now,
        by,
    )


async def behind(connection: Connection, now: datetime) -> list[WorkspaceId]:
    """The workspaces that may still hold touchpoints older than they keep; as the clock's role."""
    rows = await connection.fetch(
        "select workspace, days, passed_until from retention where days is not null order by workspace"
    )
    return [
        WorkspaceId(row["workspace"])
        for row in rows
        if row["passed_until"] is None or row["passed_until"] < horizon(now, row["days"])
    ]


async def held(connection: Connection, workspace: WorkspaceId) -> int | None:
    """The days for which touchpoints are kept, for one at a time to act on; None where somebody does, or all are."""
    days: int | None = await connection.fetchval(
        "select days from retention where workspace = $1 for update skip locked", workspace
    )
    return days


async def passed(connection: Connection, workspace: WorkspaceId, until: datetime) -> None:
    """Notes that nothing older is left that may go."""
    await connection.execute("update retention set passed_until = $2 where workspace = $1", workspace, until)


async def concerned(connection: Connection, workspace: WorkspaceId, before: datetime | None, most: int) -> Concerned:
    """Whom it concerns that touchpoints older than an instant go, if any do: at most so many are looked at."""
    row = await connection.fetchrow(
        """select count(*) as touchpoints, count(distinct customer) filter (where type <> 'account') as customers
           from (select owner from touchpoints where workspace = $1 and occurred_at < $2 limit $3) as older
           left join identifiers on identifiers.workspace = $1 and identifiers.id = owner""",
        workspace,
        before,
        most + 1,
    )
    assert row is not None
    return Concerned(min(row["touchpoints"], most), row["customers"], row["touchpoints"] > most)
