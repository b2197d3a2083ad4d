"""What goes with touchpoints: the facts that they alone stated, their keys; and whose everything is without them."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from jornada.db import Connection
from jornada.events import SubjectId, WorkspaceId
from services.journey.domain import emails
from services.journey.domain.identity import Named, Sharing, Statement
from services.journey.domain.reading import Reading
from services.journey.domain.stating import is_alias, names, pairs
from services.journey.domain.vocabulary import SHIPPED
from services.journey.store import accepted, accounts, facts, identifiers, neighbourhoods, touchpoints
from services.journey.store.identifiers import Stored
from services.journey.store.touchpoints import Place
from services.journey.worker.attribution import Attribution, regroup


class Gone(NamedTuple):
    """How many touchpoints went, and what that means for customers."""

    touchpoints: int
    attribution: Attribution


async def expire(connection: Connection, workspace: WorkspaceId, found: Sequence[tuple[Place, Reading]]) -> Gone:
    """Removes stored touchpoints, so that all is as if they had never been; says what follows.

    Drawn ids stay, and so does what an operator said.
    """
    if not found:
        return Gone(0, Attribution())
    named = {each for _, reading in found for each, _ in names(reading) if each.type != "account"}
    known = await identifiers.locked(connection, workspace, named)
    removed = await touchpoints.remove(connection, workspace, [place for place, _ in found])
    gone = [reading for place, reading in found if place in removed]
    seeds = await _unstated(connection, workspace, gone, known)
    await _free(connection, workspace, {each: known[each] for each in seeds})
    keys = [(reading.touchpoint.source, reading.touchpoint.message_id) for reading in gone]
    await accepted.drop(connection, workspace, keys)
    result = await regroup(connection, workspace, seeds) if seeds else Attribution()
    await _name_customers(connection, workspace, {place.owner for place in removed}, result)
    await _find_heirs(connection, workspace, result)
    return Gone(len(gone), result)


async def _unstated(
    connection: Connection, workspace: WorkspaceId, gone: Sequence[Reading], known: Mapping[Named, Stored]
) -> set[Named]:
    """Drops facts as far as nothing that is left states them; returns the identifiers of which that is news.

    A touchpoint may name what is known no longer, or not yet: of that there is nothing to judge.
    """
    seeds: set[Named] = set()
    told = [reading for reading in gone if is_alias(reading)]
    if told:
        await facts.drop_aliases(connection, workspace, [reading.touchpoint for reading in told])
        seeds |= {named for reading in told for named, _ in names(reading) if named.type != "account"}
    tied = {pair for reading in gone for pair in pairs(reading) if _ends(pair) <= known.keys()}
    for pair in await facts.date_pairs(connection, workspace, tied) if tied else ():
        seeds |= _ends(pair)
    devices = {Named("anonymous_id", device) for device, _ in tied}
    seeds |= {each for each in devices if known[each].placement.sharing is Sharing.SHARED}
    seeds |= await _without_statements(connection, workspace, gone, known)
    users = {reading.touchpoint.user_id for reading in gone if reading.touchpoint.user_id is not None}
    previous = await facts.aliased(connection, workspace, users)
    silent = await identifiers.silence_users(connection, workspace, previous) if previous else set()
    return (seeds | {Named("user_id", user) for user in silent}) & known.keys()


def _ends(pair: tuple[str, str]) -> set[Named]:
    device, user = pair
    return {Named("anonymous_id", device), Named("user_id", user)}


async def _without_statements(
    connection: Connection, workspace: WorkspaceId, gone: Sequence[Reading], known: Mapping[Named, Stored]
) -> set[Named]:
    statements = {each for each in _statements(gone) if each.by in known}
    if not statements:
        return set()
    users = [known[each.by].node.id for each in statements if each.by.type == "user_id"]
    left = await touchpoints.of(connection, workspace, users, SHIPPED) if users else []
    await facts.drop_statements(connection, workspace, statements, _statements([reading for _, reading in left]))
    return {end for each in statements for end in (Named("email", each.email), each.by)}


def _statements(readings: Collection[Reading]) -> set[Statement]:
    stated = ((emails.stated(reading), reading.moment) for reading in readings)
    return {Statement(*email, moment) for email, moment in stated if email is not None}


async def _free(connection: Connection, workspace: WorkspaceId, known: Mapping[Named, Stored]) -> None:
    """Has kiosks be none to which too little is tied now: they are judged, and sought beyond, like anything else."""
    kiosks = {named for named, stored in known.items() if stored.placement.sharing is Sharing.KIOSK}
    freed = await neighbourhoods.freed(connection, workspace, kiosks) if kiosks else set()
    if freed:
        moved = {named: known[named].placement._replace(sharing=Sharing.ONE) for named in freed}
        await identifiers.place(connection, workspace, moved)


async def _name_customers(
    connection: Connection, workspace: WorkspaceId, owners: Collection[UUID], result: Attribution
) -> None:
    """Has everybody folded again who owned any."""
    found = await identifiers.locked_by_id(connection, workspace, owners)
    theirs = {SubjectId(id_) for id_, stored in found.items() if stored.node.named.type == "account"}
    if theirs:
        await accounts.spoil(connection, workspace, theirs)
        await accounts.enqueue(connection, workspace, theirs)
    for id_, stored in found.items():
        if id_ not in theirs and stored.placement.customer is not None:
            result.customer_of[id_] = SubjectId(stored.placement.customer)
            result.refold.add(result.customer_of[id_])


async def _find_heirs(connection: Connection, workspace: WorkspaceId, result: Attribution) -> None:
    """Has a customer without touchpoints, whose identifiers went to one other, be that one from now on.

    A customer's id is that of its first identifier. Where nothing is left of that one, who follows the customer must
    learn under which id it goes on.
    """
    heirs: dict[SubjectId, set[SubjectId]] = {}
    for customer, sources in result.gathered.items():
        for source in sources - {customer}:
            heirs.setdefault(source, set()).add(customer)
    left = await touchpoints.any_of(connection, workspace, heirs) if heirs else set()
    for customer, others in heirs.items():
        if customer not in left and len(others) == 1 and customer not in result.lost:
            result.lost[customer] = others.pop()
            result.refold.discard(customer)
            result.gathered.pop(customer, None)
