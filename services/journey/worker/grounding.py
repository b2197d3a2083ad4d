"""Facts that rest on no touchpoint (any more): dropped, and what the others state is stored in their place."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from uuid import UUID

from jornada.db import Connection
from jornada.events import WorkspaceId
from services.journey.domain import emails
from services.journey.domain.identity import Named, Placement, Sharing
from services.journey.domain.reading import Moment, Reading
from services.journey.store import facts, grounds, identifiers
from services.journey.store.grounds import TABLES, Fact, Table
from services.journey.store.identifiers import Stored
from services.journey.store.replays import Counts
from services.journey.worker.attribution import state_all
from services.journey.worker.pieces import Done, Piece

_PAIRS, _ACCOUNTS = "device_users", "accounts"
_LAST = UUID(int=2**128 - 1)


MOST = 500


async def ground(connection: Connection, workspace: WorkspaceId, place: list[str] | None, most: int) -> Piece:
    """A piece of the stored facts, table by table, and of the accounts' identifiers.

    Every touchpoint has stated by then what it does, so what is stored of a moment is right, or of a moment too early.
    """
    table, *after = place or [_PAIRS]
    if table == _PAIRS:
        pairs = await grounds.pairs_after(connection, workspace, after or ["", ""], most)
        return _piece(table, pairs, most, lambda: _pairs(connection, workspace, pairs))
    if table == _ACCOUNTS:
        known = await identifiers.accounts_after(connection, workspace, (after or [""])[0], _LAST, most)
        names = [[stored.node.named.value] for stored in known.values()]
        return _piece(table, names, most, lambda: _accounts(connection, workspace, known))
    named = next(each for each in TABLES if each == table)
    stated = await grounds.facts_after(connection, workspace, named, after, most)
    return _piece(table, [fact.place for fact in stated], most, lambda: _facts(connection, workspace, named, stated))


def _piece(table: str, keys: Sequence[Sequence[str]], most: int, mend: Callable[[], Awaitable[int]]) -> Piece:
    order = [_PAIRS, *TABLES, _ACCOUNTS]
    following = order[order.index(table) + 1 :][:1] or None

    async def act() -> Done:
        return Done(Counts(mended=await mend()), {})

    places = [[table, *key] for key in keys]
    return Piece([table] if places else [], places[-1] if len(places) == most else following, act)


async def _facts(connection: Connection, workspace: WorkspaceId, table: Table, stated: Sequence[Fact]) -> int:
    said = await grounds.said(connection, workspace, stated)
    groundless = [fact for fact in stated if not _founded(table, fact, said)]
    if groundless:
        await _drop(connection, workspace, table, groundless)
    return len(groundless)


async def _pairs(connection: Connection, workspace: WorkspaceId, pairs: Sequence[tuple[str, str]]) -> int:
    groundless = await grounds.groundless_pairs(connection, workspace, pairs[0], pairs[-1])
    ends = {Named(type_, value) for pair in groundless for type_, value in zip(_ENDS, pair, strict=True)}
    await identifiers.locked(connection, workspace, ends)
    if groundless:
        await facts.date_pairs(connection, workspace, groundless)
    return len(groundless)


_ENDS = ("anonymous_id", "user_id")


async def _accounts(connection: Connection, workspace: WorkspaceId, known: Mapping[UUID, Stored]) -> int:
    """An account is its own, whoever its identifier was given to."""
    own = {stored.node.named: Placement(id_, Sharing.ONE) for id_, stored in known.items()}
    wrong = {each.node.named: own[each.node.named] for each in known.values() if each.placement != own[each.node.named]}
    if wrong:
        await identifiers.locked(connection, workspace, wrong)
        await identifiers.place(connection, workspace, wrong)
    return len(wrong)


def _founded(table: Table, fact: Fact, said: Mapping[tuple[Named, Moment], Reading]) -> bool:
    reading = said.get((fact.by, fact.at))
    if reading is None:
        return False
    if table == "aliases":
        return reading.touchpoint.type == "alias" and reading.touchpoint.previous_id == fact.what and not reading.ours
    return emails.stated(reading) == (fact.what, fact.by)


async def _drop(connection: Connection, workspace: WorkspaceId, table: Table, groundless: Sequence[Fact]) -> None:
    stated = "user_id" if table == "aliases" else "email"
    named = {fact.by for fact in groundless}
    await identifiers.locked(connection, workspace, named | {Named(stated, fact.what) for fact in groundless})
    await grounds.drop(connection, workspace, table, groundless)
    for by in sorted(named):
        await state_all(connection, workspace, await grounds.told_by(connection, workspace, by))
