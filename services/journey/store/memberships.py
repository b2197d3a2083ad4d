"""Who is in which segment and persona now, and who has reached which milestone."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from jornada.db import Connection
from jornada.events import SubjectId, WorkspaceId
from services.journey.domain.segments import Role


class Member(NamedTuple):
    """One customer in one segment or persona, or with one milestone reached: `waited` seconds after they came."""

    role: Role
    name: str
    subject: SubjectId
    entered_at: datetime
    waited: int | None = None


class Count(NamedTuple):
    """How many customers are in one, and of a milestone the median of the seconds after which they reached it."""

    customers: int = 0
    median: int | None = None


async def replace(
    connection: Connection, workspace: WorkspaceId, subjects: Collection[UUID], members: Collection[Member]
) -> None:
    """Has the subjects, whose rows are locked, be in these and no others."""
    ordered = sorted(members)
    columns = [list(column) for column in zip(*ordered, strict=True)] if ordered else [[], [], [], [], []]
    await connection.execute(
        """delete from memberships where workspace = $1 and subject = any($2) and (role, name, subject) not in
               (select * from unnest($3::text[], $4::text[], $5::uuid[]))""",
        workspace,
        sorted(subjects),
        *columns[:3],
    )
    await connection.execute(
        """insert into memberships (workspace, role, name, subject, entered_at, waited)
           select $1, * from unnest($2::text[], $3::text[], $4::uuid[], $5::timestamptz[], $6::bigint[])
           on conflict (workspace, role, name, subject) do update
           set entered_at = excluded.entered_at, waited = excluded.waited
           where (memberships.entered_at, memberships.waited)
                 is distinct from (excluded.entered_at, excluded.waited)""",
        workspace,
        *columns,
    )


async def of(
    connection: Connection, workspace: WorkspaceId, subjects: Collection[UUID]
) -> dict[SubjectId, list[Member]]:
    """In which the subjects are: segments, personas, milestones, by name."""
    rows = await connection.fetch(
        """select role, name, subject, entered_at, waited from memberships
           where workspace = $1 and subject = any($2) order by role desc, name collate "C"
        """,
        workspace,
        list(subjects),
    )
    found: dict[SubjectId, list[Member]] = defaultdict(list)
    for row in rows:
        found[SubjectId(row["subject"])].append(Member(*row))
    return found


async def among(
    connection: Connection, workspace: WorkspaceId, role: Role, name: str, subjects: Collection[UUID]
) -> dict[UUID, datetime]:
    """Those of the subjects that are in it, and since when."""
    rows = await connection.fetch(
        """select subject, entered_at from memberships
           where workspace = $1 and role = $2 and name = $3 and subject = any($4)""",
        workspace,
        role,
        name,
        list(subjects),
    )
    return {row["subject"]: row["entered_at"] for row in rows}


async def counts(connection: Connection, workspace: WorkspaceId, role: Role) -> Mapping[str, Count]:
    """The count of each that has any."""
    rows = await connection.fetch(
        """select name, count(*) as number, percentile_disc(0.5) within group (order by waited) as median
           from memberships where workspace = $1 and role = $2 group by name""",
        workspace,
        role,
    )
    return {row["name"]: Count(row["number"], row["median"]) for row in rows}
