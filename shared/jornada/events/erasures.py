"""An erasure on its way through the services: asked for, confirmed by each, done. It names nobody in clear."""

from datetime import datetime
from uuid import UUID

import msgspec

from jornada.events.ids import SubjectId, WorkspaceId


class ErasedSubject(msgspec.Struct, frozen=True):
    """One that the customer was, and the version above all that it had."""

    id: SubjectId
    version: int


class ErasureAsked(msgspec.Struct, frozen=True, kw_only=True, tag="asked"):
    """Everything of a customer goes. `names` are the pseudonyms of all identifiers of theirs.

    With `block` nobody of these names begins anew; else those who come after `erased_at` do.
    """

    workspace: WorkspaceId
    erasure: UUID
    subjects: list[ErasedSubject]
    names: list[str]
    erased_at: datetime
    block: bool = False


class ErasureConfirmed(msgspec.Struct, frozen=True, kw_only=True, tag="confirmed"):
    """A service holds nothing of it any more, save on topics that forget in their time."""

    workspace: WorkspaceId
    erasure: UUID
    service: str
    at: datetime


class ErasureDone(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """Every service has confirmed: compacted topics may forget the subjects, too."""

    workspace: WorkspaceId
    erasure: UUID
    subjects: list[SubjectId]


ErasureEvent = ErasureAsked | ErasureConfirmed | ErasureDone
