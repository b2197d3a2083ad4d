"""Facts that link nothing, with why: kept for people to see."""

from collections.abc import Collection, Mapping

import asyncpg

from jornada.db import Connection
from jornada.events import WorkspaceId
from services.journey.domain.identity import Named, Refusal, Why
from services.journey.store.facts import columns, moment

_NOBODY = Named("", "")

Place = tuple[str, str, str, str]
"""Where a refusal stands in the list: its identifier's type and value, and those of what it would have linked."""


async def replace(
    connection: Connection, workspace: WorkspaceId, named: Collection[Named], refused: Collection[Refusal]
) -> None:
    """Has the facts about these identifiers, whose rows are locked, be refused that are, and no others."""
    ordered = sorted(named)
    # As one query with `refusals` it may be planned as a reading of the whole table; `offset 0` keeps it apart.
    rows = await connection.fetch(
        """select known.* from unnest($2::text[], $3::text[]) as given (type, value)
           cross join lateral (
               select * from refusals as known
               where workspace = $1 and known.type = given.type and known.value = given.value offset 0) as known""",
        workspace,
        [each.type for each in ordered],
        [each.value for each in ordered],
    )
    old = {place(each): each for each in map(_refusal, rows)}
    new = {place(each): each for each in refused}
    gone = sorted(old.keys() - new.keys())
    if gone:
        await connection.executemany(
            "delete from refusals where workspace = $1 and type = $2 and value = $3 and to_type = $4 and to_value = $5",
            [(workspace, *key) for key in gone],
        )
    await _upsert(connection, workspace, {key: new[key] for key in sorted(new) if new[key] != old.get(key)})


async def listed(connection: Connection, workspace: WorkspaceId, limit: int, after: Place | None) -> list[Refusal]:
    """Up to `limit` refused facts, by identifier, after a place."""
    rows = await connection.fetch(
        """select * from refusals
           where workspace = $1 and ($2::text is null or (type, value, to_type, to_value) > ($2, $3::text, $4, $5))
           order by type, value, to_type, to_value limit $6""",
        workspace,
        *(after or (None, None, None, None)),
        limit,
    )
    return [_refusal(row) for row in rows]


def place(refusal: Refusal) -> Place:
    """Where it stands in the list."""
    return (*refusal.named, *(refusal.to or _NOBODY))


async def _upsert(connection: Connection, workspace: WorkspaceId, rows: Mapping[Place, Refusal]) -> None:
    if not rows:
        return
    await connection.execute(
        """insert into refusals (workspace, type, value, to_type, to_value, why, occurred_at, message_id, source)
           select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                                    $8::text[], $9::text[])
           on conflict (workspace, type, value, to_type, to_value) do update
           set why = excluded.why, occurred_at = excluded.occurred_at, message_id = excluded.message_id,
               source = excluded.source""",
        workspace,
        *(list(column) for column in zip(*rows, strict=True)),
        [each.why.value for each in rows.values()],
        *columns([each.at for each in rows.values()]),
    )


def _refusal(row: asyncpg.Record) -> Refusal:
    to = Named(row["to_type"], row["to_value"])
    return Refusal(Named(row["type"], row["value"]), None if to == _NOBODY else to, Why(row["why"]), moment(row))
