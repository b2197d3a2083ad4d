"""Timers that are due: who is looked at, when, and what time alone, their people, or newer grounds make of them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from jornada.bus.publisher import Subject
from jornada.bus.timers import Timer
from jornada.events import JourneySnapshot, decode
from jornada.instants import instant, micros
from services.scoring.domain.announcing import Cause, Recorded, cause_of
from services.scoring.domain.freezing import thawed_at
from services.scoring.domain.judging import HEALTH, TIMED, Judged, Scored, judge, moves, repeated
from services.scoring.domain.pending import Pending, onward
from services.scoring.domain.people import Peopled, peopled
from services.scoring.domain.scores import Configuration, Scores
from services.scoring.store.facts import RESCORE
from services.scoring.store.people import Step
from services.scoring.store.subjects import Known
from services.scoring.worker.scoring import Bands, Configurations

_MICROSECOND = timedelta(microseconds=1)


class Standing(NamedTuple):
    """A subject whose timer fires: what is stored and on record of it, what is pending, as of when it was published.

    `last` is that or the timer's instant, whichever is later.
    """

    journey: JourneySnapshot
    bands: Bands
    held: Sequence[Pending]
    as_of: datetime | None
    last: datetime
    scored: Scored


def first_of(due: Sequence[Timer], configurations: Configurations) -> dict[Subject, Timer]:
    """The earliest timer of each subject, of those that wait for nothing."""
    found: dict[Subject, Timer] = {}
    for timer in sorted(due, key=lambda each: (each.due_at, each.name)):
        if not configurations[timer.workspace].waits(timer.due_at):
            found.setdefault(Subject(timer.workspace, timer.subject), timer)
    return found


def waits(timer: Timer, known: Known | None, configurations: Configurations) -> bool:
    """Whether it is too early to score whom it belongs to at the timer's instant, or when they were scored last."""
    as_of = None if known is None or (timer.name in TIMED and known.type == "customer") else known.as_of
    return configurations[timer.workspace].waits(timer.due_at if as_of is None else max(timer.due_at, as_of))


def behind(version: int, known: Bands) -> bool:
    """Whether a newer journey than the stored one was judged before: a rebuild is under way, and sets timers anew."""
    return HEALTH in known and version < known[HEALTH].journey_version


def standing(row: Known, bands: Bands, held: Sequence[Pending], timer: Timer, scored: Scored) -> Standing:
    """A subject as its timer finds it; its row has a journey."""
    last = timer.due_at if row.as_of is None else max(timer.due_at, row.as_of)
    return Standing(decode(row.journey or b"", Peopled), bands, held, row.as_of, last, scored)


def fired(
    found: Standing,
    timer: Timer,
    step: Step | None,
    overdue: datetime | None,
    now: datetime,
    configuration: Configuration,
) -> tuple[Judged | None, Sequence[Pending]]:
    """What becomes of a subject whose timer fires, None where there is nothing to say; and what is still pending of it.

    `step` is how an account's people stand by then, `overdue` since when a timer of it is due that has not fired.
    """
    if step is not None:
        return _by_people(found, step, timer, configuration), []
    if timer.name in TIMED:
        return _turned(found, timer.due_at, now, configuration)
    return (_again(found, overdue, configuration) if timer.name == RESCORE else None), found.held


def _by_people(found: Standing, step: Step, timer: Timer, configuration: Configuration) -> Judged:
    """An account of which people changed before its timer was due, at the instant of that."""
    at = step.at if found.as_of is None else max(step.at, found.as_of + _MICROSECOND)
    journey = peopled(found.journey, replace(step.people, at=at))
    scores = found.scored(journey, at)
    cause = "silence" if step.told else _cause(journey, scores, found, configuration)
    return judge(journey, scores, found.bands, cause, due=timer.name in TIMED)


def _turned(
    found: Standing, due_at: datetime, now: datetime, configuration: Configuration
) -> tuple[Judged, Sequence[Pending]]:
    """What time alone has made of a subject by an instant; and what is still pending of it."""
    journey, bands, held, _, last, scored = found
    first = held[0].journey if held else journey
    judged = judge(first, scored(first, due_at), bands, "silence", due=True)
    if held:
        return onward(judged, held, journey, max(now, last), scored, configuration.withholds)
    return (judged._replace(later=scored(journey, last)) if last > due_at else judged), []


def _again(found: Standing, overdue: datetime | None, configuration: Configuration) -> Judged:
    """A subject scored again though nothing happened; judged too, unless a timer before then is still to fire."""
    scores = found.scored(found.journey, found.last)
    if found.held or (overdue is not None and overdue < found.last):
        return repeated(found.journey, scores, found.bands)
    return judge(found.journey, scores, found.bands, _cause(found.journey, scores, found, configuration))


def _cause(journey: JourneySnapshot, scores: Scores, found: Standing, configuration: Configuration) -> Cause:
    """Of somebody scored again: what nobody judged since, if anything, and else what is no news."""
    known = found.bands.get(HEALTH, Recorded("unknown", scores.as_of))
    thawed = thawed_at(configuration.freezes, micros(scores.as_of))
    silent = False
    if thawed is not None and moves(scores, found.bands):
        silent = found.scored(journey, instant(thawed)).health.band == known.band
    return cause_of(known, journey.live_at, silent=silent)
