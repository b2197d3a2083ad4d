"""Subjects: the newest journey of each, its scores, and the columns that lists sort by."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import asyncpg

from jornada.bus.carrier import Record, Tombstone
from jornada.bus.offsets import NEXT_VERSION
from jornada.bus.publisher import Stored, Subject
from jornada.bus.worker import Outdated
from jornada.db import Conflict, Connection
from jornada.events import SCORES, Identifier, SubjectId, SubjectType, WorkspaceId, topic_key
from services.scoring.domain.scores import FOLD, fold_of


class Row(NamedTuple):
    """One row of `subjects`, by column. Without `band` it stands in no list; without `score` it is not published.

    `grounds`: by what it was scored beside the journey. `segments`: a JSON array of names. `past_at`: when the latest
    history of it was received, imported or not.
    """

    workspace: WorkspaceId
    id: SubjectId
    type: SubjectType
    journey_version: int
    version: int
    journey: bytes | None = None
    score: bytes | None = None
    merged_into: SubjectId | None = None
    as_of: datetime | None = None
    band: str | None = None
    health: float | None = None
    risk: float | None = None
    mrr: Decimal | None = None
    currency: str | None = None
    revenue_at_risk: float = 0.0
    stage: str | None = None
    account: SubjectId | None = None
    band_since: datetime | None = None
    red_since: datetime | None = None
    grounds: str = ""
    segments: str = "[]"
    past_at: datetime | None = None


class Known(NamedTuple):
    """What is stored of a subject, its row locked. `as_of`: as of when it was scored last."""

    type: SubjectType
    journey_version: int
    journey: bytes | None
    as_of: datetime | None


class HistoryRow(NamedTuple):
    """One row of `history`: scores as they were published."""

    workspace: WorkspaceId
    subject: SubjectId
    version: int
    at: datetime
    journey_version: int
    profile: str
    band: str
    health: float | None
    risk: float | None
    reasons: bytes
    fold: int
    model: str


_TYPES = (
    *("uuid", "uuid", "text", "bigint", "bigint", "bytea", "bytea", "uuid", "timestamptz", "text", "float8", "float8"),
    *("numeric", "text", "float8", "text", "uuid", "timestamptz", "timestamptz", "text", "jsonb", "timestamptz"),
)
_COLUMNS = ", ".join(Row._fields)
_CHANGED = ", ".join(f"{column} = excluded.{column}" for column in Row._fields[2:])
_ARRAYS = ", ".join(f"${number}::{type_}[]" for number, type_ in enumerate(_TYPES, 1))
_SAVE = f"""
insert into subjects ({_COLUMNS}) select * from unnest({_ARRAYS}) order by 1, 2
on conflict (workspace, id) do update set {_CHANGED},
  before = case when excluded.journey is null then null
    when (excluded.journey_version > subjects.journey_version
        or (excluded.journey <> subjects.journey and excluded.as_of > subjects.as_of + interval '1 minute'))
      and not subjects.id = any(${len(_TYPES) + 1}::uuid[])
      and abs(coalesce(excluded.health, 0) - coalesce(subjects.health, 0)) >= 1
      then case when excluded.past_at is distinct from subjects.past_at then null else subjects.journey end
    else subjects.before end
where subjects.version < excluded.version and subjects.journey_version <= excluded.journey_version
"""  # noqa: S608 - our own columns


_NOW = f"""
select workspace, '{FOLD}/' || (select count(*) from profiles where profiles.workspace = connected.workspace) || '.' ||
  (select count(*) + count(ended_at) from freezes
   where freezes.workspace = connected.workspace and components <> '{{}}')
  || '/' || string_agg(component, ',' order by component collate "C") as grounds from connected
"""  # noqa: S608 - our own number


_NOT_NEWER = f"coalesce(nullif(split_part(subjects.grounds, '/', 1), ''), '0')::int <= {FOLD}"
"""In SQL: whether these rules or older ones made a score. What newer ones made is none of ours to make again."""


async def locked(connection: Connection, subjects: Collection[Subject], *, journeys: bool) -> dict[Subject, Known]:
    """Locks the rows of those subjects that have one; with their journeys if asked. Raises Outdated."""
    journey = "journey" if journeys else "null::bytea as journey"
    rows = await connection.fetch(
        f"""select workspace, id, type, journey_version, {journey}, as_of, grounds from subjects
            where (workspace, id) in (select * from unnest($1::uuid[], $2::uuid[]))
            order by workspace, id for update""",  # noqa: S608 - our own columns
        [each.workspace for each in subjects],
        [each.id for each in subjects],
    )
    newest = max((fold_of(row["grounds"]) for row in rows), default=FOLD)
    if newest > FOLD:
        raise Outdated(f"a score of fold {newest} is stored; this release makes fold {FOLD}")
    return {
        Subject(row["workspace"], row["id"]): Known(row["type"], row["journey_version"], row["journey"], row["as_of"])
        for row in rows
    }


async def held(connection: Connection, wanted: Collection[Subject]) -> set[Subject]:
    """Those of the subjects that nobody else has locked, locked as far as they have a row."""
    rows = await connection.fetch(
        """with given as (select * from unnest($1::uuid[], $2::uuid[]) as given (workspace, id)),
           held as (select workspace, id from subjects where (workspace, id) in (select workspace, id from given)
                    for update skip locked)
           select workspace, id from given
           where (workspace, id) in (select workspace, id from held)
              or not exists (select from subjects where subjects.workspace = given.workspace and subjects.id = given.id)
        """,
        [each.workspace for each in wanted],
        [each.id for each in wanted],
    )
    return {Subject(row["workspace"], row["id"]) for row in rows}


async def workspaces(connection: Connection) -> list[WorkspaceId]:
    """The workspaces of which anything was received; for the clock's role."""
    rows = await connection.fetch("select distinct workspace from connected order by workspace")
    return [WorkspaceId(row["workspace"]) for row in rows]


async def workspaces_behind(connection: Connection) -> list[WorkspaceId]:
    """The workspaces with subjects that were scored by something else than holds now; for the clock's role."""
    rows = await connection.fetch(
        f"""select workspace from ({_NOW} group by workspace) as now where exists (
                select from subjects where subjects.workspace = now.workspace and band is not null
                  and (subjects.grounds < now.grounds or subjects.grounds > now.grounds) and {_NOT_NEWER})
            order by workspace desc"""  # noqa: S608 - our own
    )
    return [WorkspaceId(row["workspace"]) for row in rows]


async def behind(
    connection: Connection, workspace: WorkspaceId, after: tuple[str, UUID], limit: int
) -> list[tuple[str, SubjectId]]:
    """Up to `limit` subjects scored by something else than holds now, each with that, after the one named."""
    rows = await connection.fetch(
        f"""select grounds, id from subjects
            where workspace = $1 and band is not null and (grounds, id) > ($2, $3)
              and grounds <> (select grounds from ({_NOW} where workspace = $1 group by workspace) as now)
              and {_NOT_NEWER}
            order by grounds, id limit $4""",  # noqa: S608 - our own
        workspace,
        *after,
        limit,
    )
    return [(row["grounds"], SubjectId(row["id"])) for row in rows]


async def journeys(connection: Connection, subjects: Collection[Subject]) -> dict[Subject, bytes]:
    """The stored journeys of those subjects that have one."""
    rows = await connection.fetch(
        """select workspace, id, journey from subjects
           where (workspace, id) in (select * from unnest($1::uuid[], $2::uuid[])) and journey is not null""",
        [each.workspace for each in subjects],
        [each.id for each in subjects],
    )
    return {Subject(row["workspace"], row["id"]): row["journey"] for row in rows}


async def versions_drawn(connection: Connection, count: int) -> list[int]:
    """New versions, each above all that were drawn before the rows were locked."""
    rows = await connection.fetch(f"select {NEXT_VERSION} as version from generate_series(1, $1)", count)  # noqa: S608
    return sorted(row["version"] for row in rows)


async def save(connection: Connection, rows: Sequence[Row], no_news: Collection[SubjectId] = ()) -> None:
    """Stores rows; of those who are `no_news` what was before is left as it is.

    So it is where an account's people change within a minute after it: that is one change with it.

    Raises Conflict where somebody stored a newer one of a subject that had no row to lock.
    """
    if not rows:
        return
    status = await connection.execute(_SAVE, *(list(column) for column in zip(*rows, strict=True)), list(no_news))
    if int(status.split()[-1]) != len(rows):
        raise Conflict("a newer score of the same subject was stored meanwhile")


async def keep_history(connection: Connection, rows: Sequence[HistoryRow]) -> None:
    """Stores what is published, beside what was."""
    if rows:
        await connection.execute(
            """insert into history
                 (workspace, subject, version, at, journey_version, profile, band, health, risk, reasons, fold, model)
               select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::timestamptz[], $5::bigint[], $6::text[],
                 $7::text[], $8::float8[], $9::float8[], $10::bytea[], $11::int[], $12::text[])
               on conflict do nothing""",
            *(list(column) for column in zip(*rows, strict=True)),
        )


async def name(connection: Connection, identifiers: Mapping[Subject, Sequence[Identifier]]) -> None:
    """Makes these the identifiers of the subjects, and no others."""
    pairs = [(subject, each) for subject, owned in identifiers.items() for each in owned]
    arrays = (
        [subject.workspace for subject, _ in pairs],
        [each.type for _, each in pairs],
        [each.value for _, each in pairs],
        [subject.id for subject, _ in pairs],
    )
    await connection.execute(
        """delete from identifiers using unnest($5::uuid[], $6::uuid[]) as named (workspace, subject)
           where identifiers.workspace = named.workspace and identifiers.subject = named.subject
             and (identifiers.workspace, type, value, identifiers.subject) not in
                 (select * from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[]))""",
        *arrays,
        [subject.workspace for subject in identifiers],
        [subject.id for subject in identifiers],
    )
    await connection.execute(
        """insert into identifiers (workspace, type, value, subject)
           select * from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[]) order by 1, 2, 3, 4
           on conflict do nothing""",
        *arrays,
    )


async def forget(connection: Connection, subjects: Collection[Subject]) -> None:
    """Removes what is kept of erased subjects beside their version, and what waits to be told of them."""
    workspaces, ids = [each.workspace for each in subjects], [each.id for each in subjects]
    for table in ("history", "recorded_bands", "crossings", "overrides", "pending"):
        await connection.execute(
            f"delete from {table} where (workspace, subject) in (select * from unnest($1::uuid[], $2::uuid[]))",  # noqa: S608
            workspaces,
            ids,
        )
    for table in ("outbox", "dead_letters"):
        await connection.execute(
            f"delete from {table} where (workspace, key) in (select * from unnest($1::uuid[], $2::bytea[]))",  # noqa: S608
            workspaces,
            [topic_key(each.workspace, each.id) for each in subjects],
        )


async def end(connection: Connection, workspace: WorkspaceId, ids: Collection[SubjectId]) -> None:
    """Has the topic forget erased subjects: from now on a tombstone, under a new version, is what is published."""
    versions = await versions_drawn(connection, len(ids))
    await connection.execute(
        """update subjects set forgotten = true, version = given.version
           from unnest($2::uuid[], $3::bigint[]) as given (id, version)
           where workspace = $1 and subjects.id = given.id and journey is null and not forgotten""",
        workspace,
        sorted(ids),
        versions,
    )


class PostgresScores:
    """The snapshots that scoring publishes, for jornada's Publisher."""

    async def stored(self, connection: Connection, subjects: Sequence[Subject]) -> Sequence[Stored]:
        """The newest of each subject that has any; of the erased a tombstone, once every service knows."""
        return [
            Stored(Subject(row["workspace"], row["id"]), row["version"], _record(row))
            for row in await _published(connection, subjects)
        ]

    async def versions(self, connection: Connection, subjects: Sequence[Subject]) -> Mapping[Subject, int]:
        """The newest version of each subject that has any."""
        return {Subject(row["workspace"], row["id"]): row["version"] for row in await _published(connection, subjects)}


async def _published(connection: Connection, subjects: Sequence[Subject]) -> list[asyncpg.Record]:
    return await connection.fetch(
        """select workspace, id, version, score, forgotten from subjects
           where (workspace, id) in (select * from unnest($1::uuid[], $2::uuid[])) and score is not null""",
        [each.workspace for each in subjects],
        [each.id for each in subjects],
    )


def _record(row: asyncpg.Record) -> Record | Tombstone:
    key = topic_key(row["workspace"], row["id"])
    return Tombstone(SCORES.name, key) if row["forgotten"] else Record(SCORES.name, key, row["score"])
