"""What a change of the vocabulary would do, told from stored touchpoints before it is made."""

import asyncio
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from jornada.clock import Clock
from jornada.db import Database
from jornada.events import SubjectType, WorkspaceId
from jornada.instants import instant
from services.journey.domain import folding, stages
from services.journey.domain.reading import Reading, read
from services.journey.domain.rules import RuleSet
from services.journey.domain.segments import InForce
from services.journey.domain.vocabulary import Vocabulary
from services.journey.store import identifiers, portraits, touchpoints

_MOST_SUBJECTS = 2_000
_MOST_TOUCHPOINTS = 200_000
_MOST_NAMED = 100
_PIECE = 20


class _Asked(NamedTuple):
    """What the names would mean, and under which rules and at which instant stages are compared."""

    rules: RuleSet
    wanted: Vocabulary
    names: Collection[str]
    now: datetime


@dataclass
class _Found:
    """What was seen so far. `looked_at` counts subjects, `read` their touchpoints."""

    looked_at: int = 0
    read: int = 0
    touchpoints: int = 0
    customers: int = 0
    accounts: int = 0
    turns: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    named: list[dict[str, Any]] = field(default_factory=list)


async def foretold(
    database: Database, clock: Clock, workspace: WorkspaceId, force: InForce, wanted: Vocabulary, names: Collection[str]
) -> dict[str, Any]:
    """How many touchpoints and whom a new meaning of these names concerns, and which customers change their stage.

    Of more subjects or touchpoints than can be read at once a part is looked at, spread evenly over all: then
    `sampled` is true, and every count is one of what was `looked_at`.
    """
    found, asked = _Found(), _Asked(force.rules, wanted, names, clock.now())
    async with database.transaction([workspace]) as connection:
        total = await portraits.subjects_count(connection, workspace)
        step = max(1, -(-total // _MOST_SUBJECTS))
        ids = await portraits.every(connection, workspace, step)
    for start in range(0, len(ids), _PIECE):
        if found.read >= _MOST_TOUCHPOINTS:
            break
        piece = dict(ids[start : start + _PIECE])
        async with database.transaction([workspace]) as connection:
            members = await identifiers.members(connection, workspace, piece)
            whose = {owner: id_ for id_, theirs in members.items() for owner, _ in theirs}
            stored = await touchpoints.of(connection, workspace, whose, force.vocabulary)
        told: dict[UUID, list[Reading]] = {id_: [] for id_ in piece}
        for owner, reading in stored:
            told[whose[owner]].append(reading)
        for id_, type_ in piece.items():
            _look(found, asked, id_, type_, told[id_])
        await asyncio.sleep(0)
    return {
        "names": sorted(names),
        "touchpoints": found.touchpoints,
        "customers": found.customers,
        "accounts": found.accounts,
        "changing_stage": found.turns.total(),
        "stages": [
            {"from": before, "to": after, "customers": number}
            for (before, after), number in sorted(found.turns.items(), key=lambda item: str(item[0]))
        ],
        "who": found.named,
        "looked_at": {"subjects": found.looked_at, "of": total},
        "sampled": found.looked_at < total,
    }


def _look(found: _Found, asked: _Asked, id_: UUID, type_: SubjectType, told: list[Reading]) -> None:
    found.looked_at += 1
    found.read += len(told)
    concerned = sum(_concerned(reading, asked.names) for reading in told)
    if not concerned:
        return
    found.touchpoints += concerned
    if type_ != "customer":
        found.accounts += 1
        return
    found.customers += 1
    anew = [read(reading.touchpoint, asked.wanted) if _concerned(reading, asked.names) else reading for reading in told]
    before = _stage(told, asked)
    after = _stage([reading for reading in anew if reading.account is None], asked)
    if before != after:
        found.turns[before, after] += 1
        if len(found.named) < _MOST_NAMED:
            found.named.append({"customer_id": id_, "from": before, "to": after})


def _concerned(reading: Reading, names: Collection[str]) -> bool:
    return reading.touchpoint.type == "track" and reading.touchpoint.event in names and not reading.ours


def _stage(told: list[Reading], asked: _Asked) -> str | None:
    whole = folding.fold(told)
    if whole.last is None:
        return None
    past = stages.history(stages.timeline(whole, asked.rules), max(asked.now, instant(whole.last[0])))
    return past[-1].name if past else None
