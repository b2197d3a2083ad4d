"""Dead letters as every service with a worker serves them: listed, read, replayed; and a worker that has stopped."""

from collections.abc import Callable

import httpx
import pytest

from jornada.bus.dead_letters import Limit
from jornada.db import Database
from jornada.events import new_id
from jornada.runtime.running import serving
from jornada.runtime.service import Health
from tests.shared.worker.letters import Toy, served, until_stopped
from tests.shared.worker.toy import WORKSPACE, Script, received

Client = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def client_of(database: Database) -> tuple[Toy, Client]:
    """A service with three dead letters, of which `poison` fails again, and clients by token."""
    toy = Toy(database)
    worker = await toy.failed("ana", "poison", "bia")
    transport = httpx.ASGITransport(served(toy, worker, Health()).app)

    def client(token: str) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {token}"}
        return httpx.AsyncClient(transport=transport, base_url="http://toy", headers=headers)

    return toy, client


async def test_the_list_shows_where_and_why_and_nothing_of_what_is_held(client_of: tuple[Toy, Client]) -> None:
    _, client = client_of
    async with client("read+payloads") as http:
        first = (await http.get("/v1/dead-letters", params={"limit": 2})).json()
        rest = (await http.get("/v1/dead-letters", params={"limit": 2, "cursor": first["next"]})).json()
        assert (await http.get("/v1/dead-letters", params={"cursor": "x"})).status_code == 400
    items = [*first["items"], *rest["items"]]
    assert [(each["offset"], each["reason"], each["replayed_at"]) for each in items] == [
        (offset, "ValueError", None) for offset in range(3)
    ]
    assert rest["next"] is None
    assert not {"key", "value", "error", "headers"} & items[0].keys()


async def test_one_is_read_and_what_it_holds_only_with_the_scope(client_of: tuple[Toy, Client]) -> None:
    _, client = client_of
    async with client("read") as http:
        (id_, *_) = [each["id"] for each in (await http.get("/v1/dead-letters")).json()["items"]]
        bare = (await http.get(f"/v1/dead-letters/{id_}")).json()
        assert (await http.get(f"/v1/dead-letters/{new_id()}")).json()["code"] == "not_found"
        assert (await http.get("/v1/dead-letters/x")).status_code == 400
    async with client("read+payloads") as http:
        whole = (await http.get(f"/v1/dead-letters/{id_}")).json()
    assert whole.keys() - bare.keys() == {"key", "value", "error", "headers"}
    assert (whole["value"], whole["error"]) == ("ana", "ValueError('a bug')")
    assert "ana" not in str(bare)


async def test_nobody_reads_or_replays_another_workspaces(client_of: tuple[Toy, Client]) -> None:
    toy, client = client_of
    (id_, *_) = [line.id for line in await toy.letters.page(WORKSPACE, 1, None)]
    async with client("stranger+read+admin+payloads") as http:
        assert (await http.get("/v1/dead-letters")).json()["items"] == []
        assert (await http.get(f"/v1/dead-letters/{id_}")).status_code == 404
        assert (await http.post(f"/v1/dead-letters/{id_}/replay")).status_code == 404
        assert (await http.post("/v1/dead-letters/replay")).json()["replayed"] == 0
    async with client("read") as http:
        assert (await http.post("/v1/dead-letters/replay")).status_code == 403
    assert await toy.waiting() == 3


async def test_one_is_replayed_and_then_all_and_the_answer_says_how_many(client_of: tuple[Toy, Client]) -> None:
    toy, client = client_of
    async with client("read+admin") as http:
        ids = [each["id"] for each in (await http.get("/v1/dead-letters")).json()["items"]]
        assert (await http.post(f"/v1/dead-letters/{ids[0]}/replay")).json() == {"id": ids[0], "status": "replayed"}
        assert (await http.post(f"/v1/dead-letters/{ids[1]}/replay")).json()["code"] == "still_failing"
        first = (await http.post("/v1/dead-letters/replay", params={"limit": 1})).json()
        failed = [{"id": ids[1], "error": "ValueError"}]
        assert first | {"next": ""} == {"replayed": 0, "failed": failed, "waiting": 2, "next": ""}
        rest = (await http.post("/v1/dead-letters/replay", params={"cursor": first["next"]})).json()
        assert rest == {"replayed": 1, "failed": [], "waiting": 1, "next": None}
        waiting = (await http.get("/v1/dead-letters", params={"waiting": True})).json()["items"]
        assert [each["id"] for each in waiting] == [ids[1]]
    assert sorted((await toy.counted()).values()) == [1, 1]


async def test_over_a_share_of_poison_the_service_stops_reading_says_so_and_still_replays(database: Database) -> None:
    toy = Toy(database)
    toy.script = Script([received(offset, "poison" if offset % 3 == 0 else "ana") for offset in range(90)])
    worker, health = toy.worker(Limit(share=0.1, least=10)), Health()
    service = served(toy, worker, health)
    async with serving([service], host="127.0.0.1"), httpx.AsyncClient(trust_env=False) as http:
        url = f"http://127.0.0.1:{service.port}"
        await until_stopped(health)
        ready = await http.get(f"{url}/readyz")
        assert (ready.status_code, ready.json()["wrong"]) == (503, {"service": health.stopped})
        assert "of the last" in str(health.stopped)
        answer = await http.post(f"{url}/v1/dead-letters/replay", headers={"authorization": "Bearer admin"})
        assert answer.json()["replayed"] == 0
        assert len(answer.json()["failed"]) == answer.json()["waiting"] == 9
