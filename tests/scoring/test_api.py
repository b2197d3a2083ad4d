"""The faces: scores now and later, with reasons in two languages, lists, counts, profiles, and who may read them."""

from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import groupby
from typing import Any

import httpx
import pytest

from jornada.access.secrets import draw_api_token
from jornada.access.store import PostgresAccess
from jornada.clock import SetClock
from jornada.db import Database
from jornada.events import Billing, Measures, Money, OpenTicket, Support
from jornada.events.journeys import Identifier, Membership
from services.scoring.app import wired
from services.scoring.settings import Settings
from tests.scoring.harness import Scoring
from tests.scoring.journeys import AT, subject_id, use
from tests.scoring.told import Told
from tests.shared.worker.toy import Script

DAY = timedelta(days=1)


class Caller:
    """A client with a token of its workspace."""

    def __init__(self, client: httpx.AsyncClient, token: str, reading: str) -> None:
        self._client = client
        self._token = token
        self._reading = reading

    def reader(self) -> "Caller":
        """A client with a token of the same workspace that may read, and nothing else."""
        return Caller(self._client, self._reading, self._reading)

    async def send(self, method: str, path: str, status: int = 200, **given: Any) -> Any:
        """PUT or DELETE, of `json` or `content`, the rest as the query; fails on another status."""
        body = {name: given.pop(name) for name in ("json", "content") if name in given}
        headers = {"authorization": f"Bearer {self._token}", "content-type": "application/json"}
        response = await self._client.request(method, path, params=given, headers=headers, **body)
        assert response.status_code == status, response.text
        return response.json()

    async def ask(self, path: str, status: int = 200, **query: Any) -> Any:
        """GET; fails on another status."""
        response = await self._client.get(path, params=query, headers={"authorization": f"Bearer {self._token}"})
        assert response.status_code == status, response.text
        return response.json()


@pytest.fixture
async def caller(scoring: Scoring, postgres_url: str, told: Told) -> AsyncIterator[Caller]:
    database = Database(postgres_url, "access")
    access = PostgresAccess(database)
    workspace = await access.create_workspace(f"scoring-{scoring.workspace.hex}")
    scoring.workspace = workspace.id
    token = (await access.create_token(workspace.id, "test", ["read", "write", "admin"], draw_api_token())).secret
    reading = (await access.create_token(workspace.id, "reading", ["read"], draw_api_token())).secret

    async def nothing_waits() -> float:
        return 0.0

    service = wired(Settings(), Script(), scoring.database, SetClock(AT), nothing_waits, told.journeys())
    transport = httpx.ASGITransport(service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://scoring") as client:
        yield Caller(client, token, reading)
    await database.stop()


async def test_a_customers_scores_are_found_by_id_and_by_identifier(scoring: Scoring, caller: Caller) -> None:
    names = [Identifier("user_id", "a/b"), Identifier("email", "ana@example.com")]
    await scoring.seen(scoring.journey(identifiers=names, traits={"name": "Ana"}))
    by_id = await caller.ask(f"/v1/customers/{subject_id('ana')}/scores")
    assert by_id["subject"]["name"] == "Ana"
    assert (by_id["as_of"], by_id["health"]["band"]) == ("2026-03-02T14:05:00.000000Z", "green")
    assert by_id == await caller.ask("/v1/customers/user_id:a%2Fb/scores")
    assert by_id == await caller.ask("/v1/customers/email:%20Ana@Example.com/scores")
    assert (await caller.ask("/v1/customers/user_id:nobody/scores", 404))["code"] == "not_found"
    assert (await caller.ask("/v1/customers/nobody/scores", 400))["code"] == "malformed_reference"
    assert (await caller.ask(f"/v1/accounts/{subject_id('ana')}/scores", 404))["code"] == "not_found"


async def test_an_e_mail_names_whoever_has_it_now_and_nobody_once_several_state_it(
    scoring: Scoring, caller: Caller
) -> None:
    mail = Identifier("email", "ana@example.com")
    named = {name: [Identifier("user_id", name)] for name in ("ana", "bia")}
    face = "/v1/customers/email:ana@example.com/scores"
    await scoring.seen(scoring.journey(identifiers=[*named["ana"], mail]))
    await scoring.seen(scoring.journey("bia", version=3, identifiers=[*named["bia"], mail]))
    await scoring.seen(scoring.journey(version=2, identifiers=named["ana"]))
    assert (await caller.ask(face))["subject"]["id"] == str(subject_id("bia"))
    await scoring.seen(scoring.journey("bia", version=4, identifiers=named["bia"]))
    assert (await caller.ask(face, 404))["code"] == "not_found"


async def test_contributions_sum_on_the_face_and_reasons_come_in_the_language_asked_for(
    scoring: Scoring, caller: Caller
) -> None:
    await scoring.seen(scoring.journey(measures=Measures(use=use(AT - 23 * DAY), support=Support(tickets=0))))
    english = await caller.ask("/v1/customers/user_id:ana/scores")
    portuguese = await caller.ask("/v1/customers/user_id:ana/scores", lang="pt-BR")
    components = english["health"]["components"]
    assert sum(each["points"] for each in components) == pytest.approx(english["health"]["score"], abs=5e-7)
    assert components[0]["because"] == "no activity for 23 days"
    assert components[0]["reason"] == {"code": "use_silent", "values": {"days": 23, "usual_days": 7}}
    assert portuguese["health"]["components"][0]["because"] == "sem uso há 23 dias"
    assert english["churn_risk"]["model"] == "level-1"
    await caller.ask("/v1/customers/user_id:ana/scores", 400, lang="tlh")


async def test_scores_can_be_asked_for_later(scoring: Scoring, caller: Caller) -> None:
    await scoring.seen(scoring.journey())
    path = "/v1/customers/user_id:ana/scores"
    now = await caller.ask(path)
    crosses = now["health"]["crosses"]
    then = await caller.ask(path, as_of=crosses["at"])
    assert then["health"]["band"] == crosses["band"] == "yellow"
    assert (await caller.ask(path, as_of=(AT + 60 * DAY).isoformat()))["health"]["score"] < then["health"]["score"]
    codes = {
        "0001-01-01T00:00:00+14:00": "invalid_as_of",
        "9999-12-31T23:59:59Z": "as_of_too_far",
        "2026-03-05T00:00:00": "invalid_as_of",
        "soon": "invalid_as_of",
    }
    for text, code in codes.items():
        assert (await caller.ask(path, 400, as_of=text))["code"] == code


async def test_what_changed_since_the_journey_before_is_told_with_what_to_mend(
    scoring: Scoring, caller: Caller
) -> None:
    await scoring.seen(scoring.journey())
    path = "/v1/customers/user_id:ana/scores"
    first = await caller.ask(path)
    assert (first["since_last"]["change"], first["health"]["trend"]) == (0.0, None)
    scoring.clock.at = AT + 40 * DAY
    ticket = OpenTicket(ticket_id="t", opened_at=AT + 39 * DAY, severity=1)
    measures = Measures(use=use(AT), support=Support(tickets=1, open=[ticket]), billing=Billing(plan="pro"))
    await scoring.seen(scoring.journey(version=2, measures=measures))
    imported = (await caller.ask(path, as_of=(AT + 40 * DAY).isoformat()))["since_last"]
    assert (imported["event"], imported["components"]) == (0.0, [])
    live = AT + 40 * DAY
    await scoring.seen(scoring.journey(version=3, measures=measures, live_at=live))
    second = await caller.ask(path, lang="pt-BR", as_of=(AT + 40 * DAY).isoformat())
    since = second["since_last"]
    assert (since["at"], since["score"]) == (first["as_of"], first["health"]["score"])
    assert since["change"] == pytest.approx(second["health"]["score"] - first["health"]["score"])
    assert since["time"] < since["event"] < 0.0 == since["config"] == since["model"]
    assert [each["name"] for each in since["components"]] == ["adoption", "support"]
    assert second["health"]["trend"]["days"] == 30
    assert second["health"]["trend"]["change"] == pytest.approx(since["change"])
    assert second["health"]["fix"]["reason"]["code"] == "fix_support"
    assert second["health"]["fix"]["because"].startswith("resolver os chamados abertos: até ")
    await scoring.seen(scoring.journey(version=4, measures=measures, live_at=live))
    await scoring.pass_to(AT + 41 * DAY)
    assert (await caller.ask(path, as_of=(AT + 40 * DAY).isoformat()))["since_last"] == since


async def test_nobody_is_compared_with_the_half_of_an_import_though_its_end_is_live(
    scoring: Scoring, caller: Caller
) -> None:
    half, live = Measures(support=Support(tickets=0), billing=Billing(plan="pro")), AT - timedelta(hours=9)
    await scoring.seen(scoring.journey(measures=half, imported_at=AT, live_at=None))
    path = "/v1/customers/user_id:ana/scores"
    before = (await caller.ask(path))["health"]["score"]
    whole = scoring.journey(
        version=2, measures=Measures(use=use(live)), imported_at=AT + timedelta(seconds=1), live_at=live
    )
    await scoring.seen(whole)
    told = await caller.ask(path)
    assert abs(told["health"]["score"] - before) > 1
    assert (told["since_last"]["event"], told["since_last"]["components"]) == (0.0, [])


async def test_history_is_what_was_published_in_pages(scoring: Scoring, caller: Caller) -> None:
    await scoring.seen(scoring.journey())
    await scoring.pass_to(AT + 60 * DAY)
    path = "/v1/customers/user_id:ana/scores/history"
    whole = await caller.ask(path)
    bands = [line["band"] for line in whole["items"]]
    assert [band for band, _ in groupby(bands)] == ["red", "yellow", "green"]
    assert whole["items"][bands.index("yellow") - 1]["because"][0] == "no activity for 17 days"
    first = await caller.ask(path, limit=2)
    rest = await caller.ask(path, limit=len(bands) - 2, cursor=first["next"])
    assert first["items"] + rest["items"] == whole["items"]
    assert (first["next"] is None, rest["next"]) == (False, None)
    assert (await caller.ask(path, 400, cursor="bm9wZQ"))["code"] == "invalid_cursor"


async def _board(scoring: Scoring) -> None:
    for number, (mrr, away) in enumerate([("100.00", 2), ("900.00", 20), ("50.00", 30), ("400.00", 1)]):
        billing = Billing(mrr=Money(mrr, "BRL"))
        measures = Measures(use=use(AT - away * DAY), support=Support(tickets=0), billing=billing)
        await scoring.seen(scoring.journey(f"c{number}", measures=measures))
    measures = Measures(use=use(AT), billing=Billing(seats=3))
    await scoring.seen(scoring.journey("acme", type_="account", measures=measures, stage="lead"))


@pytest.mark.parametrize("sort", ["revenue_at_risk", "health", "risk", "since"])
async def test_the_board_is_sorted_and_pages_neither_skip_nor_repeat(
    scoring: Scoring, caller: Caller, sort: str
) -> None:
    await _board(scoring)
    whole = (await caller.ask("/v1/scores", sort=sort))["items"]
    assert len(whole) == 5
    paged: list[Any] = []
    cursor: dict[str, Any] = {}
    while True:
        page = await caller.ask("/v1/scores", sort=sort, limit=2, **cursor)
        paged += page["items"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert paged == whole
    await caller.ask("/v1/scores", 400, sort="risk" if sort != "risk" else "health", **cursor)


async def test_the_board_shows_who_costs_most_first(scoring: Scoring, caller: Caller) -> None:
    await _board(scoring)
    rows = (await caller.ask("/v1/scores", type="customer"))["items"]
    assert [row["subject"]["identifiers"][0]["value"] for row in rows] == ["c1", "c2", "c3", "c0"]
    assert rows[0]["because"] == "no activity for 20 days"
    assert rows[0]["reasons"][0] == {name: rows[0][name] for name in ("because", "reason")}
    assert rows[0]["mrr"] == {"amount": "900.00", "currency": "BRL"}
    share = rows[0]["churn_risk"]["probability"] * 900
    assert float(rows[0]["revenue_at_risk"]["amount"]) == pytest.approx(share, abs=0.005)
    red = (await caller.ask("/v1/scores", band="red"))["items"]
    assert red
    assert all(row["band"] == "red" and row["red_since"] for row in red)
    assert (await caller.ask("/v1/scores", 400, as_of="2026-03-02T14:05:00Z"))["code"] == "as_of_unsupported"


async def test_the_board_is_narrowed_to_a_stage_and_to_a_segment(scoring: Scoring, caller: Caller) -> None:
    await _board(scoring)
    big = [Membership(name='big %_"', entered_at=AT), Membership(name="early", entered_at=AT)]
    await scoring.seen(scoring.journey("dora", segments=big), scoring.journey("eva", segments=big[1:]))

    async def named(**asked: Any) -> list[str]:
        rows = (await caller.ask("/v1/scores", **asked))["items"]
        return sorted(row["subject"]["identifiers"][0]["value"] for row in rows)

    assert await named(segment='big %_"') == ["dora"]
    assert await named(segment="early") == ["dora", "eva"]
    assert await named(segment="earl") == []
    assert await named(stage="lead") != []
    assert await named(stage="lead", segment="early") == []
    await scoring.seen(scoring.journey("dora", version=2))
    assert await named(segment="early") == ["eva"]
    assert (await caller.ask("/v1/scores", 400, segment="\x00"))["code"]


async def test_counts_and_profiles(scoring: Scoring, caller: Caller) -> None:
    await _board(scoring)
    counts = await caller.ask("/v1/scores/distribution")
    assert counts["total"] == sum(counts["bands"].values()) == 5
    assert counts["stages"]["lead"]["unknown"] == 1
    assert (await caller.ask("/v1/scores/distribution", type="account"))["total"] == 1
    profiles = (await caller.ask("/v1/profiles"))["items"]
    assert [each["name"] for each in profiles] == ["saas", "commerce", "services", "app"]
    assert profiles[0]["connected"] == ["adoption", "support", "commercial"]
    assert profiles[0]["thresholds"] == {"green": 70.0, "yellow": 40.0}


async def test_nothing_is_shown_without_a_token_or_to_another_workspace(
    scoring: Scoring, caller: Caller, database: Database
) -> None:
    other = Scoring(database)
    await other.seen(other.journey("bia"))
    await caller.ask("/v1/customers/user_id:bia/scores", 404)
    await caller.ask(f"/v1/customers/{subject_id('bia')}/scores", 404)
    assert (await caller.ask("/v1/scores"))["items"] == []
    caller._token = "nobody's"
    for path in ("/v1/scores", "/v1/profiles", "/v1/customers/user_id:bia/scores", "/v1/dead-letters"):
        await caller.ask(path, 401)
