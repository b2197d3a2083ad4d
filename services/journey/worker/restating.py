"""What stored touchpoints state, stored once more as far as it is missing: the first steps of a replay."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from jornada.db import Connection
from jornada.events import SubjectId, WorkspaceId
from jornada.instants import EPOCH, instant, micros
from services.journey.domain.segments import InForce
from services.journey.store import accounts, identifiers, subjects, touchpoints
from services.journey.store.replays import Counts
from services.journey.store.touchpoints import Kept, Place
from services.journey.worker.attribution import owner_of, state_all
from services.journey.worker.pieces import Done, Piece

MOST = 500

_FIRST = UUID(int=0)


async def by_owner(
    connection: Connection, workspace: WorkspaceId, force: InForce, place: list[str] | None, most: int
) -> Piece:
    """A piece of all touchpoints, in the order of their owners.

    Only what carries no user id may have another owner meanwhile, and be passed by: it is met again by its device.
    """
    after = Place(_FIRST, EPOCH, "", "") if place is None else Place(UUID(place[0]), *_moment(place[1:]))
    read = await touchpoints.by_owner(connection, workspace, after, most, force.vocabulary)
    seen = Counts(touchpoints=len(read))
    return _piece(connection, workspace, read, [str(each.place.owner) for each in read], most, seen)


async def by_device(
    connection: Connection, workspace: WorkspaceId, force: InForce, place: list[str] | None, most: int
) -> Piece:
    """A piece of the touchpoints without a user id, in the order of their devices; they were counted before."""
    after = ("", EPOCH, "", "") if place is None else (place[0], *_moment(place[1:]))
    read = await touchpoints.by_device(connection, workspace, after, most, force.vocabulary)
    return _piece(connection, workspace, read, [each.device or "" for each in read], most, Counts())


def _piece(
    connection: Connection, workspace: WorkspaceId, read: Sequence[Kept], keys: Sequence[str], most: int, seen: Counts
) -> Piece:
    places = [
        [key, str(micros(each.place.occurred_at)), each.place.message_id, each.place.source]
        for key, each in zip(keys, read, strict=True)
    ]

    async def act() -> Done:
        return Done(seen + Counts(mended=await _restated(connection, workspace, read)), {})

    first = [[str(each.place.owner), *place[1:]] for each, place in zip(read[:1], places[:1], strict=True)]
    return Piece(first[0] if first else [], places[-1] if len(read) == most else None, act)


def _moment(place: Sequence[str]) -> tuple[datetime, str, str]:
    us, message_id, source = place
    return instant(int(us)), message_id, source


async def _restated(connection: Connection, workspace: WorkspaceId, piece: Sequence[Kept]) -> int:
    """Stores what a piece states, and its touchpoints where they belong; returns how many of these did not.

    Who loses or gains one is told from all touchpoints by whoever looks, until the replay comes to them.
    """
    known = await state_all(connection, workspace, [each.reading for each in piece])
    moves = []
    for each in piece:
        touchpoint, owner = each.reading.touchpoint, owner_of(each.reading, known)
        attributed = touchpoint.user_id is None and each.reading.account is None
        to = each.place.owner if attributed and each.fits else owner
        if to != each.place.owner or not each.fits:
            moves.append((each.place.owner, each.reading, to))
    if moves:
        await touchpoints.give(connection, workspace, moves)
        await _spoil(connection, workspace, {end for owner, _, to in moves for end in (owner, to)})
    return len(moves)


async def _spoil(connection: Connection, workspace: WorkspaceId, owners: set[UUID]) -> None:
    known = await identifiers.by_id(connection, workspace, owners)
    whose = {stored.placement.customer for stored in known.values() if stored.node.named.type != "account"}
    people = {SubjectId(customer) for customer in whose if customer is not None}
    await subjects.spoil(connection, workspace, people)
    theirs = {SubjectId(id_) for id_, stored in known.items() if stored.node.named.type == "account"}
    if theirs:
        await accounts.spoil(connection, workspace, theirs)
