"""An import is summed up once, when it is over and scored: whom it brought, how they stand, who got worse untold."""

from datetime import datetime, timedelta
from typing import Any

from jornada.events import Measures, Support
from services.scoring.api.faces import import_face
from services.scoring.importing import QUIET, Importing
from services.scoring.store import imports
from services.scoring.store.imports import LEAST, Import
from tests.scoring.harness import Scoring
from tests.scoring.journeys import AT, use

MINUTE = timedelta(minutes=1)
GREEN = Measures(use=use(AT), support=Support(tickets=0))
RED = Measures(use=use(AT - timedelta(days=90)), support=Support(tickets=0))


async def look(scoring: Scoring, until: datetime) -> list[Import]:
    """Looks once, all being scored up to an instant; the imports known."""

    async def scored_until() -> datetime:
        return until

    await Importing(scoring.database, scored_until).look()
    async with scoring.database.transaction([scoring.workspace]) as connection:
        return list(await imports.newest(connection, scoring.workspace, 10))


async def came(scoring: Scoring, count: int, at: datetime, prefix: str = "c", **more: Any) -> None:
    said = {"imported_at": at, "live_at": None} | more
    await scoring.seen(*(scoring.journey(f"{prefix}{number}", **said) for number in range(count)))


async def test_an_import_is_summed_up_once_when_the_last_of_it_is_scored(scoring: Scoring) -> None:
    await came(scoring, LEAST, AT, measures=GREEN)
    await came(scoring, 4, AT + MINUTE, "r", measures=RED)
    await came(scoring, 1, AT + 2 * MINUTE, "acme", type_="account", measures=GREEN)
    (running,) = await look(scoring, AT + 3 * MINUTE)
    assert (running.began_at, running.ended_at, running.customers) == (AT, None, 0)
    await came(scoring, LEAST, AT + 4 * MINUTE, "late", measures=GREEN)
    (running,) = await look(scoring, AT + 5 * MINUTE)
    assert running.ended_at is None
    (over,) = await look(scoring, AT + 4 * MINUTE + QUIET)
    assert (over.began_at, over.ended_at) == (AT, AT + 4 * MINUTE)
    assert (over.customers, over.accounts, over.untold) == (2 * LEAST + 4, 1, 4)
    assert over.bands == {"green": 2 * LEAST, "red": 4}
    told = import_face(over)
    assert (told["standing"], told["bands"]["red"], told["untold"]) == (False, 4, 4)
    assert told["text"] == {
        "en": "the past of 24 customers came in until 14:09 UTC on 2 Mar 2026: 4 red, 0 yellow, 20 green, 0 unknown; "
        "4 subjects stand worse by it, told to nobody",
        "pt-BR": "o passado de 24 clientes entrou até 02/03/2026 às 14:09 UTC: 4 vermelhos, 0 amarelo, 20 verdes, "
        "0 desconhecido; 4 estão piores por isso, sem alerta a ninguém",
    }
    assert await look(scoring, AT + timedelta(hours=1)) == [over]
    await came(scoring, LEAST, AT + timedelta(hours=2), "again", measures=GREEN)
    await look(scoring, AT + timedelta(hours=2))
    second, first = await look(scoring, AT + timedelta(hours=3))
    assert (second.customers, first) == (LEAST, over)


async def test_what_is_not_scored_yet_ends_no_import(scoring: Scoring) -> None:
    await came(scoring, LEAST, AT, measures=GREEN)
    assert len(await look(scoring, AT)) == 1
    scoring.clock.at = AT + timedelta(days=1)
    assert (await look(scoring, AT + MINUTE))[0].ended_at is None


async def test_a_few_late_devices_are_no_import_and_neither_is_what_happens_now(scoring: Scoring) -> None:
    await came(scoring, LEAST - 1, AT, measures=GREEN)
    await came(scoring, 5 * LEAST, AT, "live", measures=GREEN, imported_at=None, live_at=AT)
    assert await look(scoring, AT) == []
    await came(scoring, 1, AT, "one", measures=GREEN, imported_at=None, history_at=AT)
    assert len(await look(scoring, AT)) == 1


async def test_the_past_of_less_than_a_hundredth_is_no_import(scoring: Scoring) -> None:
    await came(scoring, 100 * LEAST, AT, "live", measures=GREEN, imported_at=None, live_at=AT)
    await came(scoring, LEAST, AT, measures=GREEN)
    assert await look(scoring, AT) == []
    await came(scoring, 1, AT, "more", measures=GREEN)
    assert len(await look(scoring, AT)) == 1
