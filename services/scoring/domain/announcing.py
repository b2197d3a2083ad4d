"""Which crossings are recorded, and which are told: at once, later, or never. Decisions are values."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from jornada.events import Band
from services.scoring.domain.bands import WORSE

Cause = Literal["live", "silence", "other"]
"""What moved the score: something that just happened, time passing, or neither (history, a merge, a new component)."""

TOLD_LATER = timedelta(hours=24)


class Recorded(NamedTuple):
    """What is on record of one score of one subject: facts, which no rebuild and no later event changes.

    `came_from` is the band before, `ordinal` counts crossings from 1. `announce_at` is set while a worse band is to be
    told by timer. `live_at`, `history_at` and `journey_version` are those of the newest journey that was judged.
    """

    band: Band
    since: datetime
    ordinal: int = 0
    came_from: Band = "unknown"
    announced: bool = False
    announce_at: datetime | None = None
    live_at: datetime | None = None
    history_at: datetime | None = None
    journey_version: int = 0


class Crossed(NamedTuple):
    """One crossing: its bands, its ordinal, and when it was."""

    from_: Band
    to: Band
    ordinal: int
    at: datetime


class Announce(NamedTuple):
    """Tell it: a new crossing, or one recorded before and untold."""

    crossed: Crossed


class RecordUnannounced(NamedTuple):
    """Keep it and tell nobody now."""

    crossed: Crossed


class Nothing(NamedTuple):
    """No crossing."""


Decision = Announce | RecordUnannounced | Nothing


def cause_of(recorded: Recorded, live_at: datetime | None, *, silent: bool) -> Cause:
    """What moved a subject whose new journey arrived. `silent`: the journey before it has the same band by now."""
    if live_at is not None and (recorded.live_at is None or live_at > recorded.live_at):
        return "live"
    return "silence" if silent else "other"


def decide(
    recorded: Recorded, band: Band, since: datetime, now: datetime, cause: Cause, history_at: datetime | None
) -> tuple[Recorded, Decision]:
    """What becomes of the record when the settled band at `now` is `band`, and has been `since`; and what to do.

    Entering another known band is a crossing; of the unknown only entering red is. What lives or falls silent is told,
    save who leaves what nobody was told of. `history_at` is the journey's.
    """
    if band == recorded.band:
        return _still(recorded, now, cause)
    since = max(since, recorded.since)
    new = recorded._replace(band=band, since=since, came_from=recorded.band, announced=False, announce_at=None)
    if not _crossing(recorded.band, band):
        return new, Nothing()
    crossed = Crossed(recorded.band, band, recorded.ordinal + 1, since)
    new = new._replace(ordinal=crossed.ordinal)
    worse = _worse(recorded.band, band)
    if cause != "other" and (worse or not _untold(recorded)):
        return new._replace(announced=True), Announce(crossed)
    if worse:
        new = new._replace(announce_at=_told_later(recorded, history_at))
    return new, RecordUnannounced(crossed)


def _crossing(before: Band, band: Band) -> bool:
    return band == "red" or (before != "unknown" and band != "unknown")


def _worse(before: Band, band: Band) -> bool:
    return band == "red" or (before in WORSE and WORSE[band] > WORSE[before])


def _untold(recorded: Recorded) -> bool:
    """Whether the recorded band is a worse one than before, and nobody was told."""
    worse = recorded.band in WORSE and _crossing(recorded.came_from, recorded.band)
    return worse and _worse(recorded.came_from, recorded.band) and not recorded.announced


def _still(recorded: Recorded, now: datetime, cause: Cause) -> tuple[Recorded, Decision]:
    """An untold worse band is told by the first live touchpoint that leaves it so, or when its time has come."""
    due = recorded.announce_at is not None and recorded.announce_at <= now
    if not _untold(recorded) or not (cause == "live" or due):
        return recorded, Nothing()
    crossed = Crossed(recorded.came_from, recorded.band, recorded.ordinal, recorded.since)
    return recorded._replace(announced=True, announce_at=None), Announce(crossed)


def _told_later(recorded: Recorded, history_at: datetime | None) -> datetime | None:
    """24 h after the receipt of the history that made it worse; None if none came since the last time."""
    if history_at is None or (recorded.history_at is not None and history_at <= recorded.history_at):
        return None
    return history_at + TOLD_LATER


def earliest(instants: Sequence[datetime | None]) -> datetime | None:
    """The earliest of the instants that are set, None for none."""
    return min((each for each in instants if each is not None), default=None)
