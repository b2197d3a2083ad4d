"""How what notify knows of subjects is written again with every snapshot."""

from random import Random

from jornada.db import Database
from jornada.events import WorkspaceId, new_id
from services.notify.store import subjects
from tests.notify.factories import scores, snapshot
from tests.updates import counted

_PEOPLE, _BATCH, _ROUNDS = 400, 40, 25
_TABLES = ("notify.journeys", "notify.scores")


async def test_rows_are_updated_in_place(postgres_url: str) -> None:
    before = [await counted(postgres_url, table) for table in _TABLES]
    database, workspace, drawn = Database(postgres_url, "notify"), WorkspaceId(new_id()), Random(7)
    for n in range(_ROUNDS + 1):
        names = [f"c{who}" for who in (drawn.sample(range(_PEOPLE), _BATCH) if n else range(_PEOPLE))]
        async with database.transaction([workspace]) as connection:
            told = [snapshot(name, workspace=workspace, version=n + 1, stage=f"s{n}") for name in names]
            await subjects.keep_journeys(connection, told)
            await subjects.keep_scores(
                connection, [scores(name, workspace=workspace, journey_version=n + 1) for name in names]
            )
    await database.stop()
    every = _BATCH * _ROUNDS
    for table, earlier in zip(_TABLES, before, strict=True):
        updates = (await counted(postgres_url, table, earlier.every + every)).since(earlier)
        assert updates.share > 0.95
