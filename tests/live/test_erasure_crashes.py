"""An erasure comes to its end, and nothing of the person is left, wherever any of the services was killed meanwhile."""

import asyncio
import signal
from collections.abc import AsyncIterator, Collection
from random import Random
from typing import Any
from uuid import UUID

import httpx
import pytest

from jornada import crashpoints
from jornada.bus.erasures import CONFIRMING
from jornada.bus.local_kafka import LocalKafka
from jornada.events import JOURNEYS, SCORES, new_id, topic_key
from services.journey.worker import erasing
from tests.flows.people import at, fading, identify, last_straws
from tests.flows.system import System, ready
from tests.flows.test_erasure import records
from tests.holding import holding
from tests.live.whole import SERVICES, Whole, until, whole

SEED = 11


@pytest.fixture(scope="module")
async def place(postgres_url: str, kafka_node: LocalKafka) -> AsyncIterator[Whole]:
    """One system for all the erasures; each is of somebody else."""
    assert postgres_url  # where that of the other tests cannot be had, neither can this
    async with whole(kafka_node.libs) as found:
        hook = {"name": "hook", "when": {}, "to": {"type": "webhook", "url": "http://127.0.0.1:9/"}}
        await found.system.act("POST", "notify", "/v1/alert-subscriptions", hook)
        yield found


class Person:
    """Somebody of whom every service holds something, and what becomes of them."""

    def __init__(self, system: System) -> None:
        self.user = f"erika{new_id().hex[-8:]}"
        self.words = (self.user, f"{self.user}-phone", f"{self.user}@example.com")
        self.id = ""
        self._system = system

    @property
    def life(self) -> list[dict[str, Any]]:
        """What is known of them."""
        named = {**identify(self.user, 42, email=self.words[2]), "anonymousId": self.words[1]}
        refused = {"type": "track", "userId": self.user, "timestamp": at(41)}
        return [named, *fading(self.user), refused]

    async def lives(self) -> None:
        """An alert and its delivery, a rejection, snapshots and scores."""
        await self._system.send(*self.life)
        await self._system.settled()
        await self._system.send(*last_straws(self.user))
        await self._system.settled()
        self.id = (await self.document())["customer_id"]
        held = await holding(self._system.database_url, self.words, SERVICES)
        assert {table.partition(".")[0] for table, _ in held} == set(SERVICES)

    async def document(self) -> Any:
        """What journey tells of them, save since when."""
        told = await self._system.ask("journey", f"/v1/customers/user_id:{self.user}")
        return {name: told[name] for name in ("customer_id", "identifiers", "touchpoints", "traits", "measures")}

    async def asks(self) -> int:
        """Asks once to be erased; the status of the answer, 0 for none."""
        try:
            answer = await self._system.http.post(
                f"{self._system.urls['journey']}/v1/erasures",
                json={"ref": f"user_id:{self.user}"},
                headers=self._system.bearer,
            )
        except httpx.TransportError:
            return 0
        return answer.status_code

    async def erasures(self) -> list[UUID]:
        """The erasures of this person that are stored."""
        rows = await self._system.sql("select id from journey.erasures where subject = $1", UUID(self.id))
        return [row["id"] for row in rows]

    async def confirmed(self) -> set[str]:
        """The services that have confirmed."""
        ids = await self.erasures()
        rows = await self._system.sql("select service from journey.erasure_confirmations where erasure = any($1)", ids)
        return {row["service"] for row in rows}

    async def is_gone(self) -> None:
        """One receipt, `done`; no table holds anything, both topics end with a tombstone, nothing comes back."""
        (id_,) = await self.erasures()
        receipt: dict[str, Any] = {}
        async with asyncio.timeout(60):
            while receipt.get("status") != "done":
                await asyncio.sleep(0.1)
                receipt = await self._system.ask("journey", f"/v1/erasures/{id_}")
        await self._system.settled()
        assert await self._holding() == set()
        await self._system.send(*self.life)
        await self._system.settled()
        assert await self._holding() == set()
        key = topic_key(self._system.workspace, self.id)
        last = {each.topic: each.value for each in await records(self._system) if each.key == key}
        assert (last[JOURNEYS.name], last[SCORES.name]) == (None, None)
        assert await self.asks() == 202
        assert await self.erasures() == [id_]

    async def _holding(self) -> set[tuple[str, str]]:
        return await holding(self._system.database_url, self.words, SERVICES)


@pytest.fixture
async def person(place: Whole) -> Person:
    found = Person(place.system)
    await found.lives()
    return found


@pytest.mark.timeout(180)
@pytest.mark.parametrize("point", erasing.CRASHPOINTS)
async def test_journey_is_killed_while_it_erases(place: Whole, person: Person, point: str) -> None:
    before = await person.document()
    await place.doom(point, "journey")
    assert await person.asks() == 0
    await until(lambda: place.deaths("journey", point) == 1)
    await place.up()
    if point in (erasing.MARKED, erasing.REMOVED):
        assert await person.erasures() == []
        assert await person.document() == before
        assert await person.asks() == 202
    await person.is_gone()


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("point", "names"),
    [
        (CONFIRMING, SERVICES),
        (crashpoints.FOLDED, ("scoring", "notify")),
        (crashpoints.COMMITTED, ("scoring", "notify")),
        (crashpoints.PUBLISHED, ("scoring", "notify")),
    ],
)
async def test_services_are_killed_before_they_confirm(
    place: Whole, person: Person, point: str, names: Collection[str]
) -> None:
    await place.doom(point, *names)
    before = {name: place.deaths(name, point) for name in names}
    await person.asks()
    await until(lambda: all(place.deaths(name, point) == before[name] + 1 for name in names))
    await place.up()
    await person.is_gone()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("point", crashpoints.CRASHPOINTS)
async def test_journey_is_killed_as_the_last_service_confirms(place: Whole, person: Person, point: str) -> None:
    """Before it is noted that all have, before the topics are told to forget, and after."""
    place.services["scoring"].signal(signal.SIGSTOP)
    asking = asyncio.create_task(person.asks())
    async with asyncio.timeout(30):
        while await person.confirmed() != {"ingest", "journey", "notify"}:  # noqa: ASYNC110 - it asks
            await asyncio.sleep(0.05)
    await asyncio.sleep(1)
    await place.kill("journey", **place.arms("journey", point))
    await asking
    await ready({"journey": place.system.urls["journey"]}, place.system.http)
    place.spare("journey")
    place.services["scoring"].signal(signal.SIGCONT)
    await until(lambda: place.deaths("journey", point) == 1)
    await place.up()
    await person.is_gone()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", range(SEED, SEED + 3))
async def test_anybody_is_killed_at_any_moment(place: Whole, person: Person, seed: int) -> None:
    chance = Random(seed)
    asking = asyncio.create_task(person.asks())
    for name in chance.sample(SERVICES, 3):
        await asyncio.sleep(chance.random() * 0.1)
        await place.kill(name)
    await asking
    await place.up()
    async with asyncio.timeout(60):
        while await person.asks() != 202:  # noqa: ASYNC110 - it asks
            await asyncio.sleep(0.1)
    await person.is_gone()
