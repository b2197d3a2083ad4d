"""Identifiers, each with its drawn id and whose it is."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import NamedTuple
from uuid import UUID

import asyncpg

from jornada.db import Connection
from jornada.events import Identifier, SubjectId, WorkspaceId, new_id
from services.journey.domain.identity import Named, Node, Placement, Sharing


class Stored(NamedTuple):
    """An identifier as it is stored, and where it was placed last."""

    node: Node
    placement: Placement


async def locked(connection: Connection, workspace: WorkspaceId, named: Collection[Named]) -> dict[Named, Stored]:
    """Those that exist, locked in the order of (type, value), so that none can be placed elsewhere meanwhile."""
    return await _read(connection, workspace, named, " order by value for no key update")


async def read(connection: Connection, workspace: WorkspaceId, named: Collection[Named]) -> dict[Named, Stored]:
    """Those that exist."""
    return await _read(connection, workspace, named, "")


async def _read(
    connection: Connection, workspace: WorkspaceId, named: Collection[Named], order: str
) -> dict[Named, Stored]:
    values: dict[str, list[str]] = defaultdict(list)
    for each in named:
        values[each.type].append(each.value)
    found: dict[Named, Stored] = {}
    for type_ in sorted(values):
        rows = await connection.fetch(
            "select type, value, id, stored, stated, customer, sharing from identifiers"  # noqa: S608 - own text
            f" where workspace = $1 and type = $2 and value = any($3){order}",
            workspace,
            type_,
            sorted(values[type_]),
        )
        found |= {Named(row["type"], row["value"]): _stored(row) for row in rows}
    return found


async def add(connection: Connection, workspace: WorkspaceId, named: Mapping[Named, bool]) -> None:
    """Stores identifiers not yet known; the value says whether an event states it.

    Each is its own customer, save an e-mail, which is nobody's until it is placed.
    """
    ordered = sorted(named)
    ids = [new_id() for _ in ordered]
    await connection.execute(
        """insert into identifiers (workspace, type, value, id, customer, stated)
           select $1, type, value, id, case when type <> 'email' then id end, stated
           from unnest($2::text[], $3::text[], $4::uuid[], $5::boolean[]) as given (type, value, id, stated)
           on conflict do nothing""",
        workspace,
        [each.type for each in ordered],
        [each.value for each in ordered],
        ids,
        [named[each] for each in ordered],
    )


async def state_users(connection: Connection, workspace: WorkspaceId, users: Collection[str]) -> None:
    """Notes that events carry these as user ids."""
    await connection.execute(
        "update identifiers set stated = true"
        " where workspace = $1 and type = 'user_id' and value = any($2) and not stated",
        workspace,
        sorted(users),
    )


async def silence_users(connection: Connection, workspace: WorkspaceId, users: Collection[str]) -> set[str]:
    """Notes of user ids that no stored touchpoint carries them, where none does; returns those."""
    rows = await connection.fetch(
        """update identifiers as named set stated = false
           where workspace = $1 and type = 'user_id' and value = any($2) and stated
             and not exists (
                 select from touchpoints where workspace = $1 and owner = named.id and user_id = named.value)
             and not exists (
                 select from touchpoints where workspace = $1 and user_id = named.value and owner in (
                     select id from identifiers where workspace = $1 and type = 'account'))
           returning value""",
        workspace,
        sorted(users),
    )
    return {row["value"] for row in rows}


async def place(connection: Connection, workspace: WorkspaceId, moved: Mapping[Named, Placement]) -> None:
    """Stores whose identifiers are now."""
    ordered = sorted(moved)
    await connection.execute(
        """update identifiers set customer = given.customer, sharing = given.sharing
           from unnest($2::text[], $3::text[], $4::uuid[], $5::text[]) as given (type, value, customer, sharing)
           where identifiers.workspace = $1 and identifiers.type = given.type and identifiers.value = given.value""",
        workspace,
        [each.type for each in ordered],
        [each.value for each in ordered],
        [moved[each].customer for each in ordered],
        [moved[each].sharing.value for each in ordered],
    )


async def by_id(connection: Connection, workspace: WorkspaceId, ids: Collection[UUID]) -> dict[UUID, Stored]:
    """Identifiers by their drawn ids."""
    rows = await connection.fetch(
        "select type, value, id, stored, stated, customer, sharing from identifiers"
        " where workspace = $1 and id = any($2)",
        workspace,
        list(ids),
    )
    return {row["id"]: _stored(row) for row in rows}


async def locked_by_id(connection: Connection, workspace: WorkspaceId, ids: Collection[UUID]) -> dict[UUID, Stored]:
    """Identifiers by their drawn ids, locked as by `locked`."""
    rows = await connection.fetch(
        """select type, value, id, stored, stated, customer, sharing from identifiers
           where workspace = $1 and id = any($2) order by type, value for no key update""",
        workspace,
        list(ids),
    )
    return {row["id"]: _stored(row) for row in rows}


async def people_after(
    connection: Connection, workspace: WorkspaceId, after: UUID, until: UUID, most: int
) -> dict[UUID, Named]:
    """Up to `most` identifiers of people, by their drawn ids, after one and until another."""
    rows = await connection.fetch(
        """select id, type, value from identifiers
           where workspace = $1 and id > $2 and id <= $3 and type <> 'account' order by id limit $4""",
        workspace,
        after,
        until,
        most,
    )
    return {row["id"]: Named(row["type"], row["value"]) for row in rows}


async def accounts_after(
    connection: Connection, workspace: WorkspaceId, after: str, until: UUID, most: int
) -> dict[UUID, Stored]:
    """Up to `most` accounts' identifiers, by value, after one; none drawn after `until`."""
    rows = await connection.fetch(
        """select type, value, id, stored, stated, customer, sharing from identifiers
           where workspace = $1 and type = 'account' and value > $2 and id <= $3
           order by value limit $4""",
        workspace,
        after,
        until,
        most,
    )
    return {row["id"]: _stored(row) for row in rows}


async def placed(connection: Connection, workspace: WorkspaceId, customers: Collection[UUID]) -> list[Stored]:
    """Everything that is placed with these customers, stated or not."""
    rows = await connection.fetch(
        "select type, value, id, stored, stated, customer, sharing from identifiers"
        " where workspace = $1 and customer = any($2) and type <> 'account'",
        workspace,
        list(customers),
    )
    return [_stored(row) for row in rows]


def _stored(row: asyncpg.Record) -> Stored:
    named = Named(row["type"], row["value"])
    placement = Placement(row["customer"], Sharing(row["sharing"]))
    return Stored(Node(named, row["id"], row["stored"], row["stated"]), placement)


async def members(
    connection: Connection, workspace: WorkspaceId, customers: Collection[UUID]
) -> dict[SubjectId, list[tuple[UUID, Identifier]]]:
    """The identifiers of each customer or account, with their drawn ids."""
    rows = await connection.fetch(
        "select customer, id, type, value from identifiers where workspace = $1 and customer = any($2) and stated",
        workspace,
        list(customers),
    )
    found: dict[SubjectId, list[tuple[UUID, Identifier]]] = defaultdict(list)
    for row in rows:
        found[SubjectId(row["customer"])].append((row["id"], Identifier(row["type"], row["value"])))
    return found


async def latest_user(connection: Connection, workspace: WorkspaceId, device: str) -> SubjectId | None:
    """The customer of a device's latest user, by the order of `touchpoints.facts`."""
    customer: UUID | None = await connection.fetchval(
        """select customer from identifiers where workspace = $1 and type = 'user_id' and value = (
               select user_id from device_facts where workspace = $1 and anonymous_id = $2
               order by occurred_at desc, message_id desc, source desc limit 1)""",
        workspace,
        device,
    )
    return None if customer is None else SubjectId(customer)
