"""Subjects: one row each, with its state, the event that was or will be published, and its version."""

from collections.abc import Collection, Sequence
from typing import NamedTuple
from uuid import UUID

from jornada.bus.offsets import NEXT_VERSION
from jornada.bus.publisher import Subject
from jornada.db import Connection
from jornada.events import SubjectId, SubjectType, WorkspaceId, decode, encode
from services.journey.domain.contracts import Truths
from services.journey.domain.segments import Kept, Stays
from services.journey.domain.state import EMPTY, FOLD, State
from services.journey.domain.vocabulary import NONE


class Row(NamedTuple):
    """A subject as it is stored. `state` is EMPTY where it merged into another.

    `fold` and `vocabulary` tell by which fold, and in which version of the workspace's vocabulary, it was made.
    """

    id: SubjectId
    type: SubjectType
    merged_into: SubjectId | None
    state: State
    sessions: int
    fold: int
    vocabulary: int = 0
    kept: Kept | None = None
    version: int = 0


class Saved(NamedTuple):
    """A subject as it is to be stored. `event` goes onto the stream: its snapshot, what it merged into, or nothing."""

    id: SubjectId
    type: SubjectType
    version: int
    state: bytes
    sessions: int = 0
    event: bytes | None = None
    merged_into: SubjectId | None = None
    stage: str | None = None
    name: str | None = None
    account: SubjectId | None = None
    stays: bytes | None = None
    truths: bytes | None = None


async def locked(connection: Connection, workspace: WorkspaceId, ids: Collection[UUID]) -> dict[SubjectId, Row]:
    """The rows of those that exist, locked in the order of their ids."""
    rows = await connection.fetch(
        """select id, type, merged_into, state, sessions, fold, vocabulary, stays, truths, version from subjects
           where workspace = $1 and id = any($2) order by id for no key update""",
        workspace,
        sorted(ids),
    )
    return {
        SubjectId(row["id"]): Row(
            row["id"],
            row["type"],
            row["merged_into"],
            # A state of another fold may not even be readable; it is folded again.
            decode(row["state"], State) if row["fold"] == FOLD else EMPTY,
            row["sessions"],
            row["fold"],
            row["vocabulary"],
            kept(row["stays"], row["truths"]),
            row["version"],
        )
        for row in rows
    }


async def held(connection: Connection, wanted: Collection[Subject]) -> set[Subject]:
    """Those of the subjects that nobody else has locked, locked as far as they have a row."""
    rows = await connection.fetch(
        """with given as (select * from unnest($1::uuid[], $2::uuid[]) as given (workspace, id)),
           held as (select workspace, id from subjects where (workspace, id) in (select workspace, id from given)
                    for no key update skip locked)
           select workspace, id from given
           where (workspace, id) in (select workspace, id from held)
              or not exists (select from subjects where subjects.workspace = given.workspace and subjects.id = given.id)
        """,
        [each.workspace for each in wanted],
        [each.id for each in wanted],
    )
    return {Subject(row["workspace"], row["id"]) for row in rows}


async def folds(connection: Connection, workspace: WorkspaceId, ids: Collection[UUID]) -> dict[SubjectId, int]:
    """By which fold each was made that exists; their rows locked in the order of their ids."""
    rows = await connection.fetch(
        "select id, fold from subjects where workspace = $1 and id = any($2) order by id for no key update",
        workspace,
        sorted(ids),
    )
    return {SubjectId(row["id"]): row["fold"] for row in rows}


async def saved(
    connection: Connection, workspace: WorkspaceId, ids: Collection[UUID], vocabulary: int
) -> dict[SubjectId, Saved]:
    """Those that exist, as they were stored; without a state where it is of another fold or vocabulary."""
    rows = await connection.fetch(
        """select id, type, version, case when fold = $3 and vocabulary = $4 or merged_into is not null then state end,
                  sessions, snapshot, merged_into, stage, name, account, stays, truths
           from subjects where workspace = $1 and id = any($2)""",
        workspace,
        list(ids),
        FOLD,
        vocabulary,
    )
    return {
        SubjectId(row["id"]): Saved(row["id"], row["type"], row["version"], row[3] or b"", *row[4:]) for row in rows
    }


def kept(stays: bytes | None, truths: bytes | None) -> Kept | None:
    """Stored stays and truths, decoded."""
    if stays is None or truths is None:
        return None
    found: tuple[int, Stays] = decode(stays, tuple[int, Stays])
    return Kept(*found, decode(truths, Truths))


async def published(connection: Connection, workspace: WorkspaceId, ids: Collection[SubjectId]) -> set[SubjectId]:
    """Those of the subjects whose event is or will be on the stream."""
    if not ids:
        return set()
    rows = await connection.fetch(
        "select id from subjects where workspace = $1 and id = any($2) and snapshot is not null", workspace, list(ids)
    )
    return {SubjectId(row["id"]) for row in rows}


async def draw_versions(connection: Connection, count: int) -> list[int]:
    """New versions; to be drawn while the rows are locked."""
    rows = await connection.fetch(f"select {NEXT_VERSION} as version from generate_series(1, $1)", count)  # noqa: S608
    return sorted(row["version"] for row in rows)


async def save(connection: Connection, workspace: WorkspaceId, saved: Sequence[Saved], vocabulary: int = 0) -> None:
    """Stores subjects, told in a version of the vocabulary."""
    ordered = sorted(saved)
    await connection.execute(
        """insert into subjects (workspace, id, type, version, state, sessions, snapshot, merged_into, stage, name,
                                 account, stays, truths, fold, vocabulary)
           select $1, *, $14, $15 from unnest($2::uuid[], $3::text[], $4::bigint[], $5::bytea[], $6::int[], $7::bytea[],
                                         $8::uuid[], $9::text[], $10::text[], $11::uuid[], $12::bytea[],
                                         $13::bytea[])
           on conflict (workspace, id) do update
           set version = excluded.version, state = excluded.state, sessions = excluded.sessions,
               snapshot = excluded.snapshot, merged_into = excluded.merged_into, stage = excluded.stage,
               name = excluded.name, account = excluded.account, stays = excluded.stays, truths = excluded.truths,
               fold = excluded.fold, vocabulary = excluded.vocabulary""",
        workspace,
        *(list(column) for column in zip(*ordered, strict=True)),
        FOLD,
        vocabulary,
    )


async def spoil(connection: Connection, workspace: WorkspaceId, customers: Collection[UUID]) -> None:
    """Has customers, known or not yet, be of no vocabulary: whoever looks at one folds it again."""
    await connection.execute(
        """insert into subjects (workspace, id, type, version, state, sessions, fold, vocabulary)
           select $1, id, 'customer', 0, $3, 0, $4, $5 from unnest($2::uuid[]) as id
           on conflict (workspace, id) do update set vocabulary = excluded.vocabulary""",
        workspace,
        sorted(customers),
        encode(EMPTY),
        FOLD,
        NONE,
    )


async def forget(connection: Connection, workspace: WorkspaceId, ids: Collection[UUID]) -> None:
    """Drops the rows of subjects."""
    await connection.execute("delete from subjects where workspace = $1 and id = any($2)", workspace, list(ids))


async def workspaces_behind(connection: Connection) -> list[WorkspaceId]:
    """The workspaces with subjects of an older fold; for the clock's role."""
    rows = await connection.fetch(
        """select workspace from workspaces where exists (
               select from subjects
               where subjects.workspace = workspaces.workspace and fold < $1 and merged_into is null)
           order by workspace desc""",
        FOLD,
    )
    return [WorkspaceId(row["workspace"]) for row in rows]


async def behind(
    connection: Connection, workspace: WorkspaceId, after: tuple[int, UUID], limit: int
) -> list[tuple[int, SubjectId]]:
    """Up to `limit` subjects of an older fold, each with it, the oldest first, after the one named."""
    rows = await connection.fetch(
        """select fold, id from subjects
           where workspace = $1 and fold < $2 and merged_into is null and (fold, id) > ($3, $4)
           order by fold, id limit $5""",
        workspace,
        FOLD,
        *after,
        limit,
    )
    return [(row["fold"], SubjectId(row["id"])) for row in rows]


def by_workspace(subjects: Collection[Subject]) -> dict[WorkspaceId, list[SubjectId]]:
    """The ids of subjects, by workspace."""
    found: dict[WorkspaceId, list[SubjectId]] = {}
    for subject in subjects:
        found.setdefault(subject.workspace, []).append(subject.id)
    return found
