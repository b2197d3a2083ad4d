"""What the tables hold of a customer, removed; what an account keeps of it is kept without the person."""

from collections.abc import Collection, Iterable
from typing import NamedTuple
from uuid import UUID

import asyncpg

from jornada.db import Connection
from jornada.events import SubjectId, Touchpoint, WorkspaceId, decode, encode
from services.journey.domain.erasure import without_person
from services.journey.domain.identity import Named, Sharing
from services.journey.store import identifiers
from services.journey.store.accepted import Key
from services.journey.store.identifiers import Stored


class Kiosk(Exception):
    """A device of too many is nobody's: erasing it would drop what others did on it."""


class Person(NamedTuple):
    """A customer's identifiers, and their drawn ids."""

    named: frozenset[Named]
    ids: frozenset[UUID]


class _Values(NamedTuple):
    users: list[str]
    devices: list[str]
    emails: list[str]


async def person(connection: Connection, workspace: WorkspaceId, ids: Collection[SubjectId]) -> Person | None:
    """Everything that is placed with customers of these ids, or that only their aliases name. Raises Kiosk."""
    known = await identifiers.by_id(connection, workspace, ids)
    now = {stored.placement.customer for stored in known.values()} | set(ids)
    found = await identifiers.placed(connection, workspace, [each for each in now if each is not None])
    if not found:
        return None
    if all(each.placement.sharing is Sharing.KIOSK and each.node.named.type != "user_id" for each in found):
        raise Kiosk
    users = {each.node.named.value for each in found if each.node.named.type == "user_id"}
    found += (await _presumed(connection, workspace, users)).values()
    return Person(frozenset(each.node.named for each in found), frozenset(each.node.id for each in found))


async def family(
    connection: Connection, workspace: WorkspaceId, ids: Collection[SubjectId], own: Collection[UUID]
) -> set[SubjectId]:
    """These subjects and all that became them; `own` are the ids of their identifiers.

    What bears the id of somebody else's identifier is theirs again: a shared device is its latest user's for a time.
    """
    rows = await connection.fetch(
        """with recursive family (id) as (
               select id from subjects where workspace = $1 and type = 'customer' and (id = any($2) or id = any($3))
               union
               select subjects.id from subjects join family on subjects.merged_into = family.id
               where subjects.workspace = $1 and not exists (
                   select from identifiers
                   where identifiers.workspace = $1 and identifiers.id = subjects.id and identifiers.id <> all($3)))
           select id from family""",
        workspace,
        list(ids),
        list(own),
    )
    return {*ids, *(SubjectId(row["id"]) for row in rows)}


async def strays(connection: Connection, workspace: WorkspaceId, gone: Collection[SubjectId]) -> dict[SubjectId, str]:
    """Shared devices that were taken for one of these subjects, as their latest user: each subject's device."""
    rows = await connection.fetch(
        """select subjects.id, value from subjects
               join identifiers on identifiers.workspace = subjects.workspace and identifiers.id = subjects.id
           where subjects.workspace = $1 and merged_into = any($2) and identifiers.type = 'anonymous_id'""",
        workspace,
        list(gone),
    )
    return {SubjectId(row["id"]): row["value"] for row in rows}


async def _presumed(connection: Connection, workspace: WorkspaceId, users: Collection[str]) -> dict[Named, Stored]:
    """User ids that only aliases of these name, as the previous one."""
    rows = await connection.fetch(
        """select distinct previous_id from aliases join identifiers
               on identifiers.workspace = aliases.workspace and type = 'user_id' and value = previous_id and not stated
           where aliases.workspace = $1 and user_id = any($2)""",
        workspace,
        sorted(users),
    )
    return await identifiers.read(connection, workspace, {Named("user_id", row["previous_id"]) for row in rows})


async def forget_links(connection: Connection, workspace: WorkspaceId, mine: Collection[Named]) -> set[Named]:
    """Deletes every fact that links any of the identifiers; returns the others that were linked."""
    given = _values(mine)
    others = await _forget_devices(connection, workspace, given)
    others |= await _forget_aliases(connection, workspace, given)
    others |= await _forget_emails(connection, workspace, given)
    others |= await _forget_merges(connection, workspace, mine)
    await connection.execute(
        """delete from refusals where workspace = $1 and (
               (type, value) in (select * from unnest($2::text[], $3::text[]))
               or (to_type, to_value) in (select * from unnest($2::text[], $3::text[])))""",
        workspace,
        *_columns(mine),
    )
    return others - set(mine)


async def _forget_devices(connection: Connection, workspace: WorkspaceId, given: _Values) -> set[Named]:
    rows = await connection.fetch(
        """delete from device_users where workspace = $1 and (anonymous_id = any($2) or user_id = any($3))
           returning anonymous_id, user_id""",
        workspace,
        given.devices,
        given.users,
    )
    return _ends(rows, ("anonymous_id", "anonymous_id"), ("user_id", "user_id"))


async def _forget_aliases(connection: Connection, workspace: WorkspaceId, given: _Values) -> set[Named]:
    rows = await connection.fetch(
        """delete from aliases where workspace = $1 and (previous_id = any($2) or user_id = any($3))
           returning previous_id, user_id, 'alias:' || source || ':' || message_id as fact""",
        workspace,
        [*given.devices, *given.users],
        given.users,
    )
    await _forget_undos(connection, workspace, rows)
    return _ends(rows, ("anonymous_id", "previous_id"), ("user_id", "previous_id"), ("user_id", "user_id"))


async def _forget_emails(connection: Connection, workspace: WorkspaceId, given: _Values) -> set[Named]:
    rows = await connection.fetch(
        """delete from email_pairs where workspace = $1 and (email = any($2)
               or (type = 'user_id' and value = any($3)) or (type = 'anonymous_id' and value = any($4)))
           returning email, type, value""",
        workspace,
        given.emails,
        given.users,
        given.devices,
    )
    await connection.execute(
        "delete from email_facts where workspace = $1 and (email = any($2) or anonymous_id = any($3))",
        workspace,
        given.emails,
        given.devices,
    )
    return _ends(rows, ("email", "email")) | {Named(row["type"], row["value"]) for row in rows}


async def _forget_merges(connection: Connection, workspace: WorkspaceId, mine: Collection[Named]) -> set[Named]:
    rows = await connection.fetch(
        """delete from merges where workspace = $1 and (
               (from_type, from_value) in (select * from unnest($2::text[], $3::text[]))
               or (into_type, into_value) in (select * from unnest($2::text[], $3::text[])))
           returning id::text as fact, from_type, from_value, into_type, into_value""",
        workspace,
        *_columns(mine),
    )
    await _forget_undos(connection, workspace, rows)
    return {Named(row[f"{end}_type"], row[f"{end}_value"]) for row in rows for end in ("from", "into")}


async def _forget_undos(connection: Connection, workspace: WorkspaceId, rows: Iterable[asyncpg.Record]) -> None:
    facts = [row["fact"] for row in rows]
    if facts:
        await connection.execute("delete from undos where workspace = $1 and fact = any($2)", workspace, facts)


async def unstated_emails(connection: Connection, workspace: WorkspaceId, named: Collection[Named]) -> set[Named]:
    """Those of the identifiers that are e-mails which nobody states."""
    rows = await connection.fetch(
        """select email from unnest($2::text[]) as given (email) where not exists (
               select from email_pairs where workspace = $1 and email_pairs.email = given.email)""",
        workspace,
        _values(named).emails,
    )
    return {Named("email", row["email"]) for row in rows}


async def forget_identifiers(connection: Connection, workspace: WorkspaceId, mine: Collection[Named]) -> None:
    """Deletes identifiers."""
    await connection.execute(
        """delete from identifiers using unnest($2::text[], $3::text[]) as gone (type, value)
           where workspace = $1 and identifiers.type = gone.type and identifiers.value = gone.value""",
        workspace,
        *_columns(mine),
    )


async def forget_touchpoints(connection: Connection, workspace: WorkspaceId, owners: Collection[UUID]) -> list[Key]:
    """Deletes what these own; returns under what it was accepted."""
    rows = await connection.fetch(
        "delete from touchpoints where workspace = $1 and owner = any($2) returning source, message_id, occurred_at",
        workspace,
        list(owners),
    )
    return [Key(*row) for row in rows]


async def unname(connection: Connection, workspace: WorkspaceId, mine: Collection[Named]) -> list[Key]:
    """Takes the person out of the accounts' own touchpoints that name it; returns under what these were accepted."""
    given = _values(mine)
    patterns = [b'"user_id":' + encode(each) for each in given.users]
    patterns += [b'"anonymous_id":' + encode(each) for each in given.devices]
    rows = await connection.fetch(
        """select owner, occurred_at, message_id, source, record from touchpoints
           where workspace = $1
             and owner in (select id from identifiers where workspace = $1 and type = 'account')
             and exists (select from unnest($2::bytea[]) as named (pattern) where position(pattern in record) > 0)""",
        workspace,
        patterns,
    )
    await connection.executemany(
        """update touchpoints set record = $6, user_id = null, device = null
           where workspace = $1 and owner = $2 and occurred_at = $3 and message_id = $4 and source = $5""",
        [(workspace, *row[:4], encode(without_person(decode(row["record"], Touchpoint)))) for row in rows],
    )
    return [Key(row["source"], row["message_id"], row["occurred_at"]) for row in rows]


async def forget_places(
    connection: Connection, workspace: WorkspaceId, mine: Collection[Named], owners: Collection[UUID]
) -> None:
    """Has what reads through all and stands at one of these begin (its step) anew: read twice equals once.

    A replay that is at work leaves its place by itself: it has its row, and waits for us.
    """
    await connection.execute(
        """update earlier_emails set owner = null, device = null, occurred_at = null, message_id = null, source = null
           where workspace = $1 and (owner = any($2) or device = any($3))""",
        workspace,
        list(owners),
        _values(mine).devices,
    )
    await connection.execute(
        """update replays set place = null where workspace = $1 and id in (
               select id from replays where workspace = $1 and step <> 'customers' and place && $2::text[]
               for update skip locked)""",
        workspace,
        [*(str(owner) for owner in owners), *(named.value for named in mine)],
    )


async def forget_derived(connection: Connection, workspace: WorkspaceId, ids: Collection[UUID]) -> None:
    """Deletes what was derived of subjects beside their rows, shares of accounts apart."""
    for table in ("sessions", "memberships", "timers", "refolds"):
        await connection.execute(
            f"delete from {table} where workspace = $1 and subject = any($2)",  # noqa: S608 - our own tables
            workspace,
            list(ids),
        )


def _ends(rows: Iterable[asyncpg.Record], *ends: tuple[str, str]) -> set[Named]:
    return {Named(type_, row[column]) for row in rows for type_, column in ends}


def _values(mine: Collection[Named]) -> _Values:
    by_type = {
        type_: sorted(each.value for each in mine if each.type == type_)
        for type_ in ("user_id", "anonymous_id", "email")
    }
    return _Values(by_type["user_id"], by_type["anonymous_id"], by_type["email"])


def _columns(named: Collection[Named]) -> tuple[list[str], list[str]]:
    ordered = sorted(named)
    return [each.type for each in ordered], [each.value for each in ordered]
