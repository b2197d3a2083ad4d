"""Earlier journeys of a subject whose silence turned before it was heard of again: each is judged in its own time.

A timer fires once all that happened before its instant is scored. A later journey may be scored before that, and must
not hide what silence had made of the earlier one by then.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from jornada.events import JourneySnapshot
from services.scoring.domain.announcing import Cause, cause_of
from services.scoring.domain.judging import HEALTH, Judged, Scored, dues, judge, taken

MOST = 16
"""How many earlier journeys of a subject are kept, and told apart within a batch; what is beyond counts as one."""


class Pending(NamedTuple):
    """An earlier journey, and until when it holds: from then on a later one tells otherwise."""

    journey: JourneySnapshot
    until: datetime


def pending(due: datetime, held: Sequence[Pending], stored: JourneySnapshot, new: JourneySnapshot) -> list[Pending]:
    """What is to be judged before a new journey, where a timer was due at `due` and has not fired.

    Nothing where something is new from up to that instant, so that silence did not last until then; nor where nobody
    knows what is new.
    """
    follows = new.follows
    if follows is None or follows.version != stored.version or follows.differs_from <= due:
        return []
    found: list[Pending] = []
    for each in (*held, Pending(stored, follows.differs_from)):
        if found and found[-1].until >= follows.differs_from:
            break
        found.append(each._replace(until=min(each.until, follows.differs_from)))
    return found[:MOST]


def steps(journeys: Sequence[JourneySnapshot], most: int = MOST) -> list[JourneySnapshot]:
    """Journeys of one subject, in order, one by one; those beyond the most as their last, with all that is new."""
    rest = journeys[most - 1 :]
    return [*journeys[: most - 1], *([_conflated(rest)] if rest else [])]


def _conflated(journeys: Sequence[JourneySnapshot]) -> JourneySnapshot:
    told = [each.follows for each in journeys if each.follows is not None]
    chained = [each.version for each in told[1:]] == [each.version for each in journeys[:-1]]
    if len(told) < len(journeys) or not chained:
        return msgspec.structs.replace(journeys[-1], follows=None)
    follows = msgspec.structs.replace(told[0], differs_from=min(each.differs_from for each in told))
    return msgspec.structs.replace(journeys[-1], follows=follows)


def onward(
    judged: Judged,
    held: Sequence[Pending],
    stored: JourneySnapshot,
    now: datetime,
    scored: Scored,
    withholds: Callable[[datetime], bool],
) -> tuple[Judged, Sequence[Pending]]:
    """Goes on from the first of the earlier journeys, judged as its timer fired, to the stored one, judged now.

    It stops at one that silence turns once more before the next tells otherwise; from that one on they are pending.
    Where it is too early to judge anybody by now, the stored one is scored alone, and its timers judge it.
    """
    kept = list(judged.kept)
    for place, (journey, until) in enumerate(held):
        own = journey.last_seen_at
        if place and own >= until:
            continue
        if place:
            judged = judge(journey, scored(journey, own), judged.recorded, _cause(judged, journey, own, scored))
            kept += judged.kept
        if any(at < until for _, at in dues(judged)):
            return judged._replace(kept=kept, until=until, withheld=False), held[place:]
    scores = scored(stored, now)
    if withholds(now):
        return Judged(stored, scores, judged.recorded, kept), []
    cause = _cause(judged, stored, scores.as_of, scored)
    last = taken(stored, scores, judged.recorded, cause, scored)
    return last._replace(kept=[*kept, *last.kept], withheld=False), []


def _cause(judged: Judged, journey: JourneySnapshot, at: datetime, scored: Scored) -> Cause:
    silent = scored(judged.journey, at).health.band == scored(journey, at).health.band
    return cause_of(judged.recorded[HEALTH], journey.live_at, silent=silent)
