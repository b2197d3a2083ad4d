"""What folding and firing share: subjects by name, and a subject's scores by all that holds now."""

from collections.abc import Mapping
from datetime import datetime
from typing import TypeGuard

from jornada.bus.publisher import Subject
from jornada.events import JourneyEvent, JourneySnapshot, WorkspaceId
from services.scoring.domain.announcing import Recorded
from services.scoring.domain.judging import HEALTH, Scored
from services.scoring.domain.overriding import Override
from services.scoring.domain.scores import Configuration, Scores, as_of, score
from services.scoring.store.subjects import Known

Configurations = Mapping[WorkspaceId, Configuration]
Bands = Mapping[str, Recorded]


def subject_of(event: JourneyEvent) -> Subject:
    """Whom an event is about."""
    return Subject(event.workspace, event.subject_id)


def lives(event: JourneyEvent) -> TypeGuard[JourneySnapshot]:
    """Whether there is anything to score; who has no touchpoints left may get them back."""
    return isinstance(event, JourneySnapshot) and event.touchpoints > 0


def scored_by(configuration: Configuration, override: Override | None) -> Scored:
    """The scores of a subject's journey, as it stood at an instant."""

    def scored(journey: JourneySnapshot, at: datetime) -> Scores:
        return score(as_of(journey, at), configuration, at, override)

    return scored


def versions(known: Mapping[Subject, Known], recorded: Mapping[Subject, Bands]) -> dict[Subject, tuple[int, int]]:
    """Of subjects on record: the version of the journey that was judged last, and of the stored one."""
    return {
        subject: (recorded[subject][HEALTH].journey_version, row.journey_version)
        for subject, row in known.items()
        if HEALTH in recorded.get(subject, {})
    }
