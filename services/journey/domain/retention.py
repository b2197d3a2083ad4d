"""For how long touchpoints are kept, where a workspace says so: by the day on which they occurred."""

from datetime import UTC, datetime, timedelta

from jornada.events import Touchpoint

SHORTEST_DAYS = 7
LONGEST_DAYS = 36_500

_TOLD_AGAIN = timedelta(days=8)
"""For how long after its receipt the stream may tell an event again: until then its key is needed, and it stays."""


def horizon(now: datetime, days: int) -> datetime:
    """The instant from which on touchpoints are kept: the beginning of the day so many days ago, UTC."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days)


def may_go(touchpoint: Touchpoint, before: datetime, now: datetime) -> bool:
    """Whether a stored touchpoint is older than is kept, and its key needed no longer."""
    return touchpoint.occurred_at < before and touchpoint.received_at <= now - _TOLD_AGAIN
