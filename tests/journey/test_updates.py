"""A journey's row is written again with every batch, and no index with it."""

from jornada.db import Database
from tests.journey.makes import Folding, touchpoint
from tests.updates import counted

_PEOPLE, _ROUNDS = 40, 25


async def test_the_state_row_of_a_customer_is_updated_in_place(postgres_url: str) -> None:
    before = await counted(postgres_url, "journey.subjects")
    database = Database(postgres_url, "journey")
    folding = Folding(database)
    for n in range(_ROUNDS + 1):
        await folding.fold(
            *(touchpoint(f"m{n}-{who}", n, user_id=f"u{who}", event="Report Exported") for who in range(_PEOPLE))
        )
    await database.stop()
    every = _PEOPLE * _ROUNDS
    updates = (await counted(postgres_url, "journey.subjects", before.every + every)).since(before)
    assert updates.every >= every
    assert updates.share > 0.8
