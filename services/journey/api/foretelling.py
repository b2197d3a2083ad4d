"""What a change of the vocabulary would do, told from stored touchpoints before it is made."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from jornada.clock import Clock
from jornada.db import Database
from jornada.events import WorkspaceId
from services.journey.api.sampling import Sample, Sampled, sampled, stage_of
from services.journey.domain.reading import Reading, read
from services.journey.domain.segments import InForce
from services.journey.domain.vocabulary import Vocabulary

_MOST_NAMED = 100


class _Asked(NamedTuple):
    """What the names would mean, and by what and at which instant stages are compared."""

    force: InForce
    wanted: Vocabulary
    names: Collection[str]
    now: datetime


@dataclass
class _Found:
    """What was seen so far."""

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
    found, asked, sample = _Found(), _Asked(force, wanted, names, clock.now()), Sample()
    async for piece in sampled(database, workspace, force.vocabulary, sample):
        for each in piece:
            _look(found, asked, each)
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
        **sample.told(),
    }


def _look(found: _Found, asked: _Asked, subject: Sampled) -> None:
    id_, type_, told = subject
    concerned = sum(_concerned(reading, asked.names) for reading in told)
    if not concerned:
        return
    found.touchpoints += concerned
    if type_ != "customer":
        found.accounts += 1
        return
    found.customers += 1
    anew = [read(reading.touchpoint, asked.wanted) if _concerned(reading, asked.names) else reading for reading in told]
    before = stage_of(told, asked.force, asked.now)
    after = stage_of([reading for reading in anew if reading.account is None], asked.force, asked.now)
    if before != after:
        found.turns[before, after] += 1
        if len(found.named) < _MOST_NAMED:
            found.named.append({"customer_id": id_, "from": before, "to": after})


def _concerned(reading: Reading, names: Collection[str]) -> bool:
    return reading.touchpoint.type == "track" and reading.touchpoint.event in names and not reading.ours
