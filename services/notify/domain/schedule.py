"""When a webhook is tried again, and when no more."""

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple

RETRIES = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""The wait before each attempt, the first included."""

JITTER = 0.1
LONGEST_WAIT = timedelta(hours=24)
FAILING_FOR = timedelta(days=5)
"""An endpoint that only failed for so long is disabled."""


class Outcome(NamedTuple):
    """What came of one attempt: the answer's status (None: no answer) and what it asked for in `Retry-After`."""

    status: int | None
    retry_after: str | None = None


class Delivered(NamedTuple):
    """The endpoint took it."""


class TryAgain(NamedTuple):
    """Try again at this instant."""

    at: datetime


class GiveUp(NamedTuple):
    """No more attempts; with `disable` none for the whole subscription."""

    reason: str
    disable: bool = False


def after(attempt: int, outcome: Outcome, now: datetime, chance: float) -> Delivered | TryAgain | GiveUp:
    """What follows attempt number `attempt` (from 1). `chance`, in 0–1, is drawn by the caller for the jitter."""
    if outcome.status is not None and 200 <= outcome.status < 300:
        return Delivered()
    if outcome.status == 410:
        return GiveUp("gone", disable=True)
    if attempt >= len(RETRIES):
        return GiveUp("exhausted")
    wait = RETRIES[attempt] * (1 + JITTER * chance)
    asked = retry_after(outcome.retry_after, now)
    return TryAgain(now + max(wait, min(asked, LONGEST_WAIT)))


def retry_after(header: str | None, now: datetime) -> timedelta:
    """How long `Retry-After` (seconds or a date) asks to wait; nothing for what cannot be read."""
    if header is None:
        return timedelta(0)
    text = header.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), 10**8))
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return timedelta(0)
    return max(at - now, timedelta(0)) if at.tzinfo is not None else timedelta(0)


def has_failed_too_long(failing_since: datetime | None, now: datetime) -> bool:
    """Whether an endpoint that has only failed since then is to be disabled."""
    return failing_since is not None and now - failing_since >= FAILING_FOR
