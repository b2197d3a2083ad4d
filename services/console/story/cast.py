"""Who is in the story: accounts and people as data."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["granted", "denied", "revoked"]


@dataclass(frozen=True, slots=True)
class Person:
    """One person. `uses` are the days ago on which they used the product; `tours` the trainings they completed."""

    key: str
    first: str
    last: str
    locale: str
    timezone: str
    role: str
    signed_up: int
    uses: tuple[int, ...]
    features: tuple[str, ...]
    consent: Status | None = "granted"
    nps: tuple[int, int] | None = None
    """(days ago, answer)"""
    trained: tuple[int, ...] = ()
    tickets: tuple[tuple[int, int | None, int], ...] = ()
    """(opened days ago, resolved days ago, severity)"""

    @property
    def user_id(self) -> str:
        return f"story-{self.key}"


@dataclass(frozen=True, slots=True)
class Account:
    """One account, its contract and its people."""

    key: str
    name: str
    industry: str
    plan: str
    seats: int
    mrr: str
    currency: str
    began: int
    renews_in: int
    people: tuple[Person, ...]
    """The first of them pays."""

    @property
    def domain(self) -> str:
        return f"{self.key}.example"

    @property
    def group_id(self) -> str:
        return f"story-{self.key}"


def every(step: int, since: int, until: int) -> tuple[int, ...]:
    """Days ago from `since` down to `until`, `step` days apart."""
    return tuple(range(since, until - 1, -step))


_DAILY = ("Invoice Sent", "Expense Recorded", "Report Exported")
_WIDE = (
    "Invoice Sent",
    "Expense Recorded",
    "Report Exported",
    "Dashboard Shared",
    "Reminder Scheduled",
    "Bank Connected",
)
_SP, _LONDON, _NY = "America/Sao_Paulo", "Europe/London", "America/New_York"

RED = "beatriz"
"""The person whom today's events tip into red."""
HEALTHY = "northwind"
GROWING = "lumen"
LEAVING = "aurora"

_GROWERS = (
    ("grace", "Grace", "Hall", "champion", 149, 2, (12, 10)),
    ("noah", "Noah", "Reyes", "user", 120, 2, None),
    ("mia", "Mia", "Chen", "user", 96, 3, None),
    ("leo", "Leo", "Park", "user", 60, 2, None),
    ("ivy", "Ivy", "Stone", "user", 33, 2, (6, 9)),
)

_AURORA = Account(
    LEAVING,
    "Padaria Aurora",
    "Food",
    plan="Team",
    seats=2,
    mrr="640.00",
    currency="BRL",
    began=210,
    renews_in=46,
    people=(
        Person(
            RED,
            "Beatriz",
            "Lima",
            "pt-BR",
            _SP,
            "decision_maker",
            signed_up=208,
            uses=every(3, 206, 17),
            features=_DAILY,
            nps=(40, 6),
            trained=(200,),
            tickets=((62, 60, 3),),
        ),
    ),
)
_NORTHWIND = Account(
    HEALTHY,
    "Northwind Traders",
    "Logistics",
    plan="Business",
    seats=12,
    mrr="1900.00",
    currency="USD",
    began=420,
    renews_in=130,
    people=(
        Person(
            "emma",
            "Emma",
            "Clarke",
            "en-GB",
            _LONDON,
            "champion",
            signed_up=418,
            uses=every(2, 416, 1),
            features=_WIDE,
            nps=(25, 9),
            trained=(410, 380, 90),
            tickets=((70, 69, 3),),
        ),
        Person(
            "oliver",
            "Oliver",
            "Grant",
            "en-GB",
            _LONDON,
            "user",
            signed_up=300,
            uses=every(3, 298, 1),
            features=_DAILY,
            trained=(290,),
        ),
        Person(
            "aisha", "Aisha", "Khan", "en-GB", _LONDON, "admin", signed_up=250, uses=every(4, 247, 2), features=_WIDE
        ),
    ),
)
_LUMEN = Account(
    GROWING,
    "Lumen Studio",
    "Design",
    plan="Team",
    seats=5,
    mrr="390.00",
    currency="USD",
    began=150,
    renews_in=215,
    people=tuple(
        Person(
            key,
            first,
            last,
            "en-US",
            _NY,
            role,
            signed_up=joined,
            uses=every(step, joined - 2, 1),
            features=_WIDE,
            nps=nps,
            trained=(joined - 5,),
        )
        for key, first, last, role, joined, step, nps in _GROWERS
    ),
)
_HARBOR = Account(
    "harbor",
    "Harbor Labs",
    "Research",
    plan="Business",
    seats=8,
    mrr="1200.00",
    currency="USD",
    began=260,
    renews_in=75,
    people=(
        Person(
            "james",
            "James",
            "Ortiz",
            "en-US",
            _NY,
            "decision_maker",
            signed_up=258,
            uses=every(3, 257, 17),
            features=_DAILY,
            nps=(55, 7),
            tickets=((33, 30, 2),),
        ),
        Person("priya", "Priya", "Shah", "en-US", _NY, "user", signed_up=200, uses=every(4, 199, 11), features=_DAILY),
    ),
)
_DELTA = Account(
    "delta",
    "Delta Foods",
    "Retail",
    plan="Starter",
    seats=3,
    mrr="150.00",
    currency="USD",
    began=190,
    renews_in=20,
    people=(
        Person(
            "tom",
            "Tom",
            "Becker",
            "en-US",
            _NY,
            "admin",
            signed_up=188,
            uses=every(3, 185, 17),
            features=_DAILY,
            consent="revoked",
            nps=(80, 4),
        ),
    ),
)

ACCOUNTS = (_AURORA, _NORTHWIND, _LUMEN, _HARBOR, _DELTA)
