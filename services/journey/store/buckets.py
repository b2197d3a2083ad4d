"""An account's people added up by bucket, and the notes of whose share has changed since.

A bucket is stored as long as nobody in it is noted who was not yet seen to: who takes notes drops what they spoil.
"""

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from jornada.db import Connection
from jornada.events import SubjectId, WorkspaceId, encode
from services.journey.domain.buckets import ROOT, within
from services.journey.domain.people import People
from services.journey.domain.state import FOLD


class Account(NamedTuple):
    """Whose buckets, told in a version of the vocabulary, acts of these classes being use. Others are none."""

    workspace: WorkspaceId
    id: SubjectId
    vocabulary: int
    classes: tuple[str, ...]


class Extent(NamedTuple):
    """How many people there are in a place, of whom only so many were counted, and from whom to whom."""

    number: int
    first: UUID
    last: UUID


_TOLD = "fold = $3 and vocabulary = $4 and classes = $5"


async def read(connection: Connection, account: Account, places: Collection[str]) -> dict[str, bytes]:
    """What is stored of these places."""
    rows = await connection.fetch(
        f"""select place, bucket from account_buckets
            where workspace = $1 and account = $2 and {_TOLD} and place = any($6)""",  # noqa: S608 - own text
        *_values(account),
        list(places),
    )
    return {row["place"]: row["bucket"] for row in rows}


async def after(connection: Connection, account: Account, place: str | None, most: int) -> dict[str, bytes]:
    """Up to `most` buckets by place, after one."""
    rows = await connection.fetch(
        f"""select place, bucket from account_buckets
            where workspace = $1 and account = $2 and {_TOLD} and ($6::text is null or place > $6)
            order by place limit $7""",  # noqa: S608 - own text
        *_values(account),
        place,
        most,
    )
    return {row["place"]: row["bucket"] for row in rows}


async def unfinished(connection: Connection, account: Account) -> bool:
    """Whether some buckets are stored, but not the one of everybody."""
    found: bool = await connection.fetchval(
        f"""select exists (select from account_buckets where workspace = $1 and account = $2)
               and not exists (select from account_buckets
                               where workspace = $1 and account = $2 and {_TOLD} and place = $6)""",  # noqa: S608
        *_values(account),
        ROOT,
    )
    return found


async def save(connection: Connection, account: Account, place: str, people: People) -> None:
    """Stores a bucket."""
    await connection.execute(
        """insert into account_buckets (workspace, account, fold, vocabulary, classes, place, bucket)
           values ($1, $2, $3, $4, $5, $6, $7)
           on conflict (workspace, account, place) do update
           set fold = excluded.fold, vocabulary = excluded.vocabulary, classes = excluded.classes,
               bucket = excluded.bucket""",
        *_values(account),
        place,
        encode(people),
    )


async def drop(connection: Connection, account: Account, places: Collection[str]) -> None:
    """Drops what is stored of these places."""
    await connection.execute(
        "delete from account_buckets where workspace = $1 and account = $2 and place = any($3)",
        account.workspace,
        account.id,
        list(places),
    )


async def clear(connection: Connection, account: Account) -> None:
    """Drops every bucket and every note of the account."""
    await connection.execute(
        """with gone as (delete from account_changes where workspace = $1 and account = $2)
           delete from account_buckets where workspace = $1 and account = $2""",
        account.workspace,
        account.id,
    )


async def noted(connection: Connection, account: Account) -> int:
    """How many notes there are."""
    number: int = await connection.fetchval(
        "select count(*) from account_changes where workspace = $1 and account = $2", account.workspace, account.id
    )
    return number


async def take_notes(connection: Connection, account: Account, most: int) -> list[UUID]:
    """Takes up to `most` notes, the oldest first; returns whose share each is about, be it the account's own."""
    rows = await connection.fetch(
        """delete from account_changes where workspace = $1 and account = $2 and sequence <= (
               select max(sequence) from (
                   select sequence from account_changes where workspace = $1 and account = $2
                   order by sequence limit $3) as oldest)
           returning customer""",
        account.workspace,
        account.id,
        most,
    )
    return [row["customer"] for row in rows]


async def extent(connection: Connection, account: Account, place: str, most: int) -> Extent:
    """How many people there are in a place, counted up to `most`, and from whom to whom."""
    row = await connection.fetchrow(
        """with people as not materialized (
               select customer from account_shares
               where workspace = $1 and account = $2 and customer between $3 and $4 and customer <> $2)
           select (select count(*) from (select from people limit $5) as counted),
                  coalesce((select customer from people order by customer limit 1), $3),
                  coalesce((select customer from people order by customer desc limit 1), $4)""",
        account.workspace,
        account.id,
        *within(place),
        most,
    )
    assert row is not None
    return Extent(*row)


def _values(account: Account) -> tuple[WorkspaceId, SubjectId, int, int, list[str]]:
    return account.workspace, account.id, FOLD, account.vocabulary, list(account.classes)
