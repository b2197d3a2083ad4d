"""When a refused event happened, as far as it says so itself."""

import re
from datetime import UTC, datetime

from jornada.events import Rejection

_STATED = re.compile(r'"(?:originalTimestamp|timestamp|time|sentAt)"\s*:\s*"([^"\\]{10,40})"')


def happened_at(rejection: Rejection) -> datetime:
    """The earliest instant that a refused event states, else when it was received: it may be broken or cut off."""
    stated = [at for each in _STATED.findall(rejection.payload) if (at := _instant(each)) is not None]
    return min([*stated, rejection.received_at])


def _instant(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
