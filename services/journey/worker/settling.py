"""From states to what is stored and published of them: snapshots, versions, timers."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from jornada.bus import timers
from jornada.bus.publisher import Subject
from jornada.bus.timers import Timer
from jornada.db import Connection
from jornada.events import Follows, JourneySnapshot, MergedInto, SubjectId, SubjectType, WorkspaceId, encode
from jornada.instants import EPOCH, instant, micros
from services.journey.domain.identity import Named
from services.journey.domain.people import NOBODY, People
from services.journey.domain.segments import InForce, Kept, Walk, course, following, passed, reached, ruled, walked
from services.journey.domain.snapshot import Standing, nothing_left, snapshot
from services.journey.domain.state import EMPTY, State, account_of
from services.journey.domain.view import StateView
from services.journey.store import identifiers, memberships, subjects
from services.journey.store.memberships import Member
from services.journey.store.subjects import Saved

TIMER = "stage"


class Held(NamedTuple):
    """A subject whose row is locked, with its state as it is now and the instant for which its snapshot is made.

    `follows` says what is new in it, where that is known.
    """

    id: SubjectId
    type: SubjectType
    state: State
    sessions: int
    as_of: datetime
    people: People = NOBODY
    walk: Walk = Walk()
    follows: Follows | None = None


class Told(NamedTuple):
    """What is stored of a subject, and the next instant at which time alone changes it."""

    saved: Saved
    members: Sequence[Member]
    next: datetime | None


async def settle(
    connection: Connection, workspace: WorkspaceId, in_force: InForce, held: Sequence[Held]
) -> dict[Subject, int]:
    """Stores subjects with their snapshots under new versions, and the timers of what silence will change.

    Returns the versions of those of whom there is anything to publish.
    """
    if not held:
        return {}
    versions = await subjects.draw_versions(connection, len(held))
    told = await tell(connection, workspace, in_force, held, versions)
    await keep(connection, workspace, in_force, told)
    return {Subject(workspace, each.saved.id): each.saved.version for each in told if each.saved.event is not None}


async def tell(
    connection: Connection, workspace: WorkspaceId, in_force: InForce, held: Sequence[Held], versions: Sequence[int]
) -> list[Told]:
    """What is to be stored of subjects under these versions."""
    names = await identifiers.members(connection, workspace, [each.id for each in held])
    accounts = await account_ids(connection, workspace, [each.state for each in held])
    published = await subjects.published(connection, workspace, [each.id for each in held if each.state.first is None])
    told = []
    for each, version in zip(held, versions, strict=True):
        account = account_of(each.state) if each.type == "customer" else None
        standing = Standing(
            workspace=workspace,
            type=each.type,
            id=each.id,
            identifiers=[identifier for _, identifier in names.get(each.id, [])],
            sessions=each.sessions,
            account_id=None if account is None else accounts[account],
            people=each.people,
            follows=each.follows,
        )
        if each.id in published:
            left = nothing_left(standing, in_force.rules, each.as_of, version)
            told.append(Told(_saved(each, version, None, None)._replace(event=encode(left)), [], None))
        else:
            told.append(_told(each, standing, in_force, version))
    return told


async def keep(connection: Connection, workspace: WorkspaceId, in_force: InForce, told: Sequence[Told]) -> None:
    """Stores it."""
    if not told:
        return
    await subjects.save(connection, workspace, [each.saved for each in told], in_force.vocabulary.version)
    if in_force.version:
        people = [each.saved.id for each in told if each.saved.type == "customer"]
        members = [member for each in told for member in each.members]
        await memberships.replace(connection, workspace, people, members)
    await _set_timers(connection, workspace, [(each.saved.id, each.next) for each in told])


async def stored(
    connection: Connection, workspace: WorkspaceId, in_force: InForce, ids: Collection[SubjectId]
) -> dict[SubjectId, Told]:
    """What is stored of those that exist; of what an older fold or vocabulary told without its state."""
    saved = await subjects.saved(connection, workspace, ids, in_force.vocabulary.version)
    members = await memberships.of(connection, workspace, ids) if in_force.version else {}
    due = await timers.due(connection, workspace, ids, TIMER)
    return {id_: Told(each, members.get(id_, []), due.get(id_)) for id_, each in saved.items()}


async def bury(
    connection: Connection, workspace: WorkspaceId, lost: Mapping[SubjectId, tuple[SubjectType, SubjectId]]
) -> dict[Subject, int]:
    """Stores of subjects what they merged into, under new versions."""
    if not lost:
        return {}
    versions = await subjects.draw_versions(connection, len(lost))
    saved = [
        buried(workspace, loser, type_, survivor, version)
        for (loser, (type_, survivor)), version in zip(lost.items(), versions, strict=True)
    ]
    await subjects.save(connection, workspace, saved)
    await memberships.replace(connection, workspace, lost, [])
    await timers.drop(connection, [(workspace, loser, TIMER) for loser in lost])
    return {Subject(workspace, each.id): each.version for each in saved}


def buried(workspace: WorkspaceId, loser: SubjectId, type_: SubjectType, into: SubjectId, version: int) -> Saved:
    """What is stored of a subject that is another one now."""
    event = MergedInto(workspace=workspace, subject_type=type_, subject_id=loser, version=version, into=into)
    return Saved(loser, type_, version, encode(EMPTY), event=encode(event), merged_into=into)


async def account_ids(
    connection: Connection, workspace: WorkspaceId, states: Collection[State]
) -> dict[str, SubjectId]:
    """The ids of every account that people of these states belong or belonged to."""
    names = {Named("account", account) for state in states for account in state.groups}
    if not names:
        return {}
    found = await identifiers.read(connection, workspace, names)
    return {named.value: SubjectId(stored.node.id) for named, stored in found.items()}


def _told(held: Held, standing: Standing, in_force: InForce, version: int) -> Told:
    watched = in_force if held.type == "customer" else in_force.for_accounts()
    truths = ruled(held.walk, watched)
    entries = course(held.state, truths, watched)
    stays = walked(held.walk, watched, entries)
    last = EPOCH if held.state.last is None else instant(held.state.last[0])
    now = micros(max(held.as_of, last))
    view = StateView(held.state, in_force.rules, entries)
    by_now = passed(stays, watched, view, now)
    standing = msgspec.structs.replace(standing, stays=by_now, milestones=reached(by_now, watched))
    made = snapshot(held.state, standing, in_force.rules, held.as_of, version, entries)
    if made is None:
        return Told(_saved(held, version, None, None), [], None)
    kept = Kept(in_force.version, stays, truths) if watched.walks else None
    saved = _saved(held, version, made, kept)
    ahead = [entry.us for entry in entries if entry.us > now]
    turn = following(by_now, watched, view, now)
    turns = [*ahead[:1], *([] if turn is None else [turn])]
    return Told(saved, _members(held.id, made, standing.milestones), instant(min(turns)) if turns else None)


def _members(subject: SubjectId, made: JourneySnapshot, milestones: Mapping[str, int | None]) -> list[Member]:
    first = micros(made.first_seen_at)
    return [
        *(Member("segment", each.name, subject, each.entered_at) for each in made.segments),
        *(Member("persona", each.name, subject, each.entered_at) for each in made.personas),
        *(
            Member("milestone", name, subject, instant(us), (us - first) // 1_000_000)
            for name, us in sorted(milestones.items())
            if us is not None
        ),
    ]


def _saved(held: Held, version: int, made: JourneySnapshot | None, kept: Kept | None) -> Saved:
    name = made.traits.get("name") if made is not None else None
    return Saved(
        held.id,
        held.type,
        version,
        encode(held.state),
        held.sessions,
        event=None if made is None else encode(made),
        stage=None if made is None else made.stage.name,
        name=name if isinstance(name, str) else None,
        account=None if made is None else made.account_id,
        stays=None if kept is None else encode((kept.version, kept.stays)),
        truths=None if kept is None else encode(kept.truths),
    )


async def _set_timers(
    connection: Connection, workspace: WorkspaceId, due: Sequence[tuple[SubjectId, datetime | None]]
) -> None:
    ahead = [Timer(workspace, subject, TIMER, at) for subject, at in due if at is not None]
    if ahead:
        await timers.put(connection, ahead)
    done = [(workspace, subject, TIMER) for subject, at in due if at is None]
    if done:
        await timers.drop(connection, done)
