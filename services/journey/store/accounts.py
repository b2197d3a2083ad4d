"""What people add to their accounts, one row each, and the queue of subjects to be folded again."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from jornada.db import Connection
from jornada.db.since import SINCE
from jornada.events import SubjectId, WorkspaceId, decode, encode
from services.journey.domain.buckets import within
from services.journey.domain.state import EMPTY, FOLD, State
from services.journey.domain.vocabulary import NONE

Shares = Mapping[tuple[SubjectId, SubjectId], State]
"""(account, customer) to what the customer adds to the account; an account's own touchpoints are its own share."""


class _Share(NamedTuple):
    fold: int
    vocabulary: int
    state: State


async def save(connection: Connection, workspace: WorkspaceId, shares: Shares, vocabulary: int) -> None:
    """Stores shares, told in a version of the vocabulary."""
    ordered = sorted(shares)
    await connection.execute(
        """insert into account_shares (workspace, account, customer, share)
           select $1, * from unnest($2::uuid[], $3::uuid[], $4::bytea[])
           on conflict (workspace, account, customer) do update set share = excluded.share""",
        workspace,
        [account for account, _ in ordered],
        [customer for _, customer in ordered],
        [encode(_Share(FOLD, vocabulary, shares[each])) for each in ordered],
    )


async def forget(
    connection: Connection, workspace: WorkspaceId, customers: Collection[UUID], but: Collection[tuple[UUID, UUID]]
) -> set[SubjectId]:
    """Drops the shares of customers, save those of the (account, customer) pairs in `but`; returns whose they were."""
    rows = await connection.fetch(
        "select account, customer from account_shares where workspace = $1 and customer = any($2)",
        workspace,
        list(customers),
    )
    gone = [(row["account"], row["customer"]) for row in rows if (row["account"], row["customer"]) not in but]
    if gone:
        await connection.executemany(
            "delete from account_shares where workspace = $1 and account = $2 and customer = $3",
            [(workspace, account, customer) for account, customer in gone],
        )
    return {SubjectId(account) for account, _ in gone}


async def spoil(connection: Connection, workspace: WorkspaceId, accounts: Collection[SubjectId]) -> None:
    """Has the accounts' own shares be of no vocabulary: whoever looks at one folds it again."""
    await save(connection, workspace, {(account, account): EMPTY for account in accounts}, NONE)


async def own(
    connection: Connection, workspace: WorkspaceId, accounts: Collection[UUID], vocabulary: int
) -> dict[SubjectId, State | None]:
    """What accounts' own touchpoints add up to, locked in the order of their ids; None for what must be told again."""
    rows = await connection.fetch(
        """select account, share from account_shares where workspace = $1 and account = any($2) and customer = account
           order by account for no key update""",
        workspace,
        sorted(accounts),
    )
    return {SubjectId(row["account"]): _state(row["share"], vocabulary) for row in rows}


async def of(
    connection: Connection, workspace: WorkspaceId, account: SubjectId, vocabulary: int
) -> tuple[dict[SubjectId, State], set[SubjectId]]:
    """The shares of an account by customer, and the customers whose share another fold or vocabulary made."""
    rows = await connection.fetch(
        "select customer, share from account_shares where workspace = $1 and account = $2", workspace, account
    )
    states = {SubjectId(row["customer"]): _state(row["share"], vocabulary) for row in rows}
    return (
        {customer: state for customer, state in states.items() if state is not None},
        {customer for customer, state in states.items() if state is None},
    )


async def people(
    connection: Connection, workspace: WorkspaceId, account: SubjectId, place: str, vocabulary: int
) -> list[State | None]:
    """What an account's people in a place add to it, by their ids; None for what another fold or vocabulary made."""
    rows = await connection.fetch(
        """select share from account_shares
           where workspace = $1 and account = $2 and customer between $3 and $4 and customer <> $2 order by customer""",
        workspace,
        account,
        *within(place),
    )
    return [_state(row["share"], vocabulary) for row in rows]


async def people_after(
    connection: Connection, workspace: WorkspaceId, account: SubjectId, after: UUID, most: int
) -> list[SubjectId]:
    """Up to `most` of an account's people, by id, after one."""
    rows = await connection.fetch(
        """select customer from account_shares
           where workspace = $1 and account = $2 and customer > $3 and customer <> $2 order by customer limit $4""",
        workspace,
        account,
        after,
        most,
    )
    return [SubjectId(row["customer"]) for row in rows]


async def by_customer(
    connection: Connection, workspace: WorkspaceId, customers: Collection[UUID], vocabulary: int
) -> dict[tuple[SubjectId, SubjectId], State | None]:
    """What customers add to accounts; None for what another fold or vocabulary made."""
    rows = await connection.fetch(
        "select account, customer, share from account_shares where workspace = $1 and customer = any($2)",
        workspace,
        list(customers),
    )
    return {(SubjectId(row["account"]), SubjectId(row["customer"])): _state(row["share"], vocabulary) for row in rows}


async def enqueue(
    connection: Connection,
    workspace: WorkspaceId,
    subjects: Collection[SubjectId] | Mapping[SubjectId, datetime | None],
    since: datetime | None = None,
) -> None:
    """Asks for subjects to be folded again, each with from when on it has anything new, if that is known.

    Those who ask never wait for each other. It has waited `since`, else since the earliest record of which the
    transaction tells; where this tells of none nothing has happened that a timer must wait for.
    """
    new = subjects if isinstance(subjects, Mapping) else dict.fromkeys(subjects)
    await connection.execute(
        f"""insert into refolds (workspace, subject, since, new_from)
            select $1, subject, coalesce($4, {SINCE}), new_from
            from unnest($2::uuid[], $3::timestamptz[]) as asked (subject, new_from)""",  # noqa: S608 - our own
        workspace,
        sorted(new),
        [new[subject] for subject in sorted(new)],
        since,
    )


class Claimed(NamedTuple):
    """Whom what was asked for is about, each with from when on it has anything new (None: not known), and since when
    the earliest of it has waited; None if it tells of no record.
    """

    subjects: dict[SubjectId, datetime | None]
    since: datetime | None


async def claim(connection: Connection, workspace: WorkspaceId, subjects: Collection[SubjectId]) -> Claimed:
    """Takes what is asked for of these subjects and nobody else has taken."""
    rows = await connection.fetch(
        """delete from refolds where workspace = $1 and (subject, sequence) in (
               select subject, sequence from refolds where workspace = $1 and subject = any($2)
               order by subject, sequence for update skip locked)
           returning subject, since, new_from""",
        workspace,
        list(subjects),
    )
    since = min((row["since"] for row in rows if row["since"] is not None), default=None)
    new: dict[SubjectId, list[datetime | None]] = {}
    for row in rows:
        new.setdefault(SubjectId(row["subject"]), []).append(row["new_from"])
    return Claimed({subject: known_from(each) for subject, each in new.items()}, since)


def known_from(instants: Collection[datetime | None]) -> datetime | None:
    """The earliest of the instants from which something is new; None where one is not known."""
    known = [each for each in instants if each is not None]
    return min(known) if len(known) == len(instants) else None


def _state(share: bytes, vocabulary: int) -> State | None:
    fold, _, _ = share.removeprefix(b"[").partition(b",")
    if int(fold) != FOLD:
        return None
    stored: _Share = decode(share, _Share)
    return stored.state if stored.vocabulary == vocabulary else None
