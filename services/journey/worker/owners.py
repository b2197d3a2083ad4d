"""Touchpoints that a change of vocabulary gives to others: a person's to the account, an account's own to a person.

A billing kind that names an account is the account's own. So whose a touchpoint is hangs on what its name means, and
who is told in a new vocabulary first gives away what is theirs no longer.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

from jornada.db import Connection
from jornada.events import SubjectId, WorkspaceId
from jornada.instants import micros
from services.journey.domain import identity
from services.journey.domain.identity import Named, Sharing
from services.journey.domain.reading import Reading
from services.journey.domain.vocabulary import Vocabulary
from services.journey.store import accounts, identifiers, subjects, touchpoints

Owned = tuple[UUID, Reading]
"""A touchpoint, and the identifier under which it is stored."""


async def give_to_accounts(connection: Connection, workspace: WorkspaceId, theirs: Sequence[Owned]) -> None:
    """Gives people's touchpoints to the accounts they name, and asks for these to be told with them."""
    if not theirs:
        return
    named = {Named("account", reading.account or "") for _, reading in theirs}
    known = await identifiers.read(connection, workspace, named)
    moves = [(owner, reading, known[Named("account", reading.account or "")].node.id) for owner, reading in theirs]
    await touchpoints.give(connection, workspace, moves)
    receiving = {SubjectId(account) for _, _, account in moves}
    await accounts.spoil(connection, workspace, receiving)
    await accounts.enqueue(connection, workspace, receiving)


async def give_to_people(
    connection: Connection, workspace: WorkspaceId, holding: Collection[SubjectId], vocabulary: Vocabulary
) -> None:
    """Gives accounts' touchpoints that are their own no longer to the people they name, and asks for these, too."""
    if not holding:
        return
    stored = await accounts.own(connection, workspace, holding, vocabulary.version)
    again = [account for account, share in stored.items() if share is None]
    told = await touchpoints.of(connection, workspace, again, vocabulary) if again else []
    moves = [
        (owner, reading, await _person(connection, workspace, reading))
        for owner, reading in told
        if reading.account is None
    ]
    if not moves:
        return
    await touchpoints.give(connection, workspace, moves)
    known = await identifiers.by_id(connection, workspace, {person for _, _, person in moves})
    placed = {stored.placement.customer for stored in known.values()}
    receiving = {SubjectId(customer) for customer in placed if customer is not None}
    await subjects.spoil(connection, workspace, receiving)
    await accounts.enqueue(connection, workspace, receiving)


async def _person(connection: Connection, workspace: WorkspaceId, reading: Reading) -> UUID:
    """The identifier of the person whom a touchpoint names: its user, else its device, or that one's user then."""
    touchpoint = reading.touchpoint
    if touchpoint.user_id is not None:
        named = Named("user_id", touchpoint.user_id)
    else:
        named = Named("anonymous_id", touchpoint.anonymous_id or "")
    stored = (await identifiers.read(connection, workspace, [named]))[named]
    if stored.placement.sharing is not Sharing.SHARED:
        return stored.node.id
    facts = await touchpoints.facts(connection, workspace, named.value)
    user = Named("user_id", identity.user_at(facts, micros(touchpoint.occurred_at)))
    return (await identifiers.read(connection, workspace, [user]))[user].node.id
