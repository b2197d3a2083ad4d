"""Who wants which alerts where."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from jornada.db import Connection
from jornada.events import WorkspaceId, encode
from services.notify.domain.alerts import When

_SELECT = """select id, name, "when", "to", created_at, failing_since, disabled_at, disabled_because
    from alert_subscriptions"""


class To(msgspec.Struct, frozen=True):
    """Where the alerts go."""

    url: str
    type: str = "webhook"


class Subscription(NamedTuple):
    """One alert subscription, without its secret."""

    id: UUID
    name: str
    when: When
    to: To
    created_at: datetime
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_because: str | None


async def create(
    connection: Connection, workspace: WorkspaceId, subscription: Subscription, sealed_secret: bytes
) -> None:
    """Keeps a new one."""
    await connection.execute(
        """insert into alert_subscriptions (workspace, id, name, "when", "to", secret, created_at)
           values ($1, $2, $3, $4, $5, $6, $7)""",
        workspace,
        subscription.id,
        subscription.name,
        encode(subscription.when).decode(),
        encode(subscription.to).decode(),
        sealed_secret,
        subscription.created_at,
    )


async def enabled(connection: Connection, workspace: WorkspaceId) -> list[Subscription]:
    """Those that are not disabled; none can be deleted before the transaction's end."""
    rows = await connection.fetch(
        _SELECT + " where workspace = $1 and disabled_at is null order by id for key share",
        workspace,
    )
    return [_subscription(row) for row in rows]


async def page(
    connection: Connection, workspace: WorkspaceId, limit: int, after: UUID | None
) -> Sequence[Subscription]:
    """Up to `limit`, by id."""
    rows = await connection.fetch(
        _SELECT
        + """ where workspace = $1 and ($3::uuid is null or id > $3)
            order by id limit $2""",
        workspace,
        limit,
        after,
    )
    return [_subscription(row) for row in rows]


async def one(connection: Connection, workspace: WorkspaceId, id_: UUID) -> Subscription | None:
    """The one of that id."""
    row = await connection.fetchrow(_SELECT + " where workspace = $1 and id = $2", workspace, id_)
    return None if row is None else _subscription(row)


async def change(connection: Connection, workspace: WorkspaceId, subscription: Subscription) -> None:
    """Makes the stored one as given."""
    await connection.execute(
        """update alert_subscriptions set name = $3, "when" = $4, "to" = $5, failing_since = $6, disabled_at = $7,
               disabled_because = $8 where workspace = $1 and id = $2""",
        workspace,
        subscription.id,
        subscription.name,
        encode(subscription.when).decode(),
        encode(subscription.to).decode(),
        subscription.failing_since,
        subscription.disabled_at,
        subscription.disabled_because,
    )


async def delete(connection: Connection, workspace: WorkspaceId, id_: UUID) -> bool:
    """Takes one away with its deliveries; False if there is none."""
    row = await connection.fetchrow(
        "delete from alert_subscriptions where workspace = $1 and id = $2 returning id", workspace, id_
    )
    return row is not None


def _subscription(row: Any) -> Subscription:
    return Subscription(
        row["id"],
        row["name"],
        msgspec.json.decode(row["when"], type=When),
        msgspec.json.decode(row["to"], type=To),
        row["created_at"],
        row["failing_since"],
        row["disabled_at"],
        row["disabled_because"],
    )
