"""The registry of churn models: what it lists, what serves, and that no row of it can stop scoring."""

from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from jornada.db import Database
from jornada.events import new_id
from services.scoring.domain.features import FEATURES, SCHEMA
from services.scoring.domain.scores import FOLD
from tests.scoring.harness import Scoring
from tests.scoring.journeys import AT
from tests.scoring.test_api import Caller, caller

__all__ = ["caller"]


async def registered(scoring: Scoring, level: int, status: str, *, schema: str = SCHEMA, age: int = 0) -> UUID:
    """A model in the registry."""
    id_, at = new_id(), AT - timedelta(days=age)
    async with scoring.database.transaction([scoring.workspace]) as connection:
        await connection.execute(
            """insert into models (workspace, id, level, name, parameters, schema, trained_from, trained_until,
                 data_hash, metrics, status, status_since, created_at)
               values ($1, $2, $3, $4, '{"w": [1]}', $5, $6, $7, 'd0', $8, $9, $7, $7)""",
            scoring.workspace,
            id_,
            level,
            f"level-{level}@1",
            schema,
            at - timedelta(days=365),
            at,
            '{"log_loss": {"value": 0.41, "low": 0.39, "high": 0.44}}',
            status,
        )
    return id_


async def test_level_one_is_always_there_and_serves(scoring: Scoring, caller: Caller) -> None:
    listed = await caller.reader().ask("/v1/models")
    assert (listed["serving"], listed["next"]) == ("level-1", None)
    (only,) = listed["items"]
    assert (only["level"], only["name"], only["built_in"], only["schema"]) == (1, "level-1", True, SCHEMA)
    assert [each["name"] for each in listed["features"]] == [each.name for each in FEATURES]
    await caller.send("POST", "/v1/models/train", 404, json={})


async def test_registered_models_are_listed_in_pages_the_newest_first(scoring: Scoring, caller: Caller) -> None:
    ids = [str(await registered(scoring, 3, "shadow", age=age)) for age in (0, 1, 2)]
    whole = await caller.ask("/v1/models")
    assert [each["id"] for each in whole["items"]] == [None, *ids]
    assert whole["items"][1]["metrics"] == {"log_loss": {"value": 0.41, "low": 0.39, "high": 0.44}}
    assert (whole["items"][1]["status"], whole["items"][1]["data_hash"]) == ("shadow", "d0")
    first = await caller.ask("/v1/models", limit=2)
    rest = await caller.ask("/v1/models", limit=2, cursor=first["next"])
    assert (first["items"] + rest["items"], rest["next"]) == (whole["items"], None)


@pytest.mark.parametrize(("level", "schema", "why"), [(4, SCHEMA, "level 4"), (1, "other", "other features")])
async def test_a_champion_that_this_release_cannot_serve_is_passed_over_and_said_so(
    scoring: Scoring, caller: Caller, level: int, schema: str, why: str
) -> None:
    await registered(scoring, level, "champion", schema=schema)
    await scoring.seen(scoring.journey())
    await scoring.pass_to(AT + timedelta(days=60))
    assert {each.churn_risk.model for each in scoring.scores()} == {"level-1"}
    listed = await caller.ask("/v1/models")
    assert listed["serving"] == "level-1"
    assert why in listed["items"][1]["passed_over_because"]


async def test_a_workspace_has_one_champion_and_sees_nobody_elses(
    scoring: Scoring, caller: Caller, database: Database
) -> None:
    other = Scoring(database)
    await registered(other, 3, "champion")
    assert len((await caller.ask("/v1/models"))["items"]) == 1
    with pytest.raises(asyncpg.UniqueViolationError):
        await registered(other, 4, "champion")


async def test_every_score_names_its_model_its_configuration_its_journey_and_its_instant(
    scoring: Scoring, caller: Caller
) -> None:
    await scoring.seen(scoring.journey(version=7))
    face = await caller.ask("/v1/customers/user_id:ana/scores")
    row = (await caller.ask("/v1/scores"))["items"][0]
    line = (await caller.ask("/v1/customers/user_id:ana/scores/history"))["items"][0]
    (published,) = scoring.scores()
    wanted = (7, "saas@1", FOLD, "level-1")
    for told in (face, row):
        assert (told["journey_version"], told["profile"], told["fold"], told["churn_risk"]["model"]) == wanted
        assert told["as_of"] == "2026-03-02T14:05:00.000000Z"
    assert (line["journey_version"], line["profile"], line["fold"], line["model"]) == wanted
    assert line["at"] == face["as_of"]
    assert (published.journey_version, published.profile, published.fold, published.churn_risk.model) == wanted
    assert published.as_of == AT
