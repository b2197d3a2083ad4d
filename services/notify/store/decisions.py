"""What was decided on each message to each customer, and the messages themselves."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple
from uuid import UUID

from jornada.db import Connection, Database
from jornada.events import Reason, SubjectId, WorkspaceId, decode, derived_id, encode
from services.notify.domain.alerts import Alert
from services.notify.domain.templates import Rendered

DUE = """decisions where state in ('waiting', 'held') and due_at <= clock_timestamp() + interval '1 s'
    or state = 'claimed' and claimed_at > clock_timestamp() - interval '30 s'"""
"""The table of work that is due: what waits to be decided or is being sent, save what waits for a later hour or try."""

State = Literal["waiting", "held", "claimed", "sent", "failed", "unknown", "suppressed"]


class Due(NamedTuple):
    """A decision whose time has come."""

    workspace: WorkspaceId
    id: UUID


class Waiting(NamedTuple):
    """A decision to be taken, locked."""

    due: Due
    subject: SubjectId
    campaign: str
    crossing: UUID
    to: str
    because: list[Reason]
    state: State
    created_at: datetime
    attempts: int


class Message(NamedTuple):
    """A message as it was written to a customer."""

    subject: SubjectId
    campaign: str
    channel: str
    address: str
    language: str
    rendered: Rendered


def decision_id(workspace: WorkspaceId, campaign: str, crossing: UUID) -> UUID:
    """The one decision of a campaign on a crossing."""
    return derived_id("decision", workspace, campaign, crossing)


async def enrol(
    connection: Connection, workspace: WorkspaceId, alert: Alert, campaigns: Sequence[str], now: datetime
) -> None:
    """Asks for one decision per campaign, each once for ever."""
    await connection.execute(
        """insert into decisions (workspace, id, subject, campaign, crossing, "to", because, state, created_at, due_at)
           select $1, id, $2, campaign, $3, $4, $5, 'waiting', $6, $6
           from unnest($7::uuid[], $8::text[]) as new (id, campaign) on conflict (workspace, id) do nothing""",
        workspace,
        alert.subject.id,
        alert.id,
        alert.to,
        encode(alert.because),
        now,
        [decision_id(workspace, campaign, alert.id) for campaign in campaigns],
        list(campaigns),
    )


async def due(database: Database, now: datetime, most: int) -> list[Due]:
    """What is to be decided now."""
    async with database.transaction(role="jornada_notify_clock") as connection:
        rows = await connection.fetch(
            """select workspace, id from decisions where state in ('waiting', 'held') and due_at <= $1
               order by due_at limit $2""",
            now,
            most,
        )
    return [Due(*row) for row in rows]


async def lock(connection: Connection, due: Due, now: datetime) -> Waiting | None:
    """Takes a decision for this transaction; None if another has it or it is not due any more."""
    row = await connection.fetchrow(
        """select subject, campaign, crossing, "to", because, state, created_at, attempts from decisions
           where workspace = $1 and id = $2 and state in ('waiting', 'held') and due_at <= $3
           for update skip locked""",
        *due,
        now,
    )
    if row is None:
        return None
    return Waiting(
        due,
        row["subject"],
        row["campaign"],
        row["crossing"],
        row["to"],
        decode(row["because"], list[Reason]),
        row["state"],
        row["created_at"],
        row["attempts"],
    )


async def wait(connection: Connection, due: Due, until: datetime) -> None:
    """Looks at it again at that instant, nothing decided."""
    await connection.execute("update decisions set due_at = $3 where workspace = $1 and id = $2", *due, until)


async def decided(
    connection: Connection, due: Due, state: State, outcome: str, reason: str, now: datetime, until: datetime | None
) -> None:
    """Keeps the decision; `until` is when to decide again."""
    await connection.execute(
        """update decisions set state = $3::text, outcome = $4, reason = $5, at = $6::timestamptz,
               due_at = coalesce($7, due_at),
               claimed_at = case when $3::text = 'claimed' then $6::timestamptz end,
               attempts = attempts + ($3::text = 'claimed')::int
           where workspace = $1 and id = $2""",
        *due,
        state,
        outcome,
        reason,
        now,
        until,
    )


async def write(connection: Connection, due: Due, message: Message, now: datetime) -> None:
    """Keeps the message that the decision sends; one that was surely not taken before gives way."""
    await connection.execute(
        """insert into messages (workspace, id, subject, campaign, channel, address, language, subject_line, text, html,
                                 created_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
           on conflict (workspace, id) do update
           set subject = excluded.subject, address = excluded.address, language = excluded.language,
               subject_line = excluded.subject_line, text = excluded.text, html = excluded.html,
               created_at = excluded.created_at""",
        *due,
        message.subject,
        message.campaign,
        message.channel,
        message.address,
        message.language,
        *message.rendered,
        now,
    )


async def finish(connection: Connection, due: Due, state: State, reason: str, until: datetime | None) -> bool:
    """Keeps what came of a claimed decision; False if it was given up meanwhile as unknown."""
    row = await connection.fetchrow(
        """update decisions set state = $3::text, reason = $4, due_at = coalesce($5, due_at)
           where workspace = $1 and id = $2 and (state = 'claimed' or (state = 'unknown' and $3::text = 'sent'))
           returning id""",
        *due,
        state,
        reason,
        until,
    )
    return row is not None


async def suppress_address(
    connection: Connection, workspace: WorkspaceId, channel: str, address: str, reason: str, now: datetime
) -> None:
    """Never writes to the address again."""
    await connection.execute(
        "insert into suppressions values ($1, $2, lower($3), $4, $5) on conflict do nothing",
        workspace,
        channel,
        address,
        reason,
        now,
    )


async def is_suppressed(connection: Connection, workspace: WorkspaceId, channel: str, address: str) -> bool:
    """Whether the address must not be written to."""
    row = await connection.fetchrow(
        "select 1 from suppressions where workspace = $1 and channel = $2 and address = lower($3)",
        workspace,
        channel,
        address,
    )
    return row is not None


async def sent_at(
    connection: Connection, workspace: WorkspaceId, subjects: Sequence[UUID], campaign: str
) -> list[datetime]:
    """When the campaign wrote to any of the subjects, or may have."""
    rows = await connection.fetch(
        """select at from decisions where workspace = $1 and subject = any($2) and campaign = $3
             and state in ('claimed', 'sent', 'unknown')""",
        workspace,
        subjects,
        campaign,
    )
    return [row["at"] for row in rows]


async def give_up(database: Database, now: datetime, patience: timedelta) -> int:
    """Marks as unknown what was claimed so long ago that its process must have died between sending and recording."""
    async with database.transaction(role="jornada_notify_clock") as connection:
        rows = await connection.fetch(
            "select workspace, id from decisions where state = 'claimed' and claimed_at < $1 limit 500", now - patience
        )
    for workspace, id_ in rows:
        async with database.transaction([workspace]) as connection:
            await finish(connection, Due(workspace, id_), "unknown", "no_answer_recorded", None)
    return len(rows)


async def page(
    connection: Connection, workspace: WorkspaceId, subjects: Sequence[UUID], limit: int, after: UUID | None
) -> list[dict[str, Any]]:
    """Up to `limit` decisions on the subjects, by id."""
    rows = await connection.fetch(
        """select decisions.id, decisions.campaign, crossing, outcome, reason, state, decisions.created_at, at,
                  case when state = 'held' then due_at end as held_until, messages.id as message_id
           from decisions left join messages using (workspace, id)
           where workspace = $1 and decisions.subject = any($2) and ($4::uuid is null or id > $4)
           order by id limit $3""",
        workspace,
        subjects,
        limit,
        after,
    )
    return [dict(row) for row in rows]


async def messages(
    connection: Connection, workspace: WorkspaceId, subjects: Sequence[UUID], limit: int, after: UUID | None
) -> list[dict[str, Any]]:
    """Up to `limit` messages to the subjects, by id."""
    rows = await connection.fetch(
        """select id, messages.campaign, channel, language, subject_line as subject, text, html, state as status,
                  messages.created_at as at
           from messages join decisions using (workspace, id)
           where workspace = $1 and messages.subject = any($2) and ($4::uuid is null or id > $4)
           order by id limit $3""",
        workspace,
        subjects,
        limit,
        after,
    )
    return [dict(row) for row in rows]
