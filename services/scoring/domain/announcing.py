"""Which crossings are recorded, and which are told: at once, later, or never. Decisions are values."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from jornada.events import Band
from services.scoring.domain.profiles import Profile

Cause = Literal["live", "silence", "other"]
"""What moved the score: something that just happened, time passing, or neither (history, a merge, a new component)."""

TOLD_LATER = timedelta(hours=24)
_WORSE = {"green": 0, "yellow": 1, "red": 2}


class Recorded(NamedTuple):
    """What is on record of one score of one subject: facts, which no rebuild and no later event changes.

    `came_from` is the band before, `ordinal` counts crossings from 1. `announce_at` is set while a red is to be told by
    timer. `live_at`, `history_at` and `journey_version` are those of the newest journey that was judged.
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


def settled(recorded: Band, band: Band, score: float | None, profile: Profile) -> Band:
    """The band to record: it worsens at the threshold and improves only at the threshold and the hysteresis."""
    if band == "unknown" or recorded == "unknown" or score is None or _WORSE[band] >= _WORSE[recorded]:
        return band
    improved = profile.thresholds.band(score - profile.hysteresis)
    return improved if _WORSE[improved] < _WORSE[recorded] else recorded


def cause_of(recorded: Recorded, live_at: datetime | None, *, red_before: bool) -> Cause:
    """What moved a subject whose new journey arrived. `red_before`: the journey before it is red by now as well."""
    if live_at is not None and (recorded.live_at is None or live_at > recorded.live_at):
        return "live"
    return "silence" if red_before else "other"


def decide(
    recorded: Recorded, band: Band, since: datetime, now: datetime, cause: Cause, history_at: datetime | None
) -> tuple[Recorded, Decision]:
    """What becomes of the record when the settled band at `now` is `band`, and has been `since`; and what to do.

    Into red and out of it (to a known band) are crossings. `history_at` is the journey's.
    """
    if band == recorded.band:
        return _still(recorded, now, cause)
    since = max(since, recorded.since)
    new = recorded._replace(band=band, since=since, came_from=recorded.band, announced=False, announce_at=None)
    if "red" not in {band, recorded.band} or band == "unknown":
        return new, Nothing()
    crossed = Crossed(recorded.band, band, recorded.ordinal + 1, since)
    new = new._replace(ordinal=crossed.ordinal)
    tell = cause != "other" if band == "red" else cause == "live" and recorded.announced
    if tell:
        return new._replace(announced=True), Announce(crossed)
    if band == "red":
        new = new._replace(announce_at=_told_later(recorded, history_at))
    return new, RecordUnannounced(crossed)


def _still(recorded: Recorded, now: datetime, cause: Cause) -> tuple[Recorded, Decision]:
    """An untold red is told by the first live touchpoint that leaves it red, or when its time has come."""
    due = recorded.announce_at is not None and recorded.announce_at <= now
    if recorded.band != "red" or recorded.announced or not (cause == "live" or due):
        return recorded, Nothing()
    crossed = Crossed(recorded.came_from, "red", recorded.ordinal, recorded.since)
    return recorded._replace(announced=True, announce_at=None), Announce(crossed)


def _told_later(recorded: Recorded, history_at: datetime | None) -> datetime | None:
    """24 h after the receipt of the history that made it red; None if none came since the last time."""
    if history_at is None or (recorded.history_at is not None and history_at <= recorded.history_at):
        return None
    return history_at + TOLD_LATER


def earliest(instants: Sequence[datetime | None]) -> datetime | None:
    """The earliest of the instants that are set, None for none."""
    return min((each for each in instants if each is not None), default=None)
