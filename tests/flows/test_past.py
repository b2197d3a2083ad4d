"""Scoring and journey together: the past is what a workspace that heard of nothing later says, and can be tried on."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from jornada.access.secrets import draw_api_token, draw_write_key
from jornada.access.store import PostgresAccess
from jornada.clock import SystemClock
from jornada.db import Database
from tests.flows.system import System, fresh_database, running

DAY = timedelta(days=1)
NOW = SystemClock().now().replace(microsecond=0)


@pytest.fixture(scope="module")
async def system(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    folder = tmp_path_factory.mktemp("past")
    async with fresh_database(postgres_url) as url, running("embedded", url, folder, None) as system:
        yield system


def event(user: str, days_ago: float, name: str, **properties: Any) -> Mapping[str, Any]:
    """A track call."""
    return {
        "type": "track",
        "messageId": f"{user}-{name}-{days_ago}",
        "userId": user,
        "event": name,
        "properties": properties,
        "timestamp": (NOW - days_ago * DAY).isoformat(),
    }


def lives() -> Sequence[Mapping[str, Any]]:
    """One who stays, one who fell silent, one who came back, and their account."""
    told: list[Mapping[str, Any]] = []
    days = {
        "stays": [*range(1, 170, 2)],
        "goes": [*range(70, 170, 2)],
        "returns": [*range(1, 40, 2), *range(100, 170, 2)],
    }
    for user, used in days.items():
        group = {"type": "group", "messageId": f"{user}-group", "userId": user, "groupId": "acme"}
        told.append({**group, "timestamp": (NOW - 171 * DAY).isoformat()})
        told += [event(user, day, "Report Exported") for day in used]
    return [*told, event("stays", 50, "Support Ticket Created", ticket_id="t", severity=1)]


async def test_the_past_is_what_who_heard_of_nothing_later_says(system: System) -> None:
    other = await _another(system)
    at = NOW - 60 * DAY
    everything = lives()
    await system.send(*everything)
    await other.send(*(each for each in everything if datetime.fromisoformat(each["timestamp"]) <= at))
    await system.settled()
    for path in ("/v1/customers/user_id:stays", "/v1/customers/user_id:goes", "/v1/accounts/account:acme"):
        told = await system.ask("scoring", f"{path}/scores", as_of=at.isoformat())
        alone = await other.ask("scoring", f"{path}/scores", as_of=at.isoformat())
        # What is connected is today's: of support the other has heard nothing.
        names = {each["name"]: each["value"] for each in told["health"]["components"]}
        wanted = {each["name"]: each["value"] for each in alone["health"]["components"]}
        assert {name: names[name] for name in wanted} == wanted
        assert names.keys() - wanted.keys() <= {"support"}
        for field in ("as_of", "stage"):
            assert told[field] == alone[field]
    early = await system.http.get(
        f"{system.urls['scoring']}/v1/customers/user_id:goes/scores",
        params={"as_of": (NOW - 172 * DAY).isoformat()},
        headers=system.bearer,
    )
    assert (early.status_code, early.json()["code"]) == (404, "not_found")


async def test_a_what_if_runs_over_journeys_own_past(system: System) -> None:
    await system.send(*lives())
    await system.settled()
    asked = {"name": "saas", "profile": {"thresholds": {"yellow": 65, "green": 80}}}
    answer = await system.act("POST", "scoring", "/v1/what-if", asked)
    assert (answer["subjects"], answer["sampled"]) == (4, False)
    assert answer["left"] == {"total": 2, "contract": 0, "silence": 2, "deletion": 0}
    assert answer["today"]["recall"] == answer["changed"]["recall"] == 1.0
    assert answer["changed"]["lead_days"] > answer["today"]["lead_days"] > 0
    assert answer["earlier_days"] > 0
    same = await system.act("POST", "scoring", "/v1/what-if", {"name": "saas", "profile": {}})
    assert same["today"] == same["changed"] == answer["today"]


async def _another(system: System) -> System:
    """A second workspace of the same system."""
    database = Database(system.database_url, "access", max_connections=1)
    access = PostgresAccess(database)
    workspace = await access.create_workspace("other")
    write_key, api_token = draw_write_key(), draw_api_token()
    source = await access.create_source(workspace.id, "app", "product")
    await access.create_key(workspace.id, source.name, write_key)
    await access.create_token(workspace.id, "other", ("read", "write", "admin"), api_token)
    await database.stop()
    return System(system.database_url, workspace.id, (write_key, api_token), system.folder, system.bus, system.urls)
