"""What somebody said is one: operators' merges, and aliases, as facts that can be undone."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from jornada.db import Connection
from jornada.events import WorkspaceId
from services.journey.domain.identity import Named

_ALIAS = "alias:"


class Said(NamedTuple):
    """That two identifiers are one. An alias has no token that said it; its device, if it names one, is `previous`."""

    id: str
    from_: Named
    into: Named
    at: datetime
    by: UUID | None
    undone_at: datetime | None = None
    undone_by: UUID | None = None

    @property
    def is_alias(self) -> bool:
        """Whether an `alias` says so, and no operator."""
        return self.id.startswith(_ALIAS)


Place = tuple[datetime, str]
"""Where one stands in the list: when it was said, and its id."""

_EVERY = """
    select 'alias:' || source || ':' || message_id as id, 'user_id' as from_type, previous_id as from_value,
           'user_id' as into_type, user_id as into_value, occurred_at as at, null::uuid as by
    from aliases where workspace = $1 and {alias}
    union all
    select id::text, from_type, from_value, into_type, into_value, merged_at, merged_by
    from merges where workspace = $1 and {merge}"""


def _select(alias: str, merge: str) -> str:
    return (
        f"select said.*, undone_at, undone_by from ({_EVERY.format(alias=alias, merge=merge)}) as said"  # noqa: S608
        " left join undos on undos.workspace = $1 and undos.fact = said.id"
    )


async def add(connection: Connection, workspace: WorkspaceId, id_: UUID, said: Said) -> None:
    """Stores a merge."""
    await connection.execute(
        """insert into merges (workspace, id, from_type, from_value, into_type, into_value, merged_at, merged_by)
           values ($1, $2, $3, $4, $5, $6, $7, $8)""",
        workspace,
        id_,
        *said.from_,
        *said.into,
        said.at,
        said.by,
    )


async def one(connection: Connection, workspace: WorkspaceId, id_: str) -> Said | None:
    """The merge or alias of an id."""
    if id_.startswith(_ALIAS):
        source, _, message_id = id_.removeprefix(_ALIAS).partition(":")
        query, given = _select("source = $2 and message_id = $3", "false"), [source, message_id]
    else:
        query, given = _select("false", "id::text = $2"), [id_]
    row = await connection.fetchrow(query, workspace, *given)
    return None if row is None else _said(row)


async def undo(connection: Connection, workspace: WorkspaceId, said: Said, at: datetime, by: UUID) -> bool:
    """Cancels a fact for all time; whether it stood."""
    row = await connection.fetchrow(
        """insert into undos (workspace, fact, undone_at, undone_by) values ($1, $2, $3, $4)
           on conflict do nothing returning fact""",
        workspace,
        said.id,
        at,
        by,
    )
    return row is not None


async def undone(connection: Connection, workspace: WorkspaceId, ids: Collection[str]) -> set[str]:
    """Those of the facts that were undone."""
    rows = await connection.fetch(
        "select fact from undos where workspace = $1 and fact = any($2)", workspace, list(ids)
    )
    return {row["fact"] for row in rows}


def alias_id(source: str, message_id: str) -> str:
    """The id of an alias as a fact."""
    return f"{_ALIAS}{source}:{message_id}"


async def of(
    connection: Connection, workspace: WorkspaceId, named: Collection[Named], limit: int, before: Place | None
) -> list[Said]:
    """Up to `limit` merges and aliases, also undone ones, that name any of the identifiers; newest first."""
    ordered = sorted(named)
    touching = "({0}_type, {0}_value) in (select * from unnest($2::text[], $3::text[]))"
    query = _select(
        "(previous_id = any($3) or user_id = any($3))", f"({touching.format('from')} or {touching.format('into')})"
    )
    rows = await connection.fetch(
        f"""{query} where ($4::timestamptz is null or (at, id) < ($4, $5::text)) order by at desc, id desc limit $6""",
        workspace,
        [each.type for each in ordered],
        [each.value for each in ordered],
        *(before or (None, None)),
        limit,
    )
    return [_said(row) for row in rows]


def _said(row: asyncpg.Record) -> Said:
    return Said(
        row["id"],
        Named(row["from_type"], row["from_value"]),
        Named(row["into_type"], row["into_value"]),
        row["at"],
        row["by"],
        row["undone_at"],
        row["undone_by"],
    )
