"""Facts that rest on no touchpoint (any more): dropped, and what the others state is stored in their place."""

from collections.abc import Mapping
from uuid import UUID

from jornada.db import Connection
from jornada.events import WorkspaceId
from services.journey.domain import emails
from services.journey.domain.identity import Named, Placement, Sharing
from services.journey.domain.reading import Moment, Reading
from services.journey.store import facts, grounds, identifiers
from services.journey.store.grounds import TABLES, Fact, Table
from services.journey.store.replays import Counts
from services.journey.worker.attribution import state_all
from services.journey.worker.restating import MOST, Read

_PAIRS, _ACCOUNTS = "device_users", "accounts"
_LAST = UUID(int=2**128 - 1)


async def ground(connection: Connection, workspace: WorkspaceId, place: list[str] | None) -> Read:
    """Looks at a piece of the stored facts, table by table, and of the accounts' identifiers.

    Every touchpoint has stated by then what it does, so what is stored of a moment is right, or of a moment too early.
    """
    table, *after = place or [_PAIRS]
    if table == _PAIRS:
        return await _pairs(connection, workspace, after)
    if table == _ACCOUNTS:
        return await _accounts(connection, workspace, after)
    named = next(each for each in TABLES if each == table)
    piece = await grounds.facts_after(connection, workspace, named, after, MOST)
    said = await grounds.said(connection, workspace, piece) if piece else {}
    groundless = [fact for fact in piece if not _founded(named, fact, said)]
    if groundless:
        await _drop(connection, workspace, named, groundless)
    onward: list[str] = [named, *piece[-1].place] if len(piece) == MOST else _next(named)
    return Read(onward, Counts(mended=len(groundless)))


async def _pairs(connection: Connection, workspace: WorkspaceId, after: list[str]) -> Read:
    piece = await grounds.pairs_after(connection, workspace, after or ["", ""], MOST)
    groundless = {(device, user) for device, user, founded in piece if not founded}
    ends = {Named(type_, value) for pair in groundless for type_, value in zip(_ENDS, pair, strict=True)}
    await identifiers.locked(connection, workspace, ends)
    if groundless:
        await facts.date_pairs(connection, workspace, groundless)
    onward: list[str] = [_PAIRS, *piece[-1][:2]] if len(piece) == MOST else [TABLES[0]]
    return Read(onward, Counts(mended=len(groundless)))


_ENDS = ("anonymous_id", "user_id")


async def _accounts(connection: Connection, workspace: WorkspaceId, after: list[str]) -> Read:
    """An account is its own, whoever its identifier was given to."""
    piece = await identifiers.accounts_after(connection, workspace, (after or [""])[0], _LAST, MOST)
    own = {stored.node.named: Placement(id_, Sharing.ONE) for id_, stored in piece.items()}
    wrong = {each.node.named: own[each.node.named] for each in piece.values() if each.placement != own[each.node.named]}
    if wrong:
        await identifiers.locked(connection, workspace, wrong)
        await identifiers.place(connection, workspace, wrong)
    onward = [_ACCOUNTS, list(own)[-1].value] if len(piece) == MOST else None
    return Read(onward, Counts(mended=len(wrong)))


def _next(table: Table) -> list[str]:
    return [*TABLES, _ACCOUNTS][TABLES.index(table) + 1 :][:1]


def _founded(table: Table, fact: Fact, said: Mapping[tuple[Named, Moment], Reading]) -> bool:
    reading = said.get((fact.by, fact.at))
    if reading is None:
        return False
    if table == "aliases":
        return reading.touchpoint.type == "alias" and reading.touchpoint.previous_id == fact.what and not reading.ours
    return emails.stated(reading) == (fact.what, fact.by)


async def _drop(connection: Connection, workspace: WorkspaceId, table: Table, groundless: list[Fact]) -> None:
    stated = "user_id" if table == "aliases" else "email"
    named = {fact.by for fact in groundless}
    await identifiers.locked(connection, workspace, named | {Named(stated, fact.what) for fact in groundless})
    await grounds.drop(connection, workspace, table, groundless)
    for by in sorted(named):
        await state_all(connection, workspace, await grounds.told_by(connection, workspace, by))
