"""Sessions as rows, so that a long life does not weigh on the state."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from jornada.db import Connection
from jornada.events import SubjectId, WorkspaceId
from jornada.instants import instant, micros
from services.journey.domain.sessions import Session

Rows = Mapping[SubjectId, Sequence[Session]]


async def of(
    connection: Connection,
    workspace: WorkspaceId,
    subjects: Collection[UUID],
    span: tuple[datetime, datetime] | None = None,
) -> dict[SubjectId, list[Session]]:
    """The sessions of subjects, all or those that touch a span of time."""
    begins, ends = span or (None, None)
    rows = await connection.fetch(
        """select subject, started_at, message_id, source, ended_at, touchpoints from sessions
           where workspace = $1 and subject = any($2)
             and ($3::timestamptz is null or ended_at >= $3) and ($4::timestamptz is null or started_at <= $4)
           order by started_at""",
        workspace,
        list(subjects),
        begins,
        ends,
    )
    found: dict[SubjectId, list[Session]] = defaultdict(list)
    for row in rows:
        found[SubjectId(row["subject"])].append(_session(row))
    return found


async def page(
    connection: Connection, workspace: WorkspaceId, subject: SubjectId, after: int | None, limit: int
) -> list[Session]:
    """Up to `limit` sessions of a subject, the oldest first, of those that began after an instant (or all)."""
    rows = await connection.fetch(
        """select started_at, message_id, source, ended_at, touchpoints from sessions
           where workspace = $1 and subject = $2 and ($3::timestamptz is null or started_at > $3)
           order by started_at limit $4""",
        workspace,
        subject,
        None if after is None else instant(after),
        limit,
    )
    return [_session(row) for row in rows]


def _session(row: asyncpg.Record) -> Session:
    return Session(
        micros(row["started_at"]), row["message_id"], row["source"], micros(row["ended_at"]), row["touchpoints"]
    )


async def replace(connection: Connection, workspace: WorkspaceId, before: Rows, after: Rows) -> None:
    """Stores what changed between the sessions that were read and those that they became."""
    old = {(subject, session) for subject, sessions in before.items() for session in sessions}
    new = {(subject, session) for subject, sessions in after.items() for session in sessions}
    kept = {(subject, session.started) for subject, session in new}
    gone = [(subject, session.started) for subject, session in old if (subject, session.started) not in kept]
    if gone:
        await connection.executemany(
            "delete from sessions where workspace = $1 and subject = $2 and started_at = $3",
            [(workspace, subject, instant(started)) for subject, started in gone],
        )
    await _upsert(connection, workspace, sorted(new - old))


async def _upsert(connection: Connection, workspace: WorkspaceId, rows: Sequence[tuple[SubjectId, Session]]) -> None:
    if not rows:
        return
    await connection.execute(
        """insert into sessions (workspace, subject, started_at, message_id, source, ended_at, touchpoints)
           select $1, * from unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::timestamptz[], $7::int[])
           on conflict (workspace, subject, started_at) do update
           set message_id = excluded.message_id, source = excluded.source, ended_at = excluded.ended_at,
               touchpoints = excluded.touchpoints""",
        workspace,
        [subject for subject, _ in rows],
        [instant(session.started) for _, session in rows],
        [session.message_id for _, session in rows],
        [session.source for _, session in rows],
        [instant(session.ended) for _, session in rows],
        [session.touchpoints for _, session in rows],
    )
