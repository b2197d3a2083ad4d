"""Every topic: who writes it, who reads it, what its key is and how long it keeps a record."""

from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from jornada.events.crossings import Crossing
from jornada.events.erasures import ErasureEvent
from jornada.events.journeys import JourneyEvent
from jornada.events.rejections import Rejection
from jornada.events.scores import ScoreEvent
from jornada.events.touchpoints import Touchpoint

SWEPT_WITHIN = timedelta(minutes=10)
"""How long a broker takes to remove what may go: Kafka looks every 5 minutes, and keeps a file for one more."""


class Topic(NamedTuple):
    """One stream of events. `retention` is None where compaction keeps the newest record of each key."""

    name: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    key: str
    cleanup: Literal["delete", "compact"]
    retention: timedelta | None
    segment: timedelta
    description: str
    event: Any
    partitions: int = 12

    @property
    def gone_within(self) -> timedelta:
        """The longest that a record stays once it is older than its retention, or (compacted) its key is forgotten.

        Compacted: a segment's time each until a record is rolled away, cleaned, and its tombstone too.
        """
        kept = 4 * self.segment if self.retention is None else self.retention + self.segment
        return kept + SWEPT_WITHIN


TOUCHPOINTS = Topic(
    name="jornada.touchpoints.v1",
    producers=("ingest", "notify"),
    consumers=("journey",),
    key="workspace / userId, else anonymousId, else the account",
    cleanup="delete",
    retention=timedelta(days=7),
    segment=timedelta(hours=6),
    description="One accepted event, whole. notify writes what it sent, under its reserved source.",
    event=Touchpoint,
)
JOURNEYS = Topic(
    name="jornada.journeys.v1",
    producers=("journey",),
    consumers=("scoring", "notify"),
    key="workspace / subject",
    cleanup="compact",
    retention=None,
    segment=timedelta(hours=4),
    description="A subject's journey snapshot, what it merged into, or its erasure; the highest version holds.",
    event=JourneyEvent,
)
SCORES = Topic(
    name="jornada.scores.v1",
    producers=("scoring",),
    consumers=("notify",),
    key="workspace / subject",
    cleanup="compact",
    retention=None,
    segment=timedelta(hours=4),
    description="A subject's score snapshot, what it merged into, or its erasure; the highest version holds.",
    event=ScoreEvent,
)
CROSSINGS = Topic(
    name="jornada.crossings.v1",
    producers=("scoring",),
    consumers=("notify",),
    key="workspace / subject",
    cleanup="delete",
    retention=timedelta(days=7),
    segment=timedelta(hours=6),
    description="One crossing, whole: a recorded fact that is never withdrawn; its id makes a second copy harmless.",
    event=Crossing,
)
REJECTIONS = Topic(
    name="jornada.rejections.v1",
    producers=("ingest", "journey"),
    consumers=("ingest",),
    key="workspace / source",
    cleanup="delete",
    retention=timedelta(hours=6),
    segment=timedelta(hours=1),
    description="What was refused, with why, on its way to rest where its sender can see it.",
    event=Rejection,
)
ERASURES = Topic(
    name="jornada.erasures.v1",
    producers=("ingest", "journey", "scoring", "notify"),
    consumers=("ingest", "journey", "scoring", "notify"),
    key="workspace / erasure",
    cleanup="delete",
    retention=timedelta(days=7),
    segment=timedelta(hours=6),
    description="An erasure asked for, each service's confirmation, and that all have confirmed; nobody in clear.",
    event=ErasureEvent,
)

TOPICS: dict[str, Topic] = {
    topic.name: topic for topic in (TOUCHPOINTS, JOURNEYS, SCORES, CROSSINGS, REJECTIONS, ERASURES)
}


def gone_by(told_until: datetime) -> datetime:
    """When the last topic has forgotten somebody of whom no service told anything after an instant."""
    return told_until + max(topic.gone_within for topic in TOPICS.values())
