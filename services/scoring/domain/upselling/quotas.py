"""Quotas: what of an allowance is used, and the date on which it runs out if it goes on at its pace."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from jornada.events import JourneySnapshot, Reason
from jornada.instants import instant, micros
from services.scoring.domain.shapes import DAY, ramp, whole_days
from services.scoring.domain.words import reason

TRAIT = "quotas"
"""The trait that states them: an object of quotas by name."""

HOLDS_DAYS = 60
"""For how long after it was measured a quota counts that names no end of its period."""

MOST = 50
_LONGEST_NAME = 100


class Quota(NamedTuple):
    """One allowance as it was stated: until its period ends it runs out at an instant, or not at all (`until`)."""

    name: str
    used: float
    limit: float
    runs_out: int
    until: int


class NearestQuota:
    """The quota that runs out first, and how near that is: by whole days, from `days` before on."""

    def __init__(self, quotas: Sequence[Quota], days: int) -> None:
        self._quotas, self._days = quotas, days

    def value(self, at: int) -> float:
        return max(self._nearness(each, at) for each in self._quotas)

    def turns(self) -> Sequence[int]:
        return [turn for each in self._quotas for turn in self._turns(each)]

    def because(self, at: int) -> Reason:
        first = max(self._quotas, key=lambda each: (self._nearness(each, at), -each.runs_out))
        told = {"quota": first.name, "used": first.used, "limit": first.limit}
        if first.used >= first.limit:
            return reason("quota_used_up", **told)
        on = instant(first.runs_out).date().isoformat()
        return reason("quota_runs_out", **told, on=on, days=whole_days(at, first.runs_out))

    def _nearness(self, quota: Quota, at: int) -> float:
        if at >= quota.until or quota.runs_out >= quota.until:
            return 0.0
        return 1.0 - ramp(whole_days(at, quota.runs_out), 0, self._days)

    def _turns(self, quota: Quota) -> Sequence[int]:
        if quota.runs_out >= quota.until:
            return ()
        return [quota.until, *(quota.runs_out - day * DAY + 1 for day in range(1, self._days + 1))]


def quotas_of(journey: JourneySnapshot) -> list[Quota]:
    """The quotas that the trait states, by name, the first fifty; one that cannot be read is none."""
    stated = journey.traits.get(TRAIT)
    if not isinstance(stated, Mapping):
        return []
    found = (_quota(name, stated[name], micros(journey.last_seen_at)) for name in sorted(stated)[:MOST])
    return [each for each in found if each is not None]


def _quota(name: str, stated: Any, seen: int) -> Quota | None:
    if not isinstance(stated, Mapping) or len(name) > _LONGEST_NAME:
        return None
    used, limit, since = _amount(stated.get("used")), _amount(stated.get("limit")), _instant(stated.get("since"))
    measured = _instant(stated.get("at")) or seen
    until = _instant(stated.get("until")) or measured + HOLDS_DAYS * DAY
    if used is None or not limit or since is None or not 0 <= since < measured < until:
        return None
    pace = (measured - since) / used if used else float("inf")
    return Quota(name, used, limit, round(min(since + pace * limit, float(until))), until)


def _amount(stated: Any) -> float | None:
    number = isinstance(stated, int | float) and not isinstance(stated, bool)
    return abs(stated) if number and 0 <= stated <= 1e15 else None  # -0.0 is told as 0.0


def _instant(stated: Any) -> int | None:
    """An ISO 8601 date or instant, UTC where it names no zone."""
    if not isinstance(stated, str):
        return None
    try:
        at = datetime.fromisoformat(stated)
    except ValueError:
        return None
    return micros(at if at.tzinfo is not None else at.replace(tzinfo=UTC))
