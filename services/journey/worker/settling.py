"""From states to what is stored and published of them: snapshots, versions, timers."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from jornada.bus import timers
from jornada.bus.publisher import Subject
from jornada.bus.timers import Timer
from jornada.db import Connection
from jornada.events import JourneySnapshot, MergedInto, SubjectId, SubjectType, WorkspaceId, encode
from services.journey.domain.identity import Named
from services.journey.domain.reading import instant, micros
from services.journey.domain.rules import RuleSet
from services.journey.domain.snapshot import Standing, snapshot
from services.journey.domain.stages import Entry, timeline
from services.journey.domain.state import EMPTY, State, account_of
from services.journey.store import identifiers, subjects
from services.journey.store.subjects import Saved

TIMER = "stage"


class Held(NamedTuple):
    """A subject whose row is locked, with its state as it is now and the instant for which its snapshot is made."""

    id: SubjectId
    type: SubjectType
    state: State
    sessions: int
    as_of: datetime
    people: Sequence[State] = ()


async def settle(
    connection: Connection, workspace: WorkspaceId, rules: RuleSet, held: Sequence[Held]
) -> dict[Subject, int]:
    """Stores subjects with their snapshots under new versions, and the timers of what silence will change."""
    if not held:
        return {}
    names = await identifiers.members(connection, workspace, [each.id for each in held])
    accounts = await account_ids(connection, workspace, [each.state for each in held])
    versions = await subjects.draw_versions(connection, len(held))
    saved, due = [], []
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
        )
        entries = timeline(each.state, rules)
        made = snapshot(each.state, standing, rules, each.as_of, version, entries)
        saved.append(_saved(each, version, made))
        due.append((each.id, _next(entries, made)))
    await subjects.save(connection, workspace, saved)
    await _set_timers(connection, workspace, due)
    return {Subject(workspace, each.id): each.version for each in saved}


async def bury(
    connection: Connection, workspace: WorkspaceId, lost: Mapping[SubjectId, tuple[SubjectType, SubjectId]]
) -> dict[Subject, int]:
    """Stores of subjects what they merged into, under new versions."""
    if not lost:
        return {}
    versions = await subjects.draw_versions(connection, len(lost))
    saved = []
    for (loser, (type_, survivor)), version in zip(lost.items(), versions, strict=True):
        event = MergedInto(workspace=workspace, subject_type=type_, subject_id=loser, version=version, into=survivor)
        saved.append(Saved(loser, type_, version, encode(EMPTY), event=encode(event), merged_into=survivor))
    await subjects.save(connection, workspace, saved)
    await timers.drop(connection, [(workspace, loser, TIMER) for loser in lost])
    return {Subject(workspace, each.id): each.version for each in saved}


async def account_ids(
    connection: Connection, workspace: WorkspaceId, states: Collection[State]
) -> dict[str, SubjectId]:
    """The ids of every account that people of these states belong or belonged to."""
    names = {Named("account", account) for state in states for account in state.groups}
    if not names:
        return {}
    found = await identifiers.read(connection, workspace, names)
    return {named.value: SubjectId(stored.node.id) for named, stored in found.items()}


def _saved(held: Held, version: int, made: JourneySnapshot | None) -> Saved:
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
    )


def _next(entries: Sequence[Entry], made: JourneySnapshot | None) -> datetime | None:
    if made is None:
        return None
    now = micros(made.as_of)
    return next((instant(entry.us) for entry in entries if entry.us > now), None)


async def _set_timers(
    connection: Connection, workspace: WorkspaceId, due: Sequence[tuple[SubjectId, datetime | None]]
) -> None:
    ahead = [Timer(workspace, subject, TIMER, at) for subject, at in due if at is not None]
    if ahead:
        await timers.put(connection, ahead)
    done = [(workspace, subject, TIMER) for subject, at in due if at is None]
    if done:
        await timers.drop(connection, done)
