"""The campaigns of each workspace; one that ships and was never touched is a draft that no row stands for."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, cast

from jornada.db import Connection
from jornada.events import WorkspaceId
from services.notify.domain.campaigns import Campaign, Status, campaign_of


class Stored(NamedTuple):
    """One campaign as it is kept."""

    name: str
    document: bytes
    status: Status
    changed_at: datetime | None
    started_at: datetime | None

    @property
    def campaign(self) -> Campaign:
        """The document, read."""
        return campaign_of(self.document)


async def running(connection: Connection, workspace: WorkspaceId) -> list[Stored]:
    """Those that take customers in."""
    rows = await connection.fetch(
        """select name, document, status, changed_at, started_at from campaigns
           where workspace = $1 and status = 'running' order by name""",
        workspace,
    )
    return [_stored(row) for row in rows]


async def every(connection: Connection, workspace: WorkspaceId, shipped: Mapping[str, bytes]) -> list[Stored]:
    """All of a workspace's, by name, those that ship included."""
    rows = await connection.fetch(
        "select name, document, status, changed_at, started_at from campaigns where workspace = $1", workspace
    )
    found = {name: Stored(name, document, "draft", None, None) for name, document in shipped.items()}
    found |= {row["name"]: _stored(row) for row in rows}
    return [found[name] for name in sorted(found)]


async def one(connection: Connection, workspace: WorkspaceId, name: str, shipped: Mapping[str, bytes]) -> Stored | None:
    """The one of that name."""
    row = await connection.fetchrow(
        "select name, document, status, changed_at, started_at from campaigns where workspace = $1 and name = $2",
        workspace,
        name,
    )
    if row is not None:
        return _stored(row)
    return Stored(name, shipped[name], "draft", None, None) if name in shipped else None


async def save(connection: Connection, workspace: WorkspaceId, stored: Stored, now: datetime) -> None:
    """Keeps a campaign as given."""
    await connection.execute(
        """insert into campaigns (workspace, name, document, status, changed_at, started_at)
           values ($1, $2, $3, $4, $5, $6)
           on conflict (workspace, name) do update
           set document = excluded.document, status = excluded.status, changed_at = excluded.changed_at,
               started_at = coalesce(excluded.started_at, campaigns.started_at)""",
        workspace,
        stored.name,
        stored.document,
        stored.status,
        now,
        stored.started_at,
    )


def _stored(row: Any) -> Stored:
    return Stored(row["name"], row["document"], cast(Status, row["status"]), row["changed_at"], row["started_at"])
