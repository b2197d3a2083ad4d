"""Three clocks: when it happened, when it left, when it arrived; and whose is wrong."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import msgspec

from services.ingest.domain.codes import Refusal

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
FUTURE = timedelta(hours=24)
AHEAD = timedelta(minutes=1)
_HISTORY = timedelta(hours=24)
_HISTORY_OF_ROLE = {role: timedelta(hours=72) for role in ("import", "billing", "support")}
_NO_CLOCK = timedelta(days=366)
_NO_SHIFT = timedelta()
_LONGEST = len("2026-01-31T12:00:00.123456789+00:00")
_HOURS_MINUTES = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_RFC_3339 = re.compile(
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt]{_HOURS_MINUTES}:[0-5][0-9](?:\.[0-9]{{1,9}})?(?:[Zz]|[+-]{_HOURS_MINUTES})"
)


class Occurred(msgspec.Struct, frozen=True, gc=False):
    """When an event happened by our reckoning, and what was subtracted from its own time to say so."""

    at: datetime
    shift: timedelta


class OutOfTime(NamedTuple):
    """An event's time cannot be taken."""

    code: Refusal
    message: str


def instant(value: object) -> datetime | None:
    """The instant (UTC, microseconds) of an RFC 3339 text with a zone; None for anything else."""
    if not isinstance(value, str) or _RFC_3339.fullmatch(value) is None:
        return None
    try:
        at = datetime.fromisoformat(value if value[-1] == "Z" and value[10] == "T" else value.upper())
        return at if at.tzinfo is UTC else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def sent(value: object, received_at: datetime) -> datetime | None:
    """A `sentAt`, None for a broken one, which is kept as given and used for nothing: also one a year in the future,
    by which one event would move all others of its request out of their time."""
    at = _sent(value) if isinstance(value, str) and len(value) <= _LONGEST else None
    return at if at is not None and EARLIEST <= at <= received_at + _NO_CLOCK else None


@lru_cache(1_024)
def _sent(text: str) -> datetime | None:
    """The events of a request mostly share one."""
    return instant(text)


def ahead_by(sent_at: Iterable[datetime], received_at: datetime) -> timedelta:
    """How far the sender's clock runs ahead: by one latest `sentAt` for all events of a request; else nothing."""
    latest = max(sent_at, default=received_at)
    return latest - received_at if latest - received_at > AHEAD else _NO_SHIFT


def occurred(stated: object, sent_at: datetime | None, received_at: datetime, ahead: timedelta) -> Occurred | OutOfTime:
    """When an event happened: as it states, else when it was sent, else when it was received (by our own clock)."""
    if stated is None:
        if sent_at is None:
            return Occurred(received_at, _NO_SHIFT)
        own: datetime | None = sent_at
    else:
        own = instant(stated)
    if own is None:
        return OutOfTime("timestamp_invalid", "A timestamp is RFC 3339 with `T`, a zone and up to nine decimals.")
    if own < EARLIEST:
        return OutOfTime("timestamp_out_of_range", "A timestamp lies at or after 2000-01-01.")
    at = max(own - ahead, EARLIEST)
    if at > received_at + FUTURE:
        return OutOfTime("timestamp_in_future", "The event lies more than 24 hours in the future.")
    return Occurred(at, own - at)


def history_limit(role: str) -> timedelta:
    """How old an event of a source of that role may be on receipt, and still be no history."""
    return _HISTORY_OF_ROLE.get(role, _HISTORY)


def is_history(at: datetime, received_at: datetime, role: str) -> bool:
    """Whether an event was already older than its source's limit when it arrived."""
    return received_at - at > history_limit(role)
