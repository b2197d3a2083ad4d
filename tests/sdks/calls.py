"""What the SDKs are made to send, and what they say became of it: calls of every kind, each with a number."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypedDict

_BEGIN = datetime(2026, 1, 31, 12, 0, 0, 123_000, tzinfo=UTC)
_HARD = {
    "label": 'Ana São 🚀 "quoted" \\ <b>&amp;</b> \u2028',
    "price": 1.1,
    "rows": 9_007_199_254_740_991,
    "tiny": 1e-7,
    "paid": True,
    "missing": None,
    "nested": {"list": [1, "two", {"three": [False]}], "empty": {}},
}
_KINDS = ("track", "identify", "track", "page", "screen", "group", "alias")


class Call(TypedDict):
    """One call; `fields` are its traits or properties. A `timestamp` of None is the SDK's to set."""

    n: int
    type: str
    userId: str | None
    anonymousId: str | None
    previousId: str | None
    groupId: str | None
    event: str | None
    category: str | None
    name: str | None
    fields: dict[str, Any]
    timestamp: str | None


class Report(TypedDict):
    """What an SDK says of one call: the id and the time it gave it, and what became of it."""

    n: int
    id: str
    timestamp: str
    outcome: Literal["delivered", "dropped", "pending"]


class Order(TypedDict):
    """What a driver is told: where to, what, and how. `restless` is to flush again and again meanwhile."""

    host: str
    write_key: str
    calls: Sequence[Call]
    settings: dict[str, Any]
    restless: bool


def calls(run: str, count: int) -> list[Call]:
    """`count` calls of every kind in turn, seven a person, the first of each person's seven without a user id."""
    return [_call(run, n) for n in range(count)]


def number_of(run: str, anonymous_id: str | None, previous_id: str | None) -> int | None:
    """The number of a stored call of this run, from the device that it names; None for a call of another run."""
    device = previous_id or anonymous_id or ""
    head, _, number = device.rpartition("-d")
    return int(number) if head == run else None


def _call(run: str, n: int) -> Call:
    person, kind = divmod(n, len(_KINDS))
    type_ = _KINDS[kind]
    alias = type_ == "alias"
    paged = type_ in ("page", "screen")
    happened = _BEGIN + timedelta(milliseconds=n * 1_001)
    return Call(
        n=n,
        type=type_,
        userId=f"{run}-u{person}" if kind else None,
        anonymousId=None if alias else f"{run}-d{n}",
        previousId=f"{run}-d{n}" if alias else None,
        groupId=f"{run}-acme" if type_ == "group" else None,
        event="Relatório Exportado" if type_ == "track" else None,
        category="Docs" if paged else None,
        name="Início" if paged else None,
        fields={} if alias else {"n": n, **_HARD},
        timestamp=happened.isoformat(timespec="milliseconds") if n % 2 else None,
    )
