"""Some of a workspace's subjects with their stored touchpoints, spread evenly over all, to foretell a change by."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from jornada.db import Database
from jornada.events import SubjectType, WorkspaceId
from services.journey.domain import stages
from services.journey.domain.reading import Reading
from services.journey.domain.segments import InForce, told
from services.journey.domain.vocabulary import Vocabulary
from services.journey.store import identifiers, portraits, touchpoints

_MOST_SUBJECTS = 2_000
_MOST_TOUCHPOINTS = 200_000
_PIECE = 20


class Sampled(NamedTuple):
    """A subject and its touchpoints in a vocabulary."""

    id: UUID
    type: SubjectType
    readings: list[Reading]


@dataclass
class Sample:
    """How many subjects there are, and how many were looked at so far."""

    of: int = 0
    subjects: int = 0

    def told(self) -> dict[str, Any]:
        """As it is answered: where `sampled` is true every count is one of what was `looked_at`."""
        return {
            "looked_at": {"subjects": self.subjects, "of": self.of},
            "sampled": self.subjects < self.of,
        }


def stage_of(readings: Sequence[Reading], force: InForce, now: datetime) -> str | None:
    """The stage of a customer of these touchpoints at `now` or the last of them; None where none counts."""
    last = max((reading.touchpoint.occurred_at for reading in readings if not reading.ours), default=None)
    past = [] if last is None else stages.history(told(readings, force), max(now, last))
    return past[-1].name if past else None


async def sampled(
    database: Database, workspace: WorkspaceId, vocabulary: Vocabulary, sample: Sample
) -> AsyncIterator[list[Sampled]]:
    """All subjects in pieces, or as many as can be read at once; `sample` says how many it were."""
    async with database.transaction([workspace]) as connection:
        sample.of = await portraits.subjects_count(connection, workspace)
        step = max(1, -(-sample.of // _MOST_SUBJECTS))
        ids = await portraits.every(connection, workspace, step)
    read = 0
    for start in range(0, len(ids), _PIECE):
        if read >= _MOST_TOUCHPOINTS:
            break
        piece = dict(ids[start : start + _PIECE])
        async with database.transaction([workspace]) as connection:
            members = await identifiers.members(connection, workspace, piece)
            whose = {owner: id_ for id_, own in members.items() for owner, _ in own}
            stored = await touchpoints.of(connection, workspace, whose, vocabulary)
        theirs: dict[UUID, list[Reading]] = {id_: [] for id_ in piece}
        for owner, reading in stored:
            theirs[whose[owner]].append(reading)
        read += len(stored)
        sample.subjects += len(piece)
        yield [Sampled(id_, type_, theirs[id_]) for id_, type_ in piece.items()]
        await asyncio.sleep(0)
