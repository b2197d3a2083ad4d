"""Two sources that say something at one instant under one message id: what holds is a matter of them, not of a plan."""

from itertools import permutations

import pytest

from jornada.db import Database
from jornada.events import Identifier, Touchpoint
from tests.conftest import DatabaseFactory
from tests.journey.makes import Folding, touchpoint


@pytest.fixture(scope="module")
async def database(database_for: DatabaseFactory) -> Database:
    return await database_for("journey")


_NAMES = ("bia", "ana", "caio")


def _tied() -> list[Touchpoint]:
    """A device that was Ana's, then at one instant and under one id by two sources Ana's and Bia's; and it is used."""
    return [
        touchpoint("m0", 0, user_id="ana", anonymous_id="tablet", source="app"),
        touchpoint("m1", 1, user_id="ana", anonymous_id="tablet", source="web"),
        touchpoint("m1", 1, user_id="bia", anonymous_id="tablet", source="app"),
        touchpoint("m2", 2, anonymous_id="tablet", source="app", event="Report Exported"),
    ]


async def _told(database: Database, order: tuple[Touchpoint, ...]) -> object:
    folding = Folding(database)
    for each in order:
        await folding.fold(each)
    named = [*(Identifier("user_id", name) for name in _NAMES[:2]), Identifier("anonymous_id", "tablet")]
    return await folding.everything(named)


async def test_the_owner_of_a_shared_device_is_a_function_of_the_set_of_facts(database: Database) -> None:
    told = [await _told(database, order) for order in permutations(_tied())]
    assert all(each == told[0] for each in told)


async def test_the_later_of_two_sources_by_name_holds_as_it_does_on_the_path(database: Database) -> None:
    for order in (_tied(), _tied()[::-1]):
        folding = Folding(database)
        for each in order:
            await folding.fold(each)
        ana = await folding.id_of("user_id", "ana")
        assert await folding.id_of("anonymous_id", "tablet") == ana
        told = await folding.told("user_id", "ana")
        assert told is not None
        assert told.touchpoints == 3
