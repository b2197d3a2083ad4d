"""What notify keeps of subjects, whatever comes in which order."""

from itertools import permutations

import pytest

from jornada.db import Database
from jornada.events import ScoreErased, ScoreEvent, WorkspaceId, new_id
from services.notify.store import subjects
from tests.conftest import DatabaseFactory
from tests.notify.factories import scores, subject_of


@pytest.fixture
async def database(database_for: DatabaseFactory) -> Database:
    return await database_for("notify")


async def test_of_erased_scores_only_the_version_is_left_whatever_comes_late(database: Database) -> None:
    for order in permutations((0, 1, 2)):
        workspace = WorkspaceId(new_id())
        gone = ScoreErased(workspace=workspace, subject_type="customer", subject_id=subject_of("ana"), version=9)
        early, late = (scores(workspace=workspace, journey_version=version) for version in (3, 5))
        events: list[ScoreEvent] = [early, late, gone]
        for number in order:
            async with database.transaction([workspace]) as connection:
                await subjects.keep_scores(connection, [events[number]])
        async with database.transaction([workspace]) as connection:
            (row,) = await connection.fetch("select * from scores")
        kept = {name: value for name, value in row.items() if value is not None}
        assert kept == {"workspace": workspace, "subject": subject_of("ana"), "version": 9}
