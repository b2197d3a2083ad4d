"""Identifiers, each with its drawn id and whose it is, and the facts that link them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

import asyncpg

from jornada.db import Connection
from jornada.events import Identifier, SubjectId, Touchpoint, WorkspaceId, new_id
from services.journey.domain.identity import MOST_USERS, Named, Node, Placement, Sharing


class Stored(NamedTuple):
    """An identifier as it is stored, and where it was placed last."""

    node: Node
    placement: Placement


class Neighbourhood(NamedTuple):
    """All that hangs together with some identifiers: what their customers are a function of."""

    named: frozenset[Named]
    devices: Mapping[str, frozenset[str]]
    aliases: frozenset[tuple[str, str]]


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
    """Stores identifiers not yet known, each its own customer; the value says whether an event states it."""
    ordered = sorted(named)
    ids = [new_id() for _ in ordered]
    await connection.execute(
        """insert into identifiers (workspace, type, value, id, customer, stated)
           select $1, type, value, id, id, stated
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


async def aliased(connection: Connection, workspace: WorkspaceId, users: Collection[str]) -> set[str]:
    """Those of the ids that some `alias` names as the previous one."""
    rows = await connection.fetch(
        "select distinct previous_id from aliases where workspace = $1 and previous_id = any($2)",
        workspace,
        list(users),
    )
    return {row["previous_id"] for row in rows}


async def add_pairs(
    connection: Connection, workspace: WorkspaceId, pairs: Collection[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Stores (anonymous id, user id) pairs; returns the new ones."""
    ordered = sorted(pairs)
    rows = await connection.fetch(
        """insert into device_users (workspace, anonymous_id, user_id)
           select $1, * from unnest($2::text[], $3::text[]) on conflict do nothing returning anonymous_id, user_id""",
        workspace,
        [device for device, _ in ordered],
        [user for _, user in ordered],
    )
    return {(row["anonymous_id"], row["user_id"]) for row in rows}


async def add_aliases(connection: Connection, workspace: WorkspaceId, aliases: Collection[Touchpoint]) -> None:
    """Stores `alias` facts."""
    await connection.execute(
        """insert into aliases (workspace, previous_id, user_id, occurred_at, message_id, source)
           select $1, * from unnest($2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[])
           on conflict do nothing""",
        workspace,
        [each.previous_id for each in aliases],
        [each.user_id for each in aliases],
        [each.occurred_at for each in aliases],
        [each.message_id for each in aliases],
        [each.source for each in aliases],
    )


async def neighbourhood(connection: Connection, workspace: WorkspaceId, seeds: Iterable[Named]) -> Neighbourhood:
    """Everything that the seeds are linked with by pairs and aliases; nothing is sought beyond a kiosk."""
    devices: dict[str, frozenset[str]] = {}
    users: set[str] = set()
    aliases: set[tuple[str, str]] = set()
    seeds = set(seeds)
    new_users = {each.value for each in seeds if each.type == "user_id"}
    new_devices = {each.value for each in seeds if each.type == "anonymous_id"}
    while new_users or new_devices:
        users |= new_users
        found = await _users_of(connection, workspace, new_devices)
        devices |= found
        beyond = {user for theirs in found.values() if len(theirs) <= MOST_USERS for user in theirs}
        links = await _aliases_of(connection, workspace, new_users)
        aliases |= links
        beyond |= {user for link in links for user in link}
        new_devices = await _devices_of(connection, workspace, new_users) - devices.keys()
        new_users = beyond - users
    named = {Named("user_id", user) for user in users} | {Named("anonymous_id", device) for device in devices}
    return Neighbourhood(frozenset(named), devices, frozenset(aliases))


async def _users_of(connection: Connection, workspace: WorkspaceId, devices: set[str]) -> dict[str, frozenset[str]]:
    if not devices:
        return {}
    rows = await connection.fetch(
        """select device, array(select user_id from device_users where workspace = $1 and anonymous_id = device
                                order by user_id limit $3) as users
           from unnest($2::text[]) as given (device)""",
        workspace,
        sorted(devices),
        MOST_USERS + 1,
    )
    return {row["device"]: frozenset(row["users"]) for row in rows}


async def _devices_of(connection: Connection, workspace: WorkspaceId, users: set[str]) -> set[str]:
    rows = await connection.fetch(
        "select distinct anonymous_id from device_users where workspace = $1 and user_id = any($2)",
        workspace,
        list(users),
    )
    return {row["anonymous_id"] for row in rows}


async def _aliases_of(connection: Connection, workspace: WorkspaceId, users: set[str]) -> set[tuple[str, str]]:
    rows = await connection.fetch(
        """select previous_id, user_id from aliases where workspace = $1 and user_id = any($2)
           union select previous_id, user_id from aliases where workspace = $1 and previous_id = any($2)""",
        workspace,
        list(users),
    )
    return {(row["previous_id"], row["user_id"]) for row in rows}


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
