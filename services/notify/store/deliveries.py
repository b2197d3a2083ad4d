"""What is on its way to each subscription, and every attempt that was made."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from jornada.db import Connection, Database
from jornada.events import SubjectId, WorkspaceId
from services.notify.domain.alerts import When
from services.notify.domain.schedule import Delivered, GiveUp, TryAgain, has_failed_too_long
from services.notify.store.subscriptions import To

DUE = """deliveries where status = 'pending' and attempt = 0 and due_at <= clock_timestamp() + interval '30 s'
    and created_at > clock_timestamp() - interval '3 s'"""
"""The table of work that is due: first attempts, for a moment. An endpoint that hangs is no lag of ours."""


class New(NamedTuple):
    """A delivery to be made; `alert` is None for a trial."""

    id: UUID
    alert: UUID | None
    subscription: UUID
    body: bytes


class Due(NamedTuple):
    """A delivery whose time has come."""

    workspace: WorkspaceId
    id: UUID
    subscription: UUID


class Claimed(NamedTuple):
    """A delivery under way: its `attempt` counts from 1."""

    due: Due
    attempt: int
    body: bytes
    to: To
    when: When
    secret: bytes
    subject: SubjectId | None
    created_at: datetime


class Attempt(NamedTuple):
    """What came of an attempt."""

    at: datetime
    milliseconds: int
    status: int | None
    error: str | None
    answer: bytes


async def create(connection: Connection, workspace: WorkspaceId, new: Sequence[New], now: datetime) -> None:
    """Keeps deliveries, due at once, each once for ever."""
    await connection.execute(
        """insert into deliveries (workspace, id, alert, subscription, body, created_at, status, due_at)
           select $1, id, alert, subscription, body, $2, 'pending', $2
           from unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::bytea[]) as new (id, alert, subscription, body)
           on conflict (workspace, id) do nothing""",
        workspace,
        now,
        [each.id for each in new],
        [each.alert for each in new],
        [each.subscription for each in new],
        [each.body for each in new],
    )


async def due(database: Database, now: datetime, *, busy: Collection[UUID], each: int, most: int) -> list[Due]:
    """What is due, the longest first: at most `each` of a subscription, and none of those that are busy."""
    async with database.transaction(role="jornada_notify_clock") as connection:
        rows = await connection.fetch(
            """select workspace, id, subscription from (
                   select workspace, id, subscription, due_at,
                          row_number() over (partition by subscription order by due_at, id) as place
                   from deliveries where status = 'pending' and due_at <= $1 and subscription <> all($2)) as waiting
               where place <= $3 order by due_at limit $4""",
            now,
            list(busy),
            each,
            most,
        )
    return [Due(*row) for row in rows]


async def claim(connection: Connection, due: Due, now: datetime, lease: timedelta) -> Claimed | None:
    """Takes a due delivery until the lease is over (then, after a crash, it is due again); None if it is no more."""
    row = await connection.fetchrow(
        """update deliveries set due_at = $4 from alert_subscriptions as subscriptions
           where deliveries.workspace = $1 and deliveries.id = $2 and status = 'pending' and due_at <= $3
             and subscriptions.workspace = $1 and subscriptions.id = deliveries.subscription
           returning attempt, body, subscriptions."to", subscriptions."when", secret, disabled_at,
                     deliveries.created_at, alert""",
        due.workspace,
        due.id,
        now,
        now + lease,
    )
    if row is None:
        return None
    if row["disabled_at"] is not None:
        await close(connection, due, "cancelled", "disabled")
        return None
    subject = await connection.fetchval(
        "select subject from alerts where workspace = $1 and id = $2", due.workspace, row["alert"]
    )
    return Claimed(
        due,
        row["attempt"] + 1,
        row["body"],
        msgspec.json.decode(row["to"], type=To),
        msgspec.json.decode(row["when"], type=When),
        row["secret"],
        subject,
        row["created_at"],
    )


async def close(connection: Connection, due: Due, status: str, reason: str) -> None:
    """Ends a delivery that will not be made."""
    await connection.execute(
        "update deliveries set status = $3, reason = $4 where workspace = $1 and id = $2 and status = 'pending'",
        due.workspace,
        due.id,
        status,
        reason,
    )


async def postpone(connection: Connection, due: Due, at: datetime) -> None:
    """Looks at it again at that instant, no attempt made."""
    await connection.execute(
        "update deliveries set due_at = $3 where workspace = $1 and id = $2 and status = 'pending'",
        due.workspace,
        due.id,
        at,
    )


async def record(
    connection: Connection, claimed: Claimed, attempt: Attempt, verdict: Delivered | TryAgain | GiveUp
) -> None:
    """Keeps an attempt and what follows from it, once; nothing of a delivery that was erased meanwhile."""
    due = claimed.due
    new = await connection.fetchval(
        """insert into attempts (workspace, delivery, attempt, at, milliseconds, status, error, answer)
           select workspace, id, $3, $4::timestamptz, $5, $6, $7, $8::bytea from deliveries
           where workspace = $1 and id = $2 for key share on conflict do nothing returning attempt""",
        due.workspace,
        due.id,
        claimed.attempt,
        *attempt,
    )
    if new is None:
        return
    status = {Delivered: "delivered", TryAgain: "pending", GiveUp: "failed"}[type(verdict)]
    await connection.execute(
        """update deliveries set attempt = $3, status = $4, due_at = coalesce($5, due_at), reason = $6
           where workspace = $1 and id = $2 and status = 'pending'""",
        due.workspace,
        due.id,
        claimed.attempt,
        status,
        verdict.at if isinstance(verdict, TryAgain) else None,
        verdict.reason if isinstance(verdict, GiveUp) else None,
    )
    await _judge(connection, due, attempt.at, verdict)


async def _judge(connection: Connection, due: Due, at: datetime, verdict: Delivered | TryAgain | GiveUp) -> None:
    """Keeps since when an endpoint has only failed, and disables one that is gone or failed too long."""
    if isinstance(verdict, Delivered):
        await connection.execute(
            """update alert_subscriptions set failing_since = null
               where workspace = $1 and id = $2 and failing_since is not null""",
            due.workspace,
            due.subscription,
        )
        return
    since = await connection.fetchval(
        """update alert_subscriptions set failing_since = coalesce(failing_since, $3)
           where workspace = $1 and id = $2 returning failing_since""",
        due.workspace,
        due.subscription,
        at,
    )
    gone = isinstance(verdict, GiveUp) and verdict.disable
    if gone or has_failed_too_long(since, at):
        await connection.execute(
            """update alert_subscriptions set disabled_at = $3, disabled_because = $4
               where workspace = $1 and id = $2 and disabled_at is null""",
            due.workspace,
            due.subscription,
            at,
            "gone" if gone else "failing",
        )


async def page(
    connection: Connection, workspace: WorkspaceId, subscription: UUID, limit: int, before: UUID | None
) -> list[dict[str, Any]]:
    """Up to `limit` deliveries of a subscription with their attempts, by id."""
    rows = await connection.fetch(
        """select id, alert, status, reason, attempt, due_at, created_at from deliveries
           where workspace = $1 and subscription = $2 and ($4::uuid is null or id > $4) order by id limit $3""",
        workspace,
        subscription,
        limit,
        before,
    )
    made = await connection.fetch(
        """select delivery, attempt, at, milliseconds, status, error, answer from attempts
           where workspace = $1 and delivery = any($2) order by delivery, attempt""",
        workspace,
        [row["id"] for row in rows],
    )
    log: dict[UUID, list[dict[str, Any]]] = {row["id"]: [] for row in rows}
    for row in made:
        log[row["delivery"]].append({**dict(row), "answer": row["answer"].decode("utf-8", "replace")[:2_000]})
    return [{**dict(row), "attempts": log[row["id"]]} for row in rows]
