"""What every service says and does of an erasure: ends those who are no more, and confirms it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from jornada import crashpoints
from jornada.bus.carrier import Record
from jornada.events import (
    ERASURES,
    Erased,
    ErasureAsked,
    ErasureConfirmed,
    ErasureEvent,
    derived_id,
    encode,
    topic_key,
)

CONFIRMING = "erasure.confirming"


def ends(asked: ErasureAsked) -> Sequence[Erased]:
    """The ends of an erasure's subjects, as they also come by the topic of journeys: whichever comes first counts."""
    return [
        Erased(workspace=asked.workspace, subject_type="customer", subject_id=each.id, version=each.version)
        for each in asked.subjects
    ]


def confirmation(asked: ErasureAsked, service: str, at: datetime) -> tuple[UUID, Record]:
    """That a service holds nothing more of it, for its outbox."""
    crashpoints.reached(CONFIRMING)
    event = ErasureConfirmed(workspace=asked.workspace, erasure=asked.erasure, service=service, at=at)
    return told(event, "confirmed", service)


def told(event: ErasureEvent, *what: object) -> tuple[UUID, Record]:
    """Something that is said of an erasure, for an outbox; `what` tells it from all else that is said of it."""
    record = Record(ERASURES.name, topic_key(event.workspace, event.erasure), encode(event))
    return derived_id("erasure", event.erasure, *what), record
