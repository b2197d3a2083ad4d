"""Stored facts with the touchpoints they rest on, so that those that rest on none are found and dropped."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple

import asyncpg

from jornada.db import Connection
from jornada.events import Touchpoint, WorkspaceId, decode
from jornada.instants import instant, micros
from services.journey.domain.identity import Named
from services.journey.domain.reading import Moment, Reading, read
from services.journey.store import identifiers
from services.journey.store.facts import columns, moment

Table = Literal["aliases", "email_pairs", "email_facts"]
TABLES: Sequence[Table] = ("aliases", "email_pairs", "email_facts")


class Fact(NamedTuple):
    """That somebody stated something, and when: of the user id `by` a previous one, of whom else an e-mail.

    `place` is its key in its table.
    """

    by: Named
    what: str
    at: Moment
    place: list[str]


class _Columns(NamedTuple):
    key: str
    dated: bool
    type: str
    value: str
    what: str


_COLUMNS: Mapping[Table, _Columns] = {
    "aliases": _Columns("previous_id, user_id", True, "'user_id'", "user_id", "previous_id"),
    "email_pairs": _Columns("email, type, value", False, "type", "value", "email"),
    "email_facts": _Columns("anonymous_id, email", True, "'anonymous_id'", "anonymous_id", "email"),
}
_AT = "occurred_at, message_id, source"


async def pairs_after(
    connection: Connection, workspace: WorkspaceId, after: Sequence[str], most: int
) -> list[tuple[str, str]]:
    """Up to `most` devices and users seen together, after a pair."""
    rows = await connection.fetch(
        """select anonymous_id, user_id from device_users where workspace = $1 and (anonymous_id, user_id) > ($2, $3)
           order by anonymous_id, user_id limit $4""",
        workspace,
        *after,
        most,
    )
    return [(row["anonymous_id"], row["user_id"]) for row in rows]


async def groundless_pairs(
    connection: Connection, workspace: WorkspaceId, first: tuple[str, str], last: tuple[str, str]
) -> set[tuple[str, str]]:
    """The devices and users from one pair to another of whose very moment there is no fact."""
    rows = await connection.fetch(
        """select pair.anonymous_id, pair.user_id from device_users as pair
           left join lateral (
               select true as founded from device_facts
               where workspace = $1 and anonymous_id = pair.anonymous_id and user_id = pair.user_id
                 and occurred_at = pair.occurred_at and message_id = pair.message_id and source = pair.source
               limit 1) as fact on true
           where workspace = $1 and (anonymous_id, user_id) between ($2, $3) and ($4, $5) and founded is null""",
        workspace,
        *first,
        *last,
    )
    return {(row["anonymous_id"], row["user_id"]) for row in rows}


async def facts_after(
    connection: Connection, workspace: WorkspaceId, table: Table, after: Sequence[str], most: int
) -> list[Fact]:
    """Up to `most` facts of a table, after a place, in the order of its key."""
    of = _COLUMNS[table]
    key = f"{of.key}, {_AT}" if of.dated else of.key
    count = len(key.split(","))
    marks = ", ".join(f"${n + 2}" for n in range(count))
    rows = await connection.fetch(
        f"select *, {of.type} as by_type, {of.value} as by_value, {of.what} as what from {table}"  # noqa: S608 - own text
        f" where workspace = $1 and ($2::text is null or ({key}) > ({marks})) order by {key} limit ${count + 2}",
        workspace,
        *_key(after, dated=of.dated) if after else [None] * count,
        most,
    )
    return [
        Fact(Named(row["by_type"], row["by_value"]), row["what"], moment(row), _place(row, key.split(", ")))
        for row in rows
    ]


async def said(
    connection: Connection, workspace: WorkspaceId, facts: Collection[Fact]
) -> dict[tuple[Named, Moment], Reading]:
    """The touchpoints on which facts rest: that of the user id, or of the device without one, of that very moment."""
    ordered = sorted({(fact.by, fact.at) for fact in facts})
    # Looked up apart: within the query the planner may read a workspace whole for each, if it has not yet counted it.
    known = await identifiers.read(connection, workspace, {by for by, _ in ordered if by.type == "user_id"})
    rows = await connection.fetch(
        """select number, told.record from unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::text[])
               with ordinality as given (owner, occurred_at, message_id, source, number)
           cross join lateral (
               select record from touchpoints
               where workspace = $1 and touchpoints.owner = given.owner and touchpoints.occurred_at = given.occurred_at
                 and touchpoints.message_id = given.message_id and touchpoints.source = given.source
               limit 1) as told
           union all
           select number, told.record from unnest($6::text[], $3::timestamptz[], $4::text[], $5::text[])
               with ordinality as given (device, occurred_at, message_id, source, number)
           cross join lateral (
               select record from touchpoints
               where workspace = $1 and touchpoints.occurred_at = given.occurred_at
                 and touchpoints.message_id = given.message_id and touchpoints.source = given.source
                 and touchpoints.device = given.device and user_id is null
               limit 1) as told""",
        workspace,
        [known[by].node.id if by in known else None for by, _ in ordered],
        *columns([at for _, at in ordered]),
        [by.value if by.type == "anonymous_id" else None for by, _ in ordered],
    )
    return {ordered[row["number"] - 1]: read(decode(row["record"], Touchpoint)) for row in rows}


async def drop(connection: Connection, workspace: WorkspaceId, table: Table, facts: Collection[Fact]) -> None:
    """Drops facts as they were read; one of an earlier moment meanwhile stays."""
    of = _COLUMNS[table]
    by_type = f" and {of.type} = $2" if of.type == "type" else " and $2::text is not null"
    await connection.executemany(
        f"delete from {table} where workspace = $1{by_type} and {of.value} = $3 and {of.what} = $4"  # noqa: S608 - own text
        " and occurred_at = $5 and message_id = $6 and source = $7",
        [(workspace, *fact.by, fact.what, instant(fact.at[0]), *fact.at[1:]) for fact in facts],
    )


async def told_by(connection: Connection, workspace: WorkspaceId, by: Named) -> list[Reading]:
    """Every touchpoint of a user id, or of a device without one."""
    if by.type == "user_id":
        owned = "owner = (select id from identifiers where workspace = $1 and type = 'user_id' and value = $2)"
    else:
        owned = "device = $2 and user_id is null"
    rows = await connection.fetch(
        f"select record from touchpoints where workspace = $1 and {owned}",  # noqa: S608 - own text
        workspace,
        by.value,
    )
    return [read(decode(row["record"], Touchpoint)) for row in rows]


def _key(place: Sequence[str], *, dated: bool) -> list[object]:
    return [*place[:-3], instant(int(place[-3])), *place[-2:]] if dated else list(place)


def _place(row: asyncpg.Record, key: Sequence[str]) -> list[str]:
    return [str(micros(row[name])) if name == "occurred_at" else row[name] for name in key]
