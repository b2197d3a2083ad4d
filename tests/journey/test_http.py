"""The faces of journey, over HTTP, with the service whole: worker, timers, refolder."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Collection
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest

from jornada.access.store import PostgresAccess
from jornada.bus.carrier import Record
from jornada.bus.embedded import EmbeddedBus
from jornada.clock import SetClock
from jornada.db import Connection, Database, TimedOut
from jornada.events import (
    ERASURES,
    TOUCHPOINTS,
    ErasureConfirmed,
    JourneySnapshot,
    MessageId,
    Touchpoint,
    WorkspaceId,
    decode,
    encode,
    new_id,
    topic_key,
)
from jornada.web.auth import sister_headers
from services.journey.api import documents, sampling
from services.journey.api import erasures as erasure_routes
from services.journey.api import exports as export_routes
from services.journey.app import build
from services.journey.domain.identity import Named
from services.journey.settings import Settings
from services.journey.worker import comparing
from services.journey.worker.attribution import regroup
from tests.conftest import DatabaseFactory
from tests.journey.makes import at, touchpoint


class Served:
    """A running journey service and a client with a token for one workspace."""

    def __init__(
        self, client: httpx.AsyncClient, bus: EmbeddedBus, workspace: WorkspaceId, clock: SetClock, shared: bytes
    ) -> None:
        """`shared` is what the services show each other."""
        self.client, self.bus, self.workspace, self.clock, self.shared = client, bus, workspace, clock, shared

    async def send(self, *told: Touchpoint) -> None:
        """Puts touchpoints on the stream and waits until all of it is told."""
        records = [
            Record(TOUCHPOINTS.name, topic_key(self.workspace, each.user_id or each.anonymous_id), encode(each))
            for each in told
        ]
        await self.bus.publish(records)
        for _ in range(400):
            if (await self.client.get("/v1/lag")).json()["caught_up"]:
                return
            await asyncio.sleep(0.05)
        raise AssertionError("not caught up within 20 s")

    async def get(self, path: str, status: int = 200, **query: Any) -> Any:
        answer = await self.client.get(path, params=query or None)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture(scope="module")
async def served(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    clock = SetClock(at(30))
    bus, database, access = (
        EmbeddedBus(Database(postgres_url, "bus")),
        Database(postgres_url, "journey"),
        Database(postgres_url, "ingest"),
    )
    await bus.start()
    await database.start()
    workspace = await PostgresAccess(access).create_workspace(f"w{new_id().hex[:12]}")
    token = await PostgresAccess(access).create_token(workspace.id, "tests", ("read", "write", "admin"))
    settings = Settings(mode="local", data_dir=tmp_path_factory.mktemp("journey"))
    service = build(settings, bus, database, clock)
    tasks = [asyncio.ensure_future(act()) for _, act in service.tasks]
    transport = httpx.ASGITransport(app=service.app)
    headers = {"Authorization": f"Bearer {token.secret}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://journey", headers=headers) as client:
        shared = (settings.data_dir / "internal.token").read_bytes()
        yield Served(client, bus, workspace.id, clock, shared)
    for task in tasks:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks)
    await bus.stop()
    await database.stop()
    await access.stop()


async def test_a_journey_is_told_over_http(served: Served) -> None:
    odd = "a/b c"
    told = [
        touchpoint("m0", 0, anonymous_id="phone", workspace=served.workspace),
        touchpoint("m1", 1, event="Signed Up", user_id=odd, anonymous_id="phone", workspace=served.workspace),
        touchpoint(
            "m/2", 1.01, event="Order Completed", user_id=odd, workspace=served.workspace, properties={"revenue": 1.10}
        ),
        touchpoint("m3", 5, type="identify", user_id=odd, traits={"name": "Ana Souza"}, workspace=served.workspace),
        touchpoint("m4", 6, type="group", user_id=odd, group_id="acme", workspace=served.workspace),
    ]
    await served.send(*told)
    document = await served.get("/v1/customers/user_id:a%2Fb%20c")
    assert (document["touchpoints"], document["sessions"], document["stage"]["name"]) == (5, 4, "at_risk")
    assert document["measures"]["revenue"] == [{"amount": "1.1", "currency": "USD"}]
    assert document["stage"]["seconds"] == 1_295_136  # 14.99 days
    assert await served.get(f"/v1/customers/{document['customer_id']}") == document
    past = await served.get("/v1/customers/anonymous_id:phone", as_of="2026-01-01T12:00:00Z")
    assert (past["touchpoints"], past["stage"]["name"]) == (1, "visitor")
    page = await served.get("/v1/customers/anonymous_id:phone/touchpoints", limit=2)
    assert [each["message_id"] for each in page["items"]] == ["m4", "m3"]
    rest = await served.get("/v1/customers/anonymous_id:phone/touchpoints", limit=3, cursor=page["next"])
    assert ([each["message_id"] for each in rest["items"]], rest["next"]) == (["m/2", "m1", "m0"], None)
    session = rest["items"][0]["session_id"]
    sat = await served.get("/v1/customers/anonymous_id:phone/touchpoints", session=session)
    assert [each["message_id"] for each in sat["items"]] == ["m/2", "m1"]
    one = await served.get("/v1/customers/anonymous_id:phone/touchpoints/m%2F2")
    assert (one["kind"], one["properties"]) == ("purchased", {"revenue": 1.1})
    listed = await served.get("/v1/customers", q="souza", account="account:acme", stage="at_risk")
    assert [each["customer_id"] for each in listed["items"]] == [document["customer_id"]]
    account = await served.get("/v1/accounts/account:acme")
    assert (account["account_id"], account["measures"]["people"]) == (document["account_id"], 1)
    assert (await served.get("/v1/accounts"))["items"][0]["account_id"] == account["account_id"]
    assert (await served.get("/v1/stages/counts"))["customers"] == {"at_risk": 1}
    lines = (await served.client.get("/v1/snapshots")).text.splitlines()
    assert {decode(line.encode(), JourneySnapshot).subject_type for line in lines} == {"customer", "account"}


async def test_snapshots_at_an_instant_are_what_each_subjects_document_was(served: Served) -> None:
    people = [
        touchpoint(
            f"sn{n}", n / 2, type="group", user_id=f"sn{n}", group_id=f"snacme{n % 3}", workspace=served.workspace
        )
        for n in range(50)
    ]
    later = [touchpoint(f"so{n}", 26, event="Signed Up", user_id=f"sn{n}", workspace=served.workspace) for n in (0, 40)]
    await served.send(*people, *later)
    for at_ in (at(10), at(26), at(29)):
        told: list[JourneySnapshot] = []
        cursor = None
        while True:
            given = {"at": at_.isoformat(), "limit": "30"} | ({"cursor": cursor} if cursor else {})
            answer = await served.client.get("/v1/snapshots", params=given)
            assert answer.headers["content-type"].startswith("application/x-ndjson")
            told += [decode(line.encode(), JourneySnapshot) for line in answer.text.splitlines()]
            cursor = answer.headers.get("Next-Cursor")
            if cursor is None:
                break
        assert len({each.subject_id for each in told}) == len(told)
        mine = [each for each in told if "snacme" in str(each.identifiers) or "sn" in str(each.identifiers)]
        assert len(mine) == {at(10): 21, at(26): 50, at(29): 50}[at_] + 3
        for each in mine:
            path = f"/v1/{each.subject_type}s/{each.subject_id}"
            wanted = await served.get(path, as_of=at_.isoformat())
            assert msgspec.json.decode(encode(documents.journey(each))) == wanted
        published = (await served.client.get("/v1/snapshots", params={"limit": 1_000})).text.splitlines()
        assert {decode(each.encode(), JourneySnapshot).subject_id for each in published} >= {
            each.subject_id for each in mine
        }


async def test_snapshots_at_several_instants_are_those_at_each(served: Served) -> None:
    people = [
        touchpoint(f"sv{n}", n, type="group", user_id=f"sv{n % 4}", group_id="svacme", workspace=served.workspace)
        for n in range(20)
    ]
    await served.send(*people, touchpoint("svlast", 25, event="Signed Up", user_id="sv1", workspace=served.workspace))
    instants = [at(1.5), at(3), at(12), at(19), at(25), at(29)]

    async def told(*wanted: datetime, **query: str) -> list[str]:
        given = {"at": [each.isoformat() for each in wanted], "limit": "1000"} | query
        answer = await served.client.get("/v1/snapshots", params=given)
        assert answer.status_code == 200, answer.text
        return answer.text.splitlines()

    lines = await told(*instants)
    assert sorted(lines) == sorted([line for each in instants for line in await told(each)])
    snapshots: list[JourneySnapshot] = [decode(line.encode(), JourneySnapshot) for line in lines]
    assert [each.subject_id for each in snapshots] == sorted(each.subject_id for each in snapshots)
    for id_ in {each.subject_id for each in snapshots}:
        own = [each for each in snapshots if each.subject_id == id_]
        assert [each.as_of for each in own] == instants[-len(own) :]
        assert await told(*instants, subject=str(id_)) == [encode(each).decode() for each in own]
        assert len(await told(subject=str(id_))) == 1
    assert await told(*instants, subject=str(new_id())) == []
    mine = [each for each in snapshots if str(each.identifiers).find("svacme") >= 0]
    assert [each.measures.people for each in mine] == [2, 4, 4, 4, 4, 4]
    assert (await served.get("/v1/snapshots", 400, at=[at(1).isoformat()] * 101))["code"] == "invalid"


async def test_what_cannot_be_told_is_said(served: Served) -> None:
    for path, status, code in (
        ("/v1/customers/user_id:nobody", 404, "not_found"),
        ("/v1/customers/email:ana%40example.com", 404, "not_found"),
        (f"/v1/customers/{new_id()}", 404, "not_found"),
        ("/v1/customers/x", 400, "malformed_reference"),
        ("/v1/customers?as_of=2026-01-01T00:00:00Z", 400, "as_of_unsupported"),
        ("/v1/customers?cursor=x", 400, "invalid_cursor"),
        ("/v1/snapshots?at=2026-01-01", 400, "invalid"),
    ):
        assert (await served.get(path, status))["code"] == code, path
    answer = await served.client.get("/v1/customers", headers={"Authorization": "Bearer x"})
    assert answer.status_code == 401


async def test_a_segment_is_tried_set_listed_and_removed(served: Served) -> None:
    await served.send(
        touchpoint("t1", 1, event="Signed In", user_id="tea", workspace=served.workspace),
        touchpoint("t2", 20, event="Signed In", user_id="tom", workspace=served.workspace),
    )
    quiet = {"all": [{"silence": "signed_in", "at_least": "14 days"}, {"count": "signed_in", "above": 0}]}

    async def put(path: str, when: Any) -> httpx.Response:
        return await served.client.put(path, json={"when": when})

    tried = (await put("/v1/segments/quiet?dry_run=true", quiet)).json()
    assert tried == {"name": "quiet", "dry_run": True, "customers": 1, "entering": 1, "leaving": 0}
    assert (await served.get("/v1/segments"))["items"] == []
    answer = (await put("/v1/segments/quiet", quiet)).json()
    assert (answer["when"], (await put("/v1/segments/quiet", quiet)).json()) == (quiet, answer)
    await put("/v1/personas/regular", {"days": "signed_in", "at_least": 1})
    await served.send()
    (listed,) = (await served.get("/v1/segments"))["items"]
    assert (listed["name"], listed["version"], listed["customers"]) == ("quiet", answer["version"], 1)
    assert await served.get("/v1/segments/quiet") == listed
    found = await served.get("/v1/customers", segment="quiet", persona="regular")
    assert [each["identifiers"][0]["value"] for each in found["items"]] == ["tea"]
    document = await served.get("/v1/customers/user_id:tea")
    assert document["segments"] == [{"name": "quiet", "entered_at": "2026-01-16T00:00:00Z"}]
    assert [each["name"] for each in document["personas"]] == ["regular"]
    tried = (await put("/v1/segments/quiet?dry_run=true", {"count": "signed_in", "is": 9})).json()
    assert (tried["customers"], tried["entering"], tried["leaving"]) == (0, 0, 1)
    gone = (await served.client.delete("/v1/segments/quiet?dry_run=true")).json()
    assert (gone["leaving"], (await served.client.delete("/v1/segments/quiet")).status_code) == (1, 200)
    await served.send()
    assert (await served.get("/v1/customers", segment="quiet"))["items"] == []
    assert (await served.get("/v1/customers/user_id:tea"))["segments"] == []
    await served.get("/v1/segments/quiet", 404)


async def test_a_milestone_is_tried_set_listed_and_removed(served: Served) -> None:
    await served.send(
        *(touchpoint(f"ms{n}", n, event="Badge Won", user_id="mia", workspace=served.workspace) for n in range(3)),
        touchpoint("ms9", 1, event="Badge Won", user_id="max", workspace=served.workspace),
    )
    await served.client.put("/v1/vocabulary/Badge%20Won", json={"kind": "badge_won"})
    await served.send()
    path, badges = "/v1/milestones/decorated", {"count": "badge_won", "at_least": 2}

    async def put(query: str = "", **given: Any) -> Any:
        return (await served.client.put(path + query, json=given)).json()

    tried = await put("?dry_run=true", when=badges)
    turns = {"customers": 1, "entering": 1, "leaving": 0, "moving": 0, "median_seconds": 86_400}
    assert {name: tried[name] for name in turns} == turns
    assert (tried["dry_run"], tried["sampled"]) == (True, False)
    assert (await served.get("/v1/milestones"))["items"] == []
    answer = await put(when=badges, label="Wears badges")
    assert await put(when=badges, label="Wears badges") == answer
    assert (await put(when=badges, label="Badges"))["version"] == answer["version"]
    await served.send()
    (listed,) = (await served.get("/v1/milestones"))["items"]
    assert (listed["label"], listed["customers"], listed["median_seconds"]) == ("Badges", 1, 86_400)
    assert await served.get(path) == listed
    mia = await served.get("/v1/customers/user_id:mia")
    assert {"name": "decorated", "reached_at": "2026-01-02T00:00:00Z"} in mia["measures"]["milestones"]
    tried = await put("?dry_run=true", when={"count": "badge_won", "at_least": 3})
    assert (tried["customers"], tried["entering"], tried["leaving"], tried["moving"]) == (1, 0, 0, 1)
    tried = await put("?dry_run=true", when={"count": "badge_won", "at_least": 9})
    assert (tried["customers"], tried["leaving"], tried["median_seconds"]) == (0, 1, None)
    flawed = await served.client.put(path, json={"when": {"all": [{"date": "milestone.trained", "exists": True}, {}]}})
    assert (flawed.status_code, flawed.json()["code"]) == (400, "invalid_condition")
    assert [each["at"] for each in flawed.json()["errors"]] == ["/all/0/date", "/all/1"]
    used = await served.client.put("/v1/vocabulary", json={"names": {}})
    assert [each["at"] for each in used.json()["errors"]] == ["milestones/decorated"]
    gone = (await served.client.delete(path + "?dry_run=true")).json()
    assert (gone["leaving"], (await served.client.delete(path)).status_code) == (1, 200)
    await served.send()
    mia = await served.get("/v1/customers/user_id:mia")
    assert [each["name"] for each in mia["measures"].get("milestones", [])] == ["first_value", "activation"]
    await served.get(path, 404)
    assert (await served.client.put("/v1/vocabulary", json={"names": {}})).status_code == 200


async def test_of_two_who_set_a_segment_at_once_both_succeed(served: Served) -> None:
    answers = await asyncio.gather(
        *(
            served.client.put(f"/v1/segments/at_once_{n % 2}", json={"when": {"count": "signed_in", "is": 40 + n}})
            for n in range(6)
        )
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["version"] for answer in answers}) == 6
    for name in ("at_once_0", "at_once_1"):
        assert (await served.client.delete(f"/v1/segments/{name}")).status_code == 200


async def test_a_flawed_condition_is_refused_with_all_its_flaws(served: Served) -> None:
    flawed = {"all": [{"stage": "name", "is": "actve"}, {"silence": "signed_in", "at_least": "two weeks"}]}
    answer = await served.client.put("/v1/personas/x", json={"when": flawed})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_condition")
    assert [each["at"] for each in answer.json()["errors"]] == ["/all/0/is", "/all/1/at_least"]
    for name, given in (("X", {"trait": "x", "is": 1}), ("x", {})):
        assert (await served.client.put(f"/v1/segments/{name}", json={"when": given})).status_code == 400
    assert (await served.client.delete("/v1/personas/nobody")).status_code == 404


async def test_rules_are_tried_and_chosen(served: Served) -> None:
    await served.send(touchpoint("r1", 1, event="Order Completed", user_id="rui", workspace=served.workspace))
    shown = await served.get("/v1/stages")
    assert (shown["rules"], shown["proposed"]) == ("subscription", "shop")
    tried = (await served.client.put("/v1/stages?dry_run=true", json={"rules": "shop"})).json()
    assert (tried["dry_run"], tried["changed"] > 0) == (True, True)
    assert (await served.get("/v1/stages"))["rules"] == "subscription"
    assert (await served.client.put("/v1/stages", json={"rules": "shop"})).json() == {"rules": "shop"}
    await served.send()
    assert (await served.get("/v1/stages/counts"))["customers"] == tried["counts"]["customers"]
    assert (await served.client.put("/v1/stages", json={"rules": "x"})).status_code == 400
    wrong = await served.client.put(
        "/v1/stages", json={"rules": "own", "change": {"active_days": 0, "years": 2, "value_classes": ["use"]}}
    )
    assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_rules")
    assert [each["at"] for each in wrong.json()["errors"]] == ["/change/active_days", "/change/years"]
    fewer = {"rules": "own", "base": "shop", "change": {"active_days": 1}}
    tried = (await served.client.put("/v1/stages?dry_run=true", json=fewer)).json()
    assert (await served.client.put("/v1/stages", json=fewer)).json() == {"rules": "own"}
    await served.send()
    assert (await served.get("/v1/stages/counts"))["customers"] == tried["counts"]["customers"]
    in_force = (await served.get("/v1/stages"))["in_force"]
    assert (in_force["base"], in_force["active_days"]) == ("shop", 1)
    rui = await served.get("/v1/customers/user_id:rui")
    assert (rui["rules"], rui["rules_base"], rui["stage"]["name"]) == ("own", "shop", "active")


async def test_conditions_of_stages_are_tried_and_set(served: Served) -> None:
    await served.send(
        *(touchpoint(f"co{n}", n, event="Signed In", user_id="cora", workspace=served.workspace) for n in (1, 2)),
        touchpoint("co3", 3, type="group", user_id="cora", group_id="coral", workspace=served.workspace),
    )

    async def put(query: str = "", **given: Any) -> httpx.Response:
        return await served.client.put(f"/v1/stages{query}", json={"rules": "own", **given})

    circular = {"all": [{"stage": "name", "is": "lead"}, {"count": "no_kind", "is": 1}]}
    wrong = await put(change={"years": 2}, when={"active": circular, "churned": {"trait": "x", "is": 1}, "loyal": 3})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_rules")
    assert [(each["at"], each.get("code")) for each in wrong.json()["errors"]] == [
        ("/change/years", None),
        ("/when/active/all/0/stage", "circular"),
        ("/when/active/all/1/count", "unknown_name"),
        ("/when/churned", "unknown_stage"),
        ("/when/loyal", "not_an_object"),
    ]
    assert (await put(change={"when": {}})).status_code == 400
    when = {"active": {"count": "signed_in", "at_least": 2}, "at_risk": {"measure": "support.open", "at_least": 1}}
    before = await served.get("/v1/stages/counts")
    tried = (await put("?dry_run=true", when=when)).json()
    assert (tried["sampled"], tried["looked_at"]["subjects"]) == (False, tried["looked_at"]["of"])
    assert await served.get("/v1/stages/counts") == before
    assert (await put(when=when)).json() == {"rules": "own"}
    await served.send()
    assert await served.get("/v1/stages/counts") == {"customers": {}, "accounts": {}} | tried["counts"]
    assert (await put("?dry_run=true", when=when)).json()["changed"] == 0
    assert (await served.get("/v1/stages"))["in_force"]["when"] == when
    cora = await served.get("/v1/customers/user_id:cora")
    because = {"code": "when.active", "message_id": "co2"}
    assert (cora["stage"]["name"], cora["stage"]["entered_at"]) == ("active", "2026-01-03T00:00:00Z")
    assert because.items() <= cora["stage"]["because"].items()
    assert cora["stage"]["because"]["text"]["en"] != "when.active"
    segment = {"when": {"stage": "age", "at_least": "1 day"}}
    tried = (await served.client.put("/v1/segments/settled?dry_run=true", json=segment)).json()
    await served.client.put("/v1/segments/settled", json=segment)
    await served.send()
    assert (await served.get("/v1/segments/settled"))["customers"] == tried["customers"] > 0
    await served.client.delete("/v1/segments/settled")
    path = "/v1/vocabulary/Coral%20Reefed"
    await served.client.put(path, json={"kind": "reefed"})
    await put(when={"active": {"count": "reefed", "at_least": 1}})
    assert [each["at"] for each in (await served.client.delete(path)).json()["errors"]] == ["stages"]
    await served.client.put("/v1/stages", json={"rules": "subscription"})
    assert (await served.client.delete(path)).status_code == 200
    await served.send()
    assert (await served.get("/v1/customers/user_id:cora"))["stage"]["name"] == "lead"


async def test_customers_are_merged_and_parted_by_whoever_may(served: Served) -> None:
    mail = {"email": "Lia@Example.com"}
    await served.send(
        touchpoint("i1", 1, type="identify", user_id="lia", traits=mail, workspace=served.workspace),
        touchpoint("i2", 2, type="identify", user_id="l%a", traits=mail, workspace=served.workspace),
    )
    ids = sorted(
        [(await served.get(f"/v1/customers/{ref}"))["customer_id"] for ref in ("user_id:lia", "user_id:l%25a")]
    )
    ambiguous = await served.get("/v1/customers/email:lia%40example.com", 409)
    assert (ambiguous["code"], ambiguous["customers"]) == ("ambiguous", ids)
    links = (await served.get("/v1/identity/refusals", limit=1))["items"]
    rest = await served.get(
        "/v1/identity/refusals", cursor=(await served.get("/v1/identity/refusals", limit=1))["next"]
    )
    assert [(each["code"], each["to"]["value"], each["message_id"]) for each in links + rest["items"]] == [
        ("ambiguous_email", "l%a", "i2"),
        ("ambiguous_email", "lia", "i1"),
    ]

    async def post(path: str, into: str | None = None) -> tuple[int, Any]:
        answer = await served.client.post(path, json=None if into is None else {"into": into})
        return answer.status_code, answer.json()

    status, said = await post("/v1/customers/user_id:lia/merge", "user_id:l%a")
    assert (status, said["kind"], said["from"]["customer_id"]) == (200, "merge", said["into"]["customer_id"])
    assert {(await served.get(f"/v1/customers/{id_}"))["customer_id"] for id_ in ids} == {said["into"]["customer_id"]}
    assert (await served.get("/v1/customers/email:LIA%40example.com"))["touchpoints"] == 2
    listed = await served.get("/v1/customers/user_id:lia/merges")
    assert (listed["items"], listed["next"]) == ([said], None)
    assert said["by"] is not None
    undo = f"/v1/merges/{said['id']}/undo"
    for path, into, expected in (
        ("/v1/customers/user_id:lia/merge", "user_id:l%a", (409, "already_one")),
        ("/v1/customers/user_id:lia/merge", "user_id:nobody", (404, "not_found")),
        ("/v1/customers/user_id:lia/merge", "account:acme", (400, "malformed_reference")),
        (f"/v1/merges/{new_id()}/undo", None, (404, "not_found")),
        ("/v1/merges/alias:app:none/undo", None, (404, "not_found")),
    ):
        status, problem = await post(path, into)
        assert (status, problem["code"]) == expected, path
    status, undone = await post(undo)
    assert (status, undone["undone_by"]) == (200, said["by"])
    assert undone["undone_at"] is not None
    assert (await post(undo))[1]["code"] == "already_undone"
    assert sorted({undone["from"]["customer_id"], undone["into"]["customer_id"]}) == ids
    assert (await post("/v1/customers/email:lia%40example.com/merge", "user_id:lia"))[1]["code"] == "ambiguous"


async def test_a_name_is_given_a_meaning_tried_first_and_taken_back(served: Served) -> None:
    await served.send(
        *(touchpoint(f"v{n}", n, event="Heartbeat Sent", user_id="vic", workspace=served.workspace) for n in (1, 2, 3)),
        touchpoint("v9", 4, event="Signed In", user_id="vera", workspace=served.workspace),
    )
    put, path = served.client.put, "/v1/vocabulary/Heartbeat%20Sent"
    await put("/v1/stages", json={"rules": "subscription"})
    await served.send()
    assert (await served.get(path))["own"] is False
    before = (await served.get("/v1/customers/user_id:vic"))["stage"]["name"]
    tried = (await put(f"{path}?dry_run=true", json={"use": False})).json()
    id_ = (await served.get("/v1/customers/user_id:vic"))["customer_id"]
    assert (tried["touchpoints"], tried["customers"], tried["changing_stage"]) == (3, 1, 1)
    assert tried["who"] == [{"customer_id": id_, "from": before, "to": "lead"}]
    assert tried["stages"] == [{"from": before, "to": "lead", "customers": 1}]
    assert (tried["sampled"], tried["looked_at"]["subjects"]) == (False, tried["looked_at"]["of"])
    assert (await served.get("/v1/customers/user_id:vic"))["measures"]["use"]["value_days"] == 3
    said = (await put(path, json={"use": False})).json()
    assert said["names"] == ["Heartbeat Sent"]
    assert (await put(path, json={"use": False})).json() == {"version": said["version"], "names": []}
    await served.send()
    document = await served.get("/v1/customers/user_id:vic")
    assert (document["stage"]["name"], "use" in document["measures"]) == ("lead", False)
    one = await served.get(path)
    assert (one["kind"], one["use"], one["own"], one["version"]) == ("custom", False, True, said["version"])
    assert one["set_by"] is not None
    assert [each["name"] for each in (await served.get("/v1/vocabulary"))["items"] if each["own"]] == ["Heartbeat Sent"]
    whole = {"names": {"Heartbeat Sent": {"kind": "heart_beaten"}, "Signed In": {"use": False}}}
    assert (await put("/v1/vocabulary", json=whole)).json()["names"] == ["Heartbeat Sent", "Signed In"]
    await served.send()
    page = await served.get("/v1/customers/user_id:vic/touchpoints", kind="heart_beaten")
    assert [each["message_id"] for each in page["items"]] == ["v3", "v2", "v1"]
    await put("/v1/segments/beaten", json={"when": {"count": "heart_beaten", "at_least": 1}})
    used = await served.client.delete(path)
    assert (used.status_code, used.json()["code"]) == (409, "in_use")
    assert [each["at"] for each in used.json()["errors"]] == ["segments/beaten"]
    await served.client.delete("/v1/segments/beaten")
    assert (await served.client.delete(path)).status_code == 200
    assert (await served.client.delete(path)).status_code == 404
    assert (await put("/v1/vocabulary", json={"names": {}})).json()["names"] == ["Signed In"]
    await served.send()
    assert (await served.get("/v1/customers/user_id:vic"))["stage"]["name"] == before


async def test_a_flawed_vocabulary_is_refused_with_all_its_flaws(served: Served) -> None:
    answer = await served.client.put(
        "/v1/vocabulary", json={"names": {"A": {"kind": "No Kind"}, "B": {"kind": "grouped"}, "C": {"use": False}}}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_vocabulary")
    assert [each["at"] for each in answer.json()["errors"]] == ["/names/A", "/names/B"]
    assert (await served.client.put("/v1/vocabulary/A", json={"kinds": "purchased"})).status_code == 400
    assert [each for each in (await served.get("/v1/vocabulary"))["items"] if each["own"]] == []


async def test_of_many_subjects_a_part_is_looked_at_and_said_to_be(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "_MOST_SUBJECTS", 10)
    await served.send(
        *(touchpoint(f"w{n}", 1, event="Wave", user_id=f"w{n}", workspace=served.workspace) for n in range(40))
    )
    tried = (await served.client.put("/v1/vocabulary/Wave?dry_run=true", json={"use": False})).json()
    assert tried["sampled"] is True
    assert 5 <= tried["looked_at"]["subjects"] <= 10
    assert tried["looked_at"]["of"] >= 40
    assert 0 < tried["customers"] == tried["touchpoints"] <= tried["looked_at"]["subjects"]


async def test_a_replay_is_begun_once_followed_and_at_its_end_nothing_has_changed(served: Served) -> None:
    await served.send(touchpoint("rp1", 1, event="Signed Up", user_id="rui", workspace=served.workspace))
    asked = await asyncio.gather(*(served.client.post("/v1/replays") for _ in range(3)))
    begun, *others = sorted(asked, key=lambda each: each.status_code)
    assert (begun.status_code, [each.json()["code"] for each in others]) == (202, ["replay_running"] * 2)
    path = f"/v1/replays/{begun.json()['id']}"
    async with asyncio.timeout(20):
        while (told := await served.get(path))["status"] == "running":  # noqa: ASYNC110 - nothing signals its end
            await asyncio.sleep(0.05)
    assert (told["status"], told["changed"], told["mended"], told["error"], told["failed"]) == ("done", 0, 0, None, [])
    assert told["compared"] == told["equal"] > 0 < told["touchpoints"]
    assert (await served.get("/v1/replays", limit=1))["items"] == [told]
    ended = await served.client.post(f"{path}/cancel")
    assert (ended.status_code, ended.json()["code"]) == (409, "replay_ended")
    assert (await served.client.post(f"/v1/replays/{new_id()}/cancel")).status_code == 404
    await served.get(f"/v1/replays/{new_id()}", 404)


async def test_a_replay_names_whom_it_left(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    await served.send(touchpoint("rp2", 1, event="Signed Up", user_id="slow", workspace=served.workspace))

    async def slow(connection: Connection, workspace: WorkspaceId, seeds: Collection[Named]) -> Any:
        if Named("user_id", "slow") in seeds:
            raise TimedOut("Postgres: QueryCanceledError 57014")
        return await regroup(connection, workspace, seeds)

    monkeypatch.setattr(comparing, "regroup", slow)
    path = f"/v1/replays/{(await served.client.post('/v1/replays')).json()['id']}"
    async with asyncio.timeout(20):
        while (told := await served.get(path))["status"] == "running":  # noqa: ASYNC110 - nothing signals its end
            await asyncio.sleep(0.05)
    id_ = (await served.get("/v1/customers/user_id:slow"))["customer_id"]
    assert (told["status"], told["failed"]) == ("done", [{"step": "customers", "at": [id_]}])


def _confirmed(workspace: WorkspaceId, erasure: str, service: str) -> Record:
    event = ErasureConfirmed(workspace=workspace, erasure=UUID(erasure), service=service, at=at(30))
    return Record(ERASURES.name, topic_key(workspace, erasure), encode(event))


async def test_an_erasure_is_answered_when_every_face_has_followed_and_the_same_again_gives_the_same_receipt(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = touchpoint("erased", 1, user_id="e/1", anonymous_id="e-phone", workspace=served.workspace)
    await served.send(told)
    id_ = (await served.get("/v1/customers/user_id:e%2F1"))["customer_id"]
    monkeypatch.setattr(erasure_routes, "PATIENCE_SECONDS", 0.2)
    waits = await served.client.post("/v1/erasures", json={"ref": "user_id:e/1"})
    assert (waits.status_code, waits.json()["code"]) == (503, "not_everywhere")
    for ref in ("user_id:e%2F1", "anonymous_id:e-phone", id_):
        await served.get(f"/v1/customers/{ref}", 404)
    erasure = waits.json()["erasure"]
    await served.bus.publish([_confirmed(served.workspace, erasure, each) for each in ("scoring", "notify")])
    monkeypatch.setattr(erasure_routes, "PATIENCE_SECONDS", 10)
    for ref in ("user_id:e/1", "anonymous_id:e-phone", id_):
        told_again = await served.client.post("/v1/erasures", json={"ref": ref})
        receipt = told_again.json()
        assert (told_again.status_code, receipt["id"]) == (202, erasure)
    assert receipt["status"] == "pending"
    assert receipt["services"] | {"journey": "done"} == {
        "ingest": "pending", "journey": "done", "scoring": "done", "notify": "done"
    }  # fmt: skip
    assert receipt["gone_by"] == "2026-02-07T06:10:00Z"
    await served.bus.publish([_confirmed(served.workspace, erasure, "ingest")])
    for _ in range(200):
        if (receipt := await served.get(f"/v1/erasures/{erasure}"))["status"] == "done":
            break
        await asyncio.sleep(0.05)
    assert receipt["status"] == "done"
    await served.send(msgspec.structs.replace(told, message_id=MessageId("erased-late")))
    assert (await served.get(f"/v1/erasures/{erasure}"))["dropped"] == 1
    again = (await served.client.post("/v1/erasures", json={"ref": "user_id:e/1", "block": True})).json()
    assert (again["id"], again["block"]) == (erasure, True)


async def test_nobody_is_erased_by_a_reference_that_names_nobody_or_with_a_token_that_may_not(served: Served) -> None:
    for ref, status in (("user_id:nobody-at-all", 404), ("account:acme", 400), ("x", 400), (str(new_id()), 404)):
        answer = await served.client.post("/v1/erasures", json={"ref": ref})
        assert answer.status_code == status, ref
    await served.get(f"/v1/erasures/{new_id()}", 404)
    unknown = {"Authorization": "Bearer nobody"}
    assert (await served.client.post("/v1/erasures", json={"ref": "user_id:x"}, headers=unknown)).status_code == 401


async def test_all_that_is_held_of_a_customer_is_given_out_page_by_page_and_nothing_of_another(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_routes, "AT_ONCE", 3)
    told = [
        touchpoint(f"x{n}", n / 2, event="Report Exported", user_id="x/1", workspace=served.workspace,
                   properties={"n": n}, context={"ip": "10.0.0.1"})
        for n in range(10)
    ]  # fmt: skip
    await served.send(*told, touchpoint("y1", 1, user_id="y-1", workspace=served.workspace))
    answer = await served.client.get("/v1/customers/user_id:x%2F1/export")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    kinds = [each.pop("line") for each in lines]
    assert kinds == ["customer", *["session"] * 10, *["touchpoint"] * 10, "end"]
    assert lines[0] == await served.get("/v1/customers/user_id:x%2F1")
    assert [each["message_id"] for each in lines[11:21]] == [f"x{n}" for n in reversed(range(10))]
    assert lines[11] == await served.get("/v1/customers/user_id:x%2F1/touchpoints/x9")
    assert {each["session_id"] for each in lines[1:11]} == {each["session_id"] for each in lines[11:21]}
    assert lines[-1] == {"sessions": 10, "touchpoints": 10}
    await served.get("/v1/customers/user_id:nobody/export", 404)
    assert (
        await served.client.get("/v1/customers/user_id:y-1/export", headers={"Authorization": "Bearer x"})
    ).status_code == 401


async def test_another_workspaces_customers_are_neither_given_out_nor_erased_nor_their_receipts_told(
    served: Served, database_for: DatabaseFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = PostgresAccess(await database_for("ingest"))
    other = await access.create_workspace(f"w{new_id().hex[-12:]}")
    token = await access.create_token(other.id, "tests", ("read", "write", "admin"))
    stranger = {"Authorization": f"Bearer {token.secret}"}
    await served.send(*(touchpoint(f"z{each}", 1, user_id=each, workspace=served.workspace) for each in "pq"))
    monkeypatch.setattr(erasure_routes, "PATIENCE_SECONDS", 0.1)
    made = await served.client.post("/v1/erasures", json={"ref": "user_id:q"})
    for path in ("/v1/customers/user_id:p/export", f"/v1/erasures/{made.json()['erasure']}"):
        assert (await served.client.get(path, headers=stranger)).status_code == 404, path
    for ref in ("user_id:p", "user_id:q"):
        answer = await served.client.post("/v1/erasures", json={"ref": ref}, headers=stranger)
        assert answer.status_code == 404, ref
    await served.get("/v1/customers/user_id:p")


async def test_how_long_touchpoints_are_kept_is_tried_first_said_and_taken_back(served: Served) -> None:
    put, path = served.client.put, "/v1/touchpoints/retention"
    nothing = {"days": None, "before": None, "passed_until": None, "set_at": None, "set_by": None}
    assert await served.get(path) == nothing
    for days in (6, 36_501, "x"):
        assert (await put(path, json={"days": days})).status_code == 400
    assert (await put(path, json={})).status_code == 400
    mine: Any = {"workspace": served.workspace}
    await served.send(
        *(touchpoint(f"x{n}", n, user_id=f"x{n % 2}", **mine) for n in (1, 2, 3)),
        touchpoint("x4", 4, group_id="old", event="Payment Failed", role="billing", **mine),
    )
    before = (await put(f"{path}?dry_run=true", json={"days": 30})).json()
    tried = (await put(f"{path}?dry_run=true", json={"days": 21})).json()
    assert before == {"dry_run": True, "days": 30, "before": _text(0), "touchpoints": 0, "customers": 0, "more": False}
    assert (tried["touchpoints"] >= 4, tried["customers"] >= 2, tried["before"]) == (True, True, _text(9))
    forever = (await put(f"{path}?dry_run=true", json={"days": None})).json()
    assert forever == {**before, "days": None, "before": None}
    assert await served.get(path) == nothing
    said = (await put(path, json={"days": 30})).json()
    assert said == await served.get(path)
    assert (said["days"], said["before"], said["set_at"]) == (30, _text(0), _text(30))
    assert said["set_by"] is not None
    again = (await put(path, json={"days": None})).json()
    assert (again["days"], again["before"], again["set_by"]) == (None, None, said["set_by"])


def _text(days: float) -> str:
    return at(days).isoformat().replace("+00:00", "Z")


async def test_what_is_said_with_dates_is_in_the_document_and_may_be_asked_for(served: Served) -> None:
    mine: dict[str, Any] = {"user_id": "rita", "workspace": served.workspace}
    told = {"relationship_types": ["dedicated", "vip"], "owner": "caio@example.com"}
    ends, answer = {"trial_ends_at": "2026-02-05"}, {"survey_type": "csat", "score": 4}
    await served.send(
        touchpoint("dated1", 10, type="identify", traits=told, **mine),
        touchpoint("dated2", 21, event="Trial Started", properties=ends, **mine),
        touchpoint("dated3", 22, event="Survey Responded", properties=answer, **mine),
        touchpoint("dated4", 23, event="Idea Submitted", **mine),
        touchpoint("dated5", 24, type="group", group_id="initech", traits=told, **mine),
    )
    document = await served.get("/v1/customers/user_id:rita")
    dedicated = {"type": "dedicated", "since": "2026-01-11T00:00:00Z", "source": "trait"}
    creation = {"type": "co_creation", "since": "2026-01-24T00:00:00Z", "source": "idea_submitted"}
    assert (document["owner"], document["relationship_types"]) == ("caio@example.com", [creation, dedicated])
    assert document["measures"]["billing"] == {
        "trial_started_at": "2026-01-22T00:00:00Z", "trial_ends_at": "2026-02-05T00:00:00Z"
    }  # fmt: skip
    assert {(each["mean"], each["weight"]) for each in document["measures"]["feedback"]["level_decayed"]} == {(0.75, 1)}
    past = await served.get("/v1/customers/user_id:rita", as_of="2026-01-12T00:00:00Z")
    assert (past["relationship_types"], "billing" in past["measures"]) == ([dedicated], False)
    account = await served.get("/v1/accounts/account:initech")
    assert account["owner"] == "caio@example.com"
    assert account["relationship_types"] == [{**dedicated, "since": "2026-01-25T00:00:00Z"}]
    assert account["measures"]["billing"] == document["measures"]["billing"]
    ending = {"when": {"until": "billing.trial_ends_at", "at_most": "7 days"}}
    tried = (await served.client.put("/v1/segments/ending?dry_run=true", json=ending)).json()
    assert (tried["customers"], tried["entering"]) == (1, 1)


async def test_another_service_reads_volumes_of_the_workspace_that_it_names_and_nothing_else(served: Served) -> None:
    async def asked(path: str, headers: dict[str, str]) -> int:
        return (await served.client.get(path, headers=headers)).status_code

    sister = sister_headers(served.shared, served.workspace)
    assert await asked("/v1/volumes", sister) == 200
    assert await asked("/v1/customers", sister) == 401
    assert await asked("/v1/volumes", sister_headers(served.shared[:-1] + b"x", served.workspace)) == 401
    assert await asked("/v1/volumes", {"Authorization": sister["Authorization"]}) == 400
    assert await asked("/v1/volumes", sister | {"Jornada-Workspace": "acme"}) == 400
    other = await served.client.get("/v1/volumes", headers=sister_headers(served.shared, WorkspaceId(new_id())))
    assert other.json()["items"] == []


async def test_what_sources_send_is_listed_by_hour_in_pages(served: Served) -> None:
    await served.send(
        *(
            touchpoint(f"v{n}", 3 + n / 24, user_id=f"v{n}", source="tablet", workspace=served.workspace)
            for n in range(3)
        )
    )
    whole = (await served.get("/v1/volumes", source="tablet"))["items"]
    assert [each["hour"] for each in whole] == [f"2026-01-04T0{n}:00:00Z" for n in range(3)]
    first = {"source": "tablet", "kind": "page_viewed", "hour": "2026-01-04T00:00:00Z", "touchpoints": 1}
    told = {"customers": 1, "last_received_at": "2026-01-04T00:00:00Z", "measures": ["counts"]}
    assert whole[0] == {**first, **told}
    page = await served.get("/v1/volumes", source="tablet", limit=2)
    rest = await served.get("/v1/volumes", source="tablet", limit=2, cursor=page["next"])
    assert (page["items"] + rest["items"], rest["next"]) == (whole, None)
    within = await served.get(
        "/v1/volumes", since="2026-01-04T01:00:00Z", until="2026-01-04T02:00:00Z", source="tablet"
    )
    assert within["items"] == whole[1:2]
    assert (await served.get("/v1/volumes", source="tablet", kind="purchased"))["items"] == []
    assert (await served.get("/v1/volumes", 400, since="2026-01-04T01:00:00"))["code"] == "invalid"
    assert (await served.get("/v1/volumes", 400, cursor="WzFd"))["code"] == "invalid_cursor"
