"""How scoring's rows are written again with every journey."""

from datetime import timedelta
from random import Random

from jornada.db import Database
from jornada.events import Billing, Measures, Money, Support
from tests.scoring.harness import Scoring
from tests.scoring.journeys import AT, use
from tests.updates import Updates, counted

_PEOPLE, _BATCH, _ROUNDS = 400, 40, 25
_TABLES = ("scoring.subjects", "scoring.recorded_bands")


async def updates(url: str, *, paying: bool) -> list[Updates]:
    """What batches of journeys, each of a tenth of the people, did to the tables."""
    before = [await counted(url, table) for table in _TABLES]
    database = Database(url, "scoring")
    scoring = Scoring(database)
    drawn = Random(7)
    for n in range(_ROUNDS + 1):
        scoring.clock.at = AT + timedelta(days=n)
        billing = Billing(plan="pro", mrr=Money("100.00", "BRL")) if paying else None
        measures = Measures(use=use(scoring.clock.at, count=5.0 + n), support=Support(tickets=1), billing=billing)
        people = drawn.sample(range(_PEOPLE), _BATCH) if n else range(_PEOPLE)
        await scoring.seen(*(scoring.journey(f"c{who}", version=n + 1, measures=measures, as_of=AT) for who in people))
    await database.stop()
    every = _BATCH * _ROUNDS
    return [
        (await counted(url, table, earlier.every + every)).since(earlier)
        for table, earlier in zip(_TABLES, before, strict=True)
    ]


async def test_rows_are_updated_in_place(postgres_url: str) -> None:
    subjects, bands = await updates(postgres_url, paying=False)
    assert subjects.share > 0.85
    assert bands.share > 0.95


async def test_of_who_pays_the_board_is_sorted_anew_and_only_the_band_is_updated_in_place(postgres_url: str) -> None:
    """`revenue_at_risk` moves with every risk, and the board's default order is an index over it."""
    subjects, bands = await updates(postgres_url, paying=True)
    assert subjects.share < 0.01
    assert bands.share > 0.95
