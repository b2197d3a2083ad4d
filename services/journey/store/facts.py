"""The facts that link identifiers: devices with users, aliases, e-mails. Operators' are in `merges`."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg

from jornada.db import Connection
from jornada.events import Touchpoint, WorkspaceId
from jornada.instants import instant, micros
from services.journey.domain.identity import Named, Statement
from services.journey.domain.reading import Moment


class Pair(NamedTuple):
    """That a device and a user id are one's, and when it was stated."""

    device: str
    user: str
    at: Moment


async def add_pairs(connection: Connection, workspace: WorkspaceId, pairs: Collection[Pair]) -> set[tuple[str, str]]:
    """Stores since when devices and users are seen together; returns those pairs that are new or older than known."""
    first: dict[tuple[str, str], Pair] = {}
    for pair in sorted(pairs, reverse=True):
        first[pair.device, pair.user] = pair
    ordered = [first[each] for each in sorted(first)]
    rows = await connection.fetch(
        """insert into device_users as known (workspace, anonymous_id, user_id, occurred_at, message_id, source)
           select $1, * from unnest($2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[])
           on conflict (workspace, anonymous_id, user_id) do update
           set occurred_at = excluded.occurred_at, message_id = excluded.message_id, source = excluded.source
           where (excluded.occurred_at, excluded.message_id, excluded.source)
               < (known.occurred_at, known.message_id, known.source)
           returning anonymous_id, user_id""",
        workspace,
        [each.device for each in ordered],
        [each.user for each in ordered],
        *columns([each.at for each in ordered]),
    )
    return {(row["anonymous_id"], row["user_id"]) for row in rows}


async def date_pairs(
    connection: Connection, workspace: WorkspaceId, pairs: Collection[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Has devices and users be seen together since their earliest fact that stands, or not at all.

    Returns those of which that is news.
    """
    ordered = sorted(pairs)
    given = [device for device, _ in ordered], [user for _, user in ordered]
    before = await connection.fetch(
        """delete from device_users where workspace = $1
             and (anonymous_id, user_id) in (select * from unnest($2::text[], $3::text[]))
           returning anonymous_id, user_id, occurred_at, message_id, source""",
        workspace,
        *given,
    )
    now = await connection.fetch(
        """insert into device_users (workspace, anonymous_id, user_id, occurred_at, message_id, source)
           select $1, device, told.user_id, first.occurred_at, first.message_id, first.source
           from unnest($2::text[], $3::text[]) as told (device, user_id)
           cross join lateral (
               select * from device_facts
               where workspace = $1 and anonymous_id = device and device_facts.user_id = told.user_id
               order by occurred_at, message_id, source limit 1) as first
           returning anonymous_id, user_id, occurred_at, message_id, source""",
        workspace,
        *given,
    )
    return {(device, user) for device, user, *_ in set(map(tuple, before)) ^ set(map(tuple, now))}


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


async def drop_aliases(connection: Connection, workspace: WorkspaceId, aliases: Collection[Touchpoint]) -> None:
    """Forgets `alias` facts, and that they were undone."""
    given = workspace, [each.source for each in aliases], [each.message_id for each in aliases]
    told = "select * from unnest($2::text[], $3::text[]) as told (source, message_id)"
    await connection.execute(
        f"delete from aliases where workspace = $1 and (source, message_id) in ({told})",  # noqa: S608 - own text
        *given,
    )
    await connection.execute(
        f"""delete from undos where workspace = $1
              and fact in (select 'alias:' || source || ':' || message_id from ({told}) as told)""",  # noqa: S608
        *given,
    )


async def aliased(connection: Connection, workspace: WorkspaceId, users: Collection[str]) -> set[str]:
    """Those of the ids that some `alias` names as the previous one."""
    rows = await connection.fetch(
        "select distinct previous_id from aliases where workspace = $1 and previous_id = any($2)",
        workspace,
        list(users),
    )
    return {row["previous_id"] for row in rows}


async def add_statements(
    connection: Connection, workspace: WorkspaceId, statements: Collection[Statement]
) -> set[Named]:
    """Stores who states which e-mail, and each time that a device does: it may be another user's each time.

    Returns the e-mails, and who states them, of which that tells something new.
    """
    first: dict[tuple[str, Named], Statement] = {}
    for each in sorted(statements, key=lambda each: each.at, reverse=True):
        first[each.email, each.by] = each
    ordered = [first[each] for each in sorted(first)]
    rows = await connection.fetch(
        """insert into email_pairs as known (workspace, email, type, value, occurred_at, message_id, source)
           select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[])
           on conflict (workspace, email, type, value) do update
           set occurred_at = excluded.occurred_at, message_id = excluded.message_id, source = excluded.source
           where (excluded.occurred_at, excluded.message_id, excluded.source)
               < (known.occurred_at, known.message_id, known.source)
           returning email, type, value""",
        workspace,
        [each.email for each in ordered],
        [each.by.type for each in ordered],
        [each.by.value for each in ordered],
        *columns([each.at for each in ordered]),
    )
    new = {(row["email"], Named(row["type"], row["value"])) for row in rows}
    new |= await _add_times(connection, workspace, sorted(each for each in statements if each.by.type != "user_id"))
    return {end for email, by in new for end in (Named("email", email), by)}


async def _add_times(
    connection: Connection, workspace: WorkspaceId, statements: Sequence[Statement]
) -> set[tuple[str, Named]]:
    if not statements:
        return set()
    rows = await connection.fetch(
        """insert into email_facts (workspace, anonymous_id, email, occurred_at, message_id, source)
           select $1, * from unnest($2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[])
           on conflict do nothing returning anonymous_id, email""",
        workspace,
        [each.by.value for each in statements],
        [each.email for each in statements],
        *columns([each.at for each in statements]),
    )
    return {(row["email"], Named("anonymous_id", row["anonymous_id"])) for row in rows}


async def drop_statements(
    connection: Connection, workspace: WorkspaceId, gone: Collection[Statement], left: Collection[Statement]
) -> None:
    """Forgets statements; who else still states an e-mail states it since then. `left` is all that is left of users."""
    by_device = sorted(each for each in gone if each.by.type != "user_id")
    await connection.execute(
        """delete from email_facts where workspace = $1
             and (anonymous_id, email, occurred_at, message_id, source) in (
                 select * from unnest($2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[]))""",
        workspace,
        [each.by.value for each in by_device],
        [each.email for each in by_device],
        *columns([each.at for each in by_device]),
    )
    ends = sorted({(each.email, each.by) for each in gone})
    await connection.execute(
        """delete from email_pairs where workspace = $1
             and (email, type, value) in (select * from unnest($2::text[], $3::text[], $4::text[]))""",
        workspace,
        [email for email, _ in ends],
        [by.type for _, by in ends],
        [by.value for _, by in ends],
    )
    again = {each for each in left if (each.email, each.by) in set(ends)}
    again |= await _first_statements(connection, workspace, [end for end in ends if end[1].type != "user_id"])
    if again:
        await add_statements(connection, workspace, again)


async def _first_statements(
    connection: Connection, workspace: WorkspaceId, ends: Sequence[tuple[str, Named]]
) -> set[Statement]:
    """When devices first state e-mails, of those that do."""
    rows = await connection.fetch(
        """select given.email, given.value, first.* from unnest($2::text[], $3::text[]) as given (email, value)
           cross join lateral (
               select occurred_at, message_id, source from email_facts
               where workspace = $1 and anonymous_id = given.value and email_facts.email = given.email
               order by occurred_at, message_id, source limit 1) as first""",
        workspace,
        [email for email, _ in ends],
        [by.value for _, by in ends],
    )
    return {Statement(row["email"], Named("anonymous_id", row["value"]), moment(row)) for row in rows}


async def stating(connection: Connection, workspace: WorkspaceId, devices: Collection[str]) -> set[Named]:
    """Those of the devices that state e-mails without a user id."""
    rows = await connection.fetch(
        """select value from unnest($2::text[]) as given (value) where exists (
               select from email_pairs as known
               where workspace = $1 and type = 'anonymous_id' and known.value = given.value)""",
        workspace,
        list(devices),
    )
    return {Named("anonymous_id", row["value"]) for row in rows}


def moment(row: asyncpg.Record) -> Moment:
    """When the fact of a row was stated."""
    return micros(row["occurred_at"]), row["message_id"], row["source"]


def columns(moments: Sequence[Moment]) -> tuple[list[datetime], list[str], list[str]]:
    """Moments as a statement takes them."""
    return [instant(us) for us, _, _ in moments], [each for _, each, _ in moments], [each for _, _, each in moments]
