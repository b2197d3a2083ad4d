"""The moment a score entered another band: a recorded fact."""

from datetime import datetime
from uuid import UUID

import msgspec

from jornada.events.ids import SubjectId, SubjectType, WorkspaceId
from jornada.events.journeys import Identifier
from jornada.events.scores import Band, Reason


class Crossing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"from_": "from"}):
    """One crossing, announced. `id` derives from workspace, subject, score, bands and ordinal.

    `at` is the instant at which the band changed in event time, `recorded_at` when scoring recorded it.
    `ordinal` counts the subject's crossings of that score from 1.
    """

    id: UUID
    workspace: WorkspaceId
    subject_type: SubjectType
    subject_id: SubjectId
    score: str
    ordinal: int
    from_: Band
    to: Band
    value: float | None
    at: datetime
    recorded_at: datetime
    because: list[Reason]
    identifiers: list[Identifier] = []
