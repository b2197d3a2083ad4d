"""E-mails stated before e-mails linked anybody link as if they had from the start."""

import random
from pathlib import Path
from unittest.mock import patch

import asyncpg
import pytest

from jornada.db import Database
from jornada.db.migrations import migrated
from jornada.events import Touchpoint, new_id
from services.journey.domain import emails
from services.journey.worker import earlier
from services.journey.worker.earlier import EarlierEmails
from tests.conftest import DatabaseFactory
from tests.journey.makes import Folding, at, touchpoint
from tests.journey.test_order import EMAILS, RIVALS, SHARED_EMAIL, identifiers_of
from tests.journey.upgrades import JOURNEY, migrated_to_before, owned


@pytest.fixture(scope="module")
async def database(database_for: DatabaseFactory) -> Database:
    return await database_for("journey")


async def upgrade(folding: Folding) -> None:
    async with folding.database.transaction([folding.workspace]) as connection:
        await connection.execute(
            """insert into earlier_emails (workspace, by_device, due_at)
               select $1, by_device, $2 from (values (false), (true)) as pass (by_device)""",
            folding.workspace,
            at(365),
        )


async def left(folding: Folding) -> int:
    async with folding.database.transaction([folding.workspace]) as connection:
        return len(await connection.fetch("select from earlier_emails"))


USERS = [
    touchpoint(f"m{n}", n, type="identify", user_id=user, traits={"email": "a@x.com"}) for n, user in enumerate("abba")
]


@pytest.mark.parametrize(
    "story", [EMAILS, RIVALS, SHARED_EMAIL, USERS], ids=["emails", "rivals", "shared_email", "users"]
)
async def test_what_was_stated_by_the_release_before_links_whatever_came_meanwhile(
    database: Database, story: list[Touchpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(earlier, "MOST", 2)
    chance = random.Random(len(story))
    told = chance.sample(story, len(story))
    folding, plain = Folding(database), Folding(database)
    await plain.fold(*story)
    with patch.object(emails, "stated", lambda _: None):
        await folding.fold(*told[:-2])
    await upgrade(folding)
    await folding.fold(told[-2])
    reading = EarlierEmails(database, folding.publisher, folding.clock)
    await reading.work()
    assert await left(folding) > 0
    await folding.fold(told[-1])
    for _ in story:
        await reading.work()
    assert await left(folding) == 0
    named = identifiers_of(story)
    assert await folding.everything(named) == await plain.everything(named)


async def test_what_is_given_to_another_meanwhile_is_passed_by_no_more_than_the_rest(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(earlier, "MOST", 1)
    folding = Folding(database)
    with patch.object(emails, "stated", lambda _: None):
        await folding.fold(touchpoint("m1", 9, user_id="ana"))
        await folding.fold(
            touchpoint("m2", 2, type="identify", anonymous_id="tablet", traits={"email": "a@x.com"}),
            touchpoint("m3", 3, user_id="bia", anonymous_id="tablet"),
        )
    await upgrade(folding)
    reading = EarlierEmails(database, folding.publisher, folding.clock)
    await reading.work()
    await folding.fold(touchpoint("m4", 1, user_id="ana", anonymous_id="tablet"))
    while await left(folding):
        await reading.work()
    assert await folding.id_of("email", "a@x.com") == await folding.id_of("user_id", "ana")


async def test_an_upgrade_has_every_workspace_read_an_hour_later_whoever_migrates(
    postgres_url: str, tmp_path: Path
) -> None:
    async with owned(postgres_url) as urls:
        await migrated_to_before(urls.owner, "0005", tmp_path)
        connection = await asyncpg.connect(urls.superuser)
        workspaces = sorted([new_id(), new_id()])
        for workspace in [*workspaces, workspaces[0]]:
            await connection.execute(
                "insert into journey.identifiers (workspace, type, value, id, stated)"
                " values ($1, 'user_id', $2::uuid::text, $2, true)",
                workspace,
                new_id(),
            )
        await migrated(urls.owner, [JOURNEY])
        rows = await connection.fetch(
            "select workspace, by_device, due_at > now() + interval '59 minutes' as later from journey.earlier_emails"
            " order by 1, 2"
        )
        forced = await connection.fetchval(
            "select bool_and(relforcerowsecurity) from pg_class where relname in ('identifiers', 'earlier_emails')"
        )
        await connection.close()
    assert [tuple(row) for row in rows] == [
        (each, by_device, True) for each in workspaces for by_device in (False, True)
    ]
    assert forced
