"""Our side of what scoring costs: journeys read, scored, and their snapshots made as they are stored."""

from collections.abc import Sequence
from functools import partial

from bench.scoring.sides import Work
from bench.scoring.stored import CONNECTED, NOW
from jornada.events import JourneySnapshot, decode, encode
from services.scoring.domain.announcing import Recorded
from services.scoring.domain.judging import HEALTH, Judged
from services.scoring.domain.scores import Configuration, Scores, score
from services.scoring.store.rows import snapshot_of

_SAID = {workspace: Configuration(connected) for workspace, connected in CONNECTED.items()}


def work(batches: Sequence[Sequence[bytes]]) -> Work:
    """Subject by subject, as the worker does."""
    read: list[list[JourneySnapshot]] = [[decode(row, JourneySnapshot) for row in rows] for rows in batches]
    return {"whole": [partial(_whole, rows) for rows in batches], "alone": [partial(_alone, each) for each in read]}


def _whole(rows: Sequence[bytes]) -> list[bytes]:
    return [_told(decode(row, JourneySnapshot)) for row in rows]


def _told(journey: JourneySnapshot) -> bytes:
    scores = _scored(journey)
    recorded = {HEALTH: Recorded(scores.health.band, NOW)}
    return encode(snapshot_of(Judged(journey, scores, recorded), journey.version))


def _alone(journeys: Sequence[JourneySnapshot]) -> None:
    for each in journeys:
        _scored(each)


def _scored(journey: JourneySnapshot) -> Scores:
    return score(journey, _SAID[journey.workspace], NOW)
