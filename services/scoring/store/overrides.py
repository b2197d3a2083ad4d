"""What people said of subjects' health: kept as it was said, with who ended it when."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from jornada.bus.publisher import Subject
from jornada.db import Connection
from jornada.events import SubjectId, WorkspaceId, new_id
from services.scoring.domain.overriding import Override
from services.scoring.store.facts import RESCORE


class Said(NamedTuple):
    """One override, by which token it was set, and when it was taken back or another took its place, if it was."""

    override: Override
    set_by: UUID
    ended_at: datetime | None
    ended_by: UUID | None


async def of(connection: Connection, subjects: Collection[Subject]) -> dict[Subject, Override]:
    """The override of each subject that has one which nobody ended; it may be over by time."""
    rows = await connection.fetch(
        """select * from overrides where ended_at is null
           and (workspace, subject) in (select * from unnest($1::uuid[], $2::uuid[]))""",
        [each.workspace for each in subjects],
        [each.id for each in subjects],
    )
    return {Subject(row["workspace"], row["subject"]): _override(row) for row in rows}


async def at(connection: Connection, subject: Subject, at: datetime) -> Override | None:
    """The override of a subject that held at an instant, or holds then unless somebody ends it, if any."""
    row = await connection.fetchrow(
        """select * from overrides where workspace = $1 and subject = $2
           and set_at <= $3 and until_at > $3 and (ended_at is null or ended_at > $3)
           order by set_at desc, id desc limit 1""",
        subject.workspace,
        subject.id,
        at,
    )
    return None if row is None else _override(row)


async def all_of(connection: Connection, workspace: WorkspaceId, subject: SubjectId) -> Sequence[Said]:
    """The latest hundred of a subject, the newest first."""
    rows = await connection.fetch(
        "select * from overrides where workspace = $1 and subject = $2 order by set_at desc, id desc limit 100",
        workspace,
        subject,
    )
    return [Said(_override(row), row["set_by"], row["ended_at"], row["ended_by"]) for row in rows]


async def hold(connection: Connection, workspace: WorkspaceId, subject: SubjectId) -> bool:
    """Has who scores the subject or erases it wait for the end of this transaction; whether there is one to score."""
    row = await connection.fetchrow(
        "select journey is not null as lives from subjects where workspace = $1 and id = $2 for update",
        workspace,
        subject,
    )
    return row is not None and row["lives"]


async def set_(
    connection: Connection, workspace: WorkspaceId, subject: SubjectId, override: Override, by: UUID
) -> None:
    """Sets an override in place of the one that stands, if any. The subject must be held."""
    await end(connection, workspace, subject, override.since, by)
    await connection.execute(
        """insert into overrides (workspace, id, subject, score, band, author, reason, set_at, until_at, set_by)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)""",
        workspace,
        new_id(),
        subject,
        *override,
        by,
    )


async def end(connection: Connection, workspace: WorkspaceId, subject: SubjectId, now: datetime, by: UUID) -> bool:
    """Takes back the override that stands, if any; whether there was one. The subject must be held.

    Either way the subject is to be scored again.
    """
    ended = await connection.fetch(
        """update overrides set ended_at = least($3, until_at), ended_by = case when until_at > $3 then $4::uuid end
           where workspace = $1 and subject = $2 and ended_at is null returning until_at > $3 as stood""",
        workspace,
        subject,
        now,
        by,
    )
    await connection.execute(
        """insert into timers (workspace, subject, name, due_at) values ($1, $2, $3, $4)
           on conflict (workspace, subject, name) do update set due_at = excluded.due_at""",
        workspace,
        subject,
        RESCORE,
        now,
    )
    return any(row["stood"] for row in ended)


def _override(row: asyncpg.Record) -> Override:
    return Override(row["score"], row["band"], row["author"], row["reason"], row["set_at"], row["until_at"])
