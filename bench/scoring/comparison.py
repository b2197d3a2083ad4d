"""Health alone, untrained and with one profile for all, beside simple counts: how well each ranks who is gone."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from rich.console import Console

from bench.measuring import Interval
from bench.scoring.data_sets import CDNOW, DATA_SETS, Cut, DataSet, Unread, purchases
from bench.scoring.folding import Customer, folded
from bench.scoring.ranking import auc, auc_interval
from jornada.events import Band, Health
from services.journey.domain.rules import SHOP
from services.scoring.domain.course import received
from services.scoring.domain.scores import Configuration, score

BANDED = 0.9
"""The least share of CDNOW's customers, those journey calls churned apart, that is to have a band."""

_BANDS: tuple[Band, ...] = ("green", "yellow", "red", "unknown")


class Found(NamedTuple):
    """What a cut of a set comes to: areas by ranking, how many have a band, and by band how many there are and gone."""

    customers: int
    churned: int
    health: Interval
    simple: Mapping[str, float]
    banded: float
    bands: Mapping[Band, tuple[int, int]]


async def run(_rounds: int, _seconds: float) -> None:
    """Prints what every set comes to at each of its cuts; the sets decide how much there is to do."""
    console = Console()
    for data_set in DATA_SETS:
        try:
            bought = purchases(data_set)
        except Unread as error:
            console.print(f"[yellow]{data_set.name}: {error}: not measured.[/yellow]")
            continue
        console.print(f"\n{data_set.name}: {len(bought):,} purchases of {data_set.customers:,} customers")
        found = {cut: at_cut(folded(data_set, cut), cut.at) for cut in data_set.cuts}
        for name, told in _rows(found):
            console.print(f"  {name:34}" + "".join(f"{each:26}" for each in told), soft_wrap=True, highlight=False)
        _tell(console, data_set, found[data_set.cuts[0]])


def at_cut(customers: Sequence[Customer], at: datetime) -> Found:
    """Measures every ranking on who was known at a cut."""
    churned = [each.churned for each in customers]
    wells = healths(customers, at)
    bands = Counter((well.band, gone) for well, gone in zip(wells, churned, strict=True))
    known = [well.band for each, well in zip(customers, wells, strict=True) if each.journey.stage.name != "churned"]
    return Found(
        customers=len(customers),
        churned=sum(churned),
        health=auc_interval([lost(well) for well in wells], churned),
        simple={name: auc([rank(each.bought, at) for each in customers], churned) for name, rank in SIMPLE.items()},
        banded=sum(band != "unknown" for band in known) / len(known),
        bands={band: (bands[band, False] + bands[band, True], bands[band, True]) for band in _BANDS},
    )


def healths(customers: Sequence[Customer], at: datetime) -> list[Health]:
    """The health of each, by the profile that its journey names; connected is what any of them shows."""
    connected = frozenset(name for each in customers for name in received(each.journey.measures))
    return [score(each.journey, Configuration(connected), at).health for each in customers]


def lost(health: Health) -> float:
    """How much health is lost; nobody's is unknown, as all have bought."""
    assert health.score is not None
    return 100.0 - health.score


def _decayed(half_life_days: int) -> Callable[[Sequence[datetime], datetime], float]:
    """Fewer purchase days, each weighing half after so many days, rank higher."""
    return lambda bought, at: -sum(0.5 ** (_days(day, at) / half_life_days) for day in _dates(bought))


def _recency(bought: Sequence[datetime], at: datetime) -> float:
    return _days(bought[-1], at)


def _silence(bought: Sequence[datetime], at: datetime) -> float:
    """Silence in median gaps between purchase days; where there is none, in those that the rules expect."""
    gaps = [_days(earlier, later) for earlier, later in pairwise(_dates(bought))]
    return _days(bought[-1], at) / (median(gaps) if gaps else SHOP.expected_gap_days)


SIMPLE: Mapping[str, Callable[[Sequence[datetime], datetime], float]] = {
    "purchase days, half-life 30 days": _decayed(30),
    "purchase days, half-life 60 days": _decayed(60),
    "purchase days, half-life 90 days": _decayed(90),
    "days since the last purchase": _recency,
    "the same in own gaps": _silence,
}
"""Rankings that need no journey: the instants of a customer's purchases at a cut, the higher the likelier gone."""


def _dates(bought: Sequence[datetime]) -> list[datetime]:
    return sorted({each.replace(hour=0, minute=0, second=0, microsecond=0) for each in bought})


def _days(begin: datetime, end: datetime) -> float:
    return (end - begin).total_seconds() / 86_400


def _rows(found: Mapping[Cut, Found]) -> Iterator[tuple[str, Iterator[str]]]:
    """What is told of each cut, by what it is."""
    yield "", (f"{cut.at:%Y-%m-%d} + {cut.horizon.days} days" for cut in found)
    yield "health [95 %]", (_interval(each.health) for each in found.values())
    for name in SIMPLE:
        yield name, (f"{each.simple[name]:.4f}" for each in found.values())
    yield "customers, gone", (_part(each.customers, each.churned) for each in found.values())
    for band in _BANDS:
        yield f"{band}, gone", (_part(*each.bands[band]) for each in found.values())
    yield "with a band, of the not churned", (f"{each.banded:.1%}" for each in found.values())


def _interval(area: Interval) -> str:
    return f"{area.median:.4f} [{area.low:.4f}, {area.high:.4f}]"


def _part(customers: int, gone: int) -> str:
    return f"{customers:,}, {gone / customers:.1%}" if customers else "0"


def _tell(console: Console, data_set: DataSet, first: Found) -> None:
    console.print(f"  health alone {first.health.median:.4f}   (at least {data_set.goal})")
    if data_set is CDNOW:
        console.print(f"  with a band {first.banded:.1%}   (at least {BANDED:.0%})")
