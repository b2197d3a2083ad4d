"""Who is in which segment and persona now."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from jornada.db import Connection
from jornada.events import SubjectId, WorkspaceId
from services.journey.domain.segments import Role


class Member(NamedTuple):
    """One customer in one segment or persona."""

    role: Role
    name: str
    subject: SubjectId
    entered_at: datetime


async def replace(
    connection: Connection, workspace: WorkspaceId, subjects: Collection[UUID], members: Collection[Member]
) -> None:
    """Has the subjects, whose rows are locked, be in these and no others."""
    ordered = sorted(members)
    columns = [list(column) for column in zip(*ordered, strict=True)] if ordered else [[], [], [], []]
    await connection.execute(
        """delete from memberships where workspace = $1 and subject = any($2) and (role, name, subject) not in
               (select * from unnest($3::text[], $4::text[], $5::uuid[]))""",
        workspace,
        sorted(subjects),
        *columns[:3],
    )
    await connection.execute(
        """insert into memberships (workspace, role, name, subject, entered_at)
           select $1, * from unnest($2::text[], $3::text[], $4::uuid[], $5::timestamptz[])
           on conflict (workspace, role, name, subject) do update set entered_at = excluded.entered_at
           where memberships.entered_at <> excluded.entered_at""",
        workspace,
        *columns,
    )


async def of(
    connection: Connection, workspace: WorkspaceId, subjects: Collection[UUID]
) -> dict[SubjectId, list[Member]]:
    """In which the subjects are: segments before personas, by name."""
    rows = await connection.fetch(
        """select role, name, subject, entered_at from memberships where workspace = $1 and subject = any($2)
           order by role desc, name""",
        workspace,
        list(subjects),
    )
    found: dict[SubjectId, list[Member]] = defaultdict(list)
    for row in rows:
        found[SubjectId(row["subject"])].append(Member(row["role"], row["name"], row["subject"], row["entered_at"]))
    return found


async def among(
    connection: Connection, workspace: WorkspaceId, role: Role, name: str, subjects: Collection[UUID]
) -> set[UUID]:
    """Those of the subjects that are in it."""
    rows = await connection.fetch(
        "select subject from memberships where workspace = $1 and role = $2 and name = $3 and subject = any($4)",
        workspace,
        role,
        name,
        list(subjects),
    )
    return {row["subject"] for row in rows}


async def counts(connection: Connection, workspace: WorkspaceId, role: Role) -> Mapping[str, int]:
    """How many customers are in each that has any."""
    rows = await connection.fetch(
        "select name, count(*) as number from memberships where workspace = $1 and role = $2 group by name",
        workspace,
        role,
    )
    return {row["name"]: row["number"] for row in rows}
