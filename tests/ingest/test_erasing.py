"""What was refused of somebody goes with them, and nothing of it is kept that comes afterwards."""

from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from jornada.bus import dead_letters
from jornada.bus.carrier import Bus, Received, Record
from jornada.bus.publisher import Publisher
from jornada.clock import SetClock
from jornada.db import Database
from jornada.events import (
    ERASURES,
    REJECTIONS,
    ErasureAsked,
    Rejection,
    WorkspaceId,
    encode,
    new_id,
    topic_key,
)
from jornada.pseudonyms import Pseudonyms
from services.ingest.store import Rejections, Wanted
from services.ingest.worker import Resting
from tests.conftest import DatabaseFactory
from tests.ingest.makes import NOW

PSEUDONYMS = Pseudonyms(b"a secret that is long enough for it")


class Ingest:
    """Ingest's worker, record by record, for one workspace."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.workspace = WorkspaceId(new_id())
        publisher = Publisher(database, cast(Bus, None))
        self.resting = Resting(publisher, PSEUDONYMS, SetClock(NOW))

    async def refused(self, payload: str, received_at: datetime = NOW) -> None:
        rejection = Rejection(
            id=new_id(),
            workspace=self.workspace,
            source="app",
            received_at=received_at,
            code="no",
            message="no",
            payload=payload,
        )
        async with self.database.transaction([self.workspace]) as connection:
            await self.resting.keep(connection, [self._received(REJECTIONS.name, rejection)])

    async def erased(self, *names: tuple[str, str], block: bool = False) -> None:
        asked = ErasureAsked(
            workspace=self.workspace,
            erasure=new_id(),
            subjects=[],
            names=[PSEUDONYMS.of(self.workspace, *each) for each in names],
            erased_at=NOW,
            block=block,
        )
        async with self.database.transaction([self.workspace]) as connection:
            await self.resting.erase(connection, [self._received(ERASURES.name, asked)])

    async def kept(self) -> list[str]:
        found = await Rejections(self.database).page(self.workspace, Wanted(0, None, None, 1_000))
        return [each.rejection.payload for each in found]

    async def rows(self, query: str) -> list[Any]:
        async with self.database.transaction([self.workspace]) as connection:
            return list(await connection.fetch(query))

    def _received(self, topic: str, event: object) -> Received:
        return Received(topic, 0, 0, topic_key(self.workspace, "app"), encode(event), (), NOW)


@pytest.fixture
async def ingest(database_for: DatabaseFactory) -> Ingest:
    return Ingest(await database_for("ingest"))


NAMING = [
    '{"userId":"ana","properties":{"x":1}}',
    '{"userId":"ana","cut off',
    '{"type":"identify","traits":{"email":"Ana@example.com"}}',
]
OTHERS = ['{"userId":"bia"}', '{"userId":"bia","properties":{"friend":"ana"}}', "no JSON at all"]
NAMES = (("user_id", "ana"), ("email", "ana@example.com"))


async def test_what_names_the_erased_goes_and_the_rest_stays_and_it_is_confirmed(ingest: Ingest) -> None:
    for payload in [*NAMING, *OTHERS]:
        await ingest.refused(payload)
    later = '{"userId":"ana","event":"came back"}'
    await ingest.refused(later, NOW + timedelta(seconds=1))
    another = Ingest(ingest.database)
    await another.refused(NAMING[0])
    letter = Record(REJECTIONS.name, topic_key(ingest.workspace, "app"), b'{"payload":"{\\"userId\\":\\"ana\\"}"}')
    async with ingest.database.transaction([ingest.workspace]) as connection:
        for number, value in enumerate((letter.value, b'{"payload":"{\\"userId\\":\\"bia\\"}"}')):
            lost = Received(letter.topic, number, new_id().int % 2**40, letter.key, value, (), NOW)
            await dead_letters.bury(connection, "test", lost, "no", "no")
    await ingest.erased(*NAMES)
    assert await ingest.kept() == [*OTHERS, later]
    assert await another.kept() == [NAMING[0]], "another workspace's stays"
    assert [b"bia" in row["value"] for row in await ingest.rows("select value from dead_letters")] == [True]
    assert [row["topic"] for row in await ingest.rows("select topic from outbox")] == [ERASURES.name]


@pytest.mark.parametrize("block", [False, True])
async def test_what_is_refused_afterwards_is_kept_only_if_it_happened_afterwards(ingest: Ingest, block: bool) -> None:
    await ingest.erased(*NAMES, block=block)
    later = NOW + timedelta(hours=1)
    for payload in NAMING:
        await ingest.refused(payload, NOW)
    early = '{"userId":"ana","timestamp":"2020-01-01T00:00:00Z"}'
    await ingest.refused(early, later)
    await ingest.refused(NAMING[0], later)
    await ingest.refused(OTHERS[0], later)
    assert await ingest.kept() == ([OTHERS[0]] if block else [NAMING[0], OTHERS[0]])
    await ingest.erased(*NAMES)
    assert NAMING[0] not in await ingest.kept() or not block
