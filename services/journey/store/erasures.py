"""Erasures: what was asked, who is no more and under which names, which services have confirmed."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from jornada.db import Connection
from jornada.events import SubjectId, WorkspaceId
from services.journey.domain.erasure import Mark
from services.journey.store import subjects


class Erasure(NamedTuple):
    """One erasure. `dropped` counts the events that came late and fell under it."""

    id: UUID
    subject: SubjectId
    erased_at: datetime
    block: bool
    asked_by: UUID | None = None
    dropped: int = 0
    done_at: datetime | None = None


class End(NamedTuple):
    """That a subject is no more, as of a version; whether every service knows, so that the topic may forget it."""

    subject: SubjectId
    version: int
    forgotten: bool


_COLUMNS = ", ".join(Erasure._fields)


async def add(connection: Connection, workspace: WorkspaceId, erasure: Erasure, names: Collection[str]) -> None:
    """Stores an erasure and the names under which it is known for ever."""
    await connection.execute(
        """insert into erasures (workspace, id, subject, erased_at, block, asked_by) values ($1, $2, $3, $4, $5, $6)
           on conflict do nothing""",
        workspace,
        *erasure[:5],
    )
    await connection.execute(
        """insert into erased_names as known (workspace, name, erasure, erased_at, block)
           select $1, name, $3, $4, $5 from unnest($2::text[]) as name order by name
           on conflict (workspace, name) do update
           set erasure = excluded.erasure, erased_at = excluded.erased_at, block = known.block or excluded.block
           where known.erased_at <= excluded.erased_at""",
        workspace,
        sorted(names),
        erasure.id,
        erasure.erased_at,
        erasure.block,
    )


async def end(
    connection: Connection, workspace: WorkspaceId, erasure: UUID, ids: Collection[SubjectId]
) -> dict[SubjectId, int]:
    """Has subjects be no more; returns the versions of their ends."""
    ordered = sorted(ids)
    versions = await subjects.draw_versions(connection, len(ordered))
    await connection.execute("delete from subjects where workspace = $1 and id = any($2)", workspace, ordered)
    await connection.execute(
        """insert into erased_subjects (workspace, subject, erasure, version)
           select $1, subject, $2, version from unnest($3::uuid[], $4::bigint[]) as gone (subject, version)
           on conflict (workspace, subject) do update
           set erasure = excluded.erasure, version = excluded.version, forgotten = false""",
        workspace,
        erasure,
        ordered,
        versions,
    )
    return dict(zip(ordered, versions, strict=True))


async def block(connection: Connection, workspace: WorkspaceId, erasure: UUID) -> None:
    """Has nobody begin anew under the names of an erasure."""
    for statement in (
        "update erasures set block = true where workspace = $1 and id = $2",
        "update erased_names set block = true where workspace = $1 and erasure = $2",
    ):
        await connection.execute(statement, workspace, erasure)


async def one(connection: Connection, workspace: WorkspaceId, id_: UUID) -> Erasure | None:
    """An erasure by its id."""
    row = await connection.fetchrow(
        f"select {_COLUMNS} from erasures where workspace = $1 and id = $2",  # noqa: S608 - our own columns
        workspace,
        id_,
    )
    return None if row is None else Erasure(*row)


async def of(connection: Connection, workspace: WorkspaceId, *, subject: UUID | None, name: str) -> Erasure | None:
    """The erasure of a subject, or the latest one under a name."""
    row = await connection.fetchrow(
        f"""select {_COLUMNS} from erasures where workspace = $1 and id in (
                select erasure from erased_subjects where workspace = $1 and subject = $2
                union all select erasure from erased_names where workspace = $1 and name = $3)
            order by erased_at desc limit 1""",  # noqa: S608 - our own columns
        workspace,
        subject,
        name,
    )
    return None if row is None else Erasure(*row)


async def any_known(connection: Connection, workspace: WorkspaceId) -> bool:
    """Whether anybody was ever erased."""
    known: bool = await connection.fetchval("select exists (select from erased_names where workspace = $1)", workspace)
    return known


async def marks(connection: Connection, workspace: WorkspaceId, names: Collection[str]) -> dict[str, Mark]:
    """What those of the names stand for that were erased."""
    rows = await connection.fetch(
        "select name, erasure, erased_at, block from erased_names where workspace = $1 and name = any($2)",
        workspace,
        list(names),
    )
    return {row["name"]: Mark(row["erasure"], row["erased_at"], row["block"]) for row in rows}


async def names_of(connection: Connection, workspace: WorkspaceId, erasure: UUID) -> list[str]:
    """The names that stand for an erasure."""
    rows = await connection.fetch(
        "select name from erased_names where workspace = $1 and erasure = $2 order by name", workspace, erasure
    )
    return [row["name"] for row in rows]


async def subjects_of(
    connection: Connection, workspace: WorkspaceId, erasures: Collection[UUID]
) -> dict[SubjectId, int]:
    """Who is no more by these erasures, each with the version of the end."""
    rows = await connection.fetch(
        "select subject, version from erased_subjects where workspace = $1 and erasure = any($2) order by subject",
        workspace,
        list(erasures),
    )
    return {SubjectId(row["subject"]): row["version"] for row in rows}


async def count(connection: Connection, workspace: WorkspaceId, dropped: Mapping[UUID, int]) -> None:
    """Counts events that fell under erasures."""
    for erasure in sorted(dropped):
        await connection.execute(
            "update erasures set dropped = dropped + $3 where workspace = $1 and id = $2",
            workspace,
            erasure,
            dropped[erasure],
        )


async def confirm(connection: Connection, workspace: WorkspaceId, erasure: UUID, service: str, at: datetime) -> None:
    """Notes that a service has confirmed, once."""
    await connection.execute(
        """insert into erasure_confirmations (workspace, erasure, service, at) values ($1, $2, $3, $4)
           on conflict do nothing""",
        workspace,
        erasure,
        service,
        at,
    )


async def confirmed(connection: Connection, workspace: WorkspaceId, erasure: UUID) -> dict[str, datetime]:
    """Which services have confirmed, and when."""
    rows = await connection.fetch(
        "select service, at from erasure_confirmations where workspace = $1 and erasure = $2", workspace, erasure
    )
    return {row["service"]: row["at"] for row in rows}


async def finish(connection: Connection, workspace: WorkspaceId, erasure: UUID, at: datetime) -> bool:
    """Notes that all have confirmed, and has the topic forget the subjects; whether it is new."""
    row = await connection.fetchrow(
        "update erasures set done_at = $3 where workspace = $1 and id = $2 and done_at is null returning id",
        workspace,
        erasure,
        at,
    )
    if row is None:
        return False
    ids = list(await subjects_of(connection, workspace, [erasure]))
    versions = await subjects.draw_versions(connection, len(ids))
    await connection.execute(
        """update erased_subjects set forgotten = true, version = given.version
           from unnest($2::uuid[], $3::bigint[]) as given (subject, version)
           where workspace = $1 and erased_subjects.subject = given.subject""",
        workspace,
        ids,
        versions,
    )
    return True


async def ends(connection: Connection, workspace: WorkspaceId, ids: Sequence[SubjectId]) -> list[End]:
    """The ends of those of the subjects that are no more."""
    rows = await connection.fetch(
        "select subject, version, forgotten from erased_subjects where workspace = $1 and subject = any($2)",
        workspace,
        list(ids),
    )
    return [End(*row) for row in rows]
