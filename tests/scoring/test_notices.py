"""What may have broken is waited for, what did is frozen and told, and what was not judged meanwhile is judged then."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import httpx
import pytest

from jornada.events import Measures, Support, WorkspaceId
from jornada.instants import instant, micros
from services.scoring.domain.freezing import Freeze
from services.scoring.domain.watching import Begun, Ended
from services.scoring.sisters import JourneyVolumes, NotLetIn, Volume
from services.scoring.store import facts, freezes
from services.scoring.watching import Watching
from tests.scoring.harness import Scoring
from tests.scoring.journeys import AT, subject_id, use
from tests.scoring.test_api import Caller, caller

__all__ = ["caller"]

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
USED = Freeze("app", "feature_used", frozenset({"adoption"}), micros(AT))


async def frozen(scoring: Scoring, freeze: Freeze = USED) -> bool:
    """Records that a freeze began; whether it is new."""
    async with scoring.database.transaction([scoring.workspace]) as connection:
        return await freezes.begin(connection, scoring.workspace, Begun(freeze, 400, [400] * 168), scoring.clock.at)


async def thawed(scoring: Scoring, at: datetime, freeze: Freeze = USED) -> bool:
    async with scoring.database.transaction([scoring.workspace]) as connection:
        ended = Ended(freeze, micros(at), repaired=True)
        return await freezes.end(connection, scoring.workspace, ended, scoring.clock.at)


async def withheld(scoring: Scoring, since: datetime | None, until: datetime) -> None:
    async with scoring.database.transaction([scoring.workspace]) as connection:
        await freezes.watch(connection, scoring.workspace, until, since)


async def turns(scoring: Scoring) -> datetime:
    """When the first timer of health is due."""
    return (await scoring.due())["health"]


async def test_what_may_be_a_freeze_holds_timers_back_and_they_fire_late_at_their_own_instants(
    scoring: Scoring,
) -> None:
    await scoring.seen(scoring.journey())
    due = await turns(scoring)
    await withheld(scoring, due - HOUR, due + HOUR)
    await scoring.pass_to(due + HOUR)
    assert scoring.crossings() == []
    await withheld(scoring, None, due + 2 * HOUR)
    await scoring.pass_to(due + 2 * HOUR)
    assert [each.at for each in scoring.crossings()] == [due]


async def test_timers_wait_for_volumes_that_nobody_has_read_yet(scoring: Scoring) -> None:
    await scoring.seen(scoring.journey())
    due = await turns(scoring)
    await withheld(scoring, None, due - HOUR)
    await scoring.pass_to(due)
    assert scoring.crossings() == []
    await withheld(scoring, None, due)
    await scoring.pass_to(due)
    assert len(scoring.crossings()) == 1


async def test_who_comes_while_it_may_be_a_freeze_is_judged_when_it_is_none(scoring: Scoring) -> None:
    await scoring.seen(scoring.journey())
    await withheld(scoring, AT + 59 * DAY, AT + 59 * DAY)
    scoring.clock.at = at = AT + 60 * DAY
    silent = Measures(use=use(AT), support=Support(tickets=2))
    await scoring.seen(scoring.journey(version=2, as_of=at, live_at=at, measures=silent))
    await scoring.pass_to(at)
    assert (await scoring.kept(), scoring.crossings()) == ([], [])
    await withheld(scoring, None, at + HOUR)
    await scoring.pass_to(at + HOUR)
    assert await scoring.kept() == [("green", "red", True)]


async def test_while_it_is_frozen_nobody_is_judged_and_the_way_back_is_no_crossing(scoring: Scoring) -> None:
    await scoring.seen(scoring.journey())
    due = await turns(scoring)
    assert await frozen(scoring)
    assert not await frozen(scoring)
    scoring.clock.at = AT + HOUR
    await scoring.rescored(AT + HOUR)
    assert scoring.scores()[-1].health.band == "unknown"
    assert await scoring.due() == {}
    await scoring.pass_to(due + DAY)
    scoring.clock.at = due + DAY
    assert await thawed(scoring, due + DAY)
    assert not await thawed(scoring, due + DAY)
    await scoring.rescored(due + DAY)
    assert (await scoring.kept(), scoring.scores()[-1].health.band) == ([], "green")
    later = await turns(scoring)
    assert later == due + (due + DAY - AT)
    await scoring.pass_to(later)
    assert [(each.to, each.at) for each in scoring.crossings()] == [("yellow", later)]


async def test_what_silence_brought_between_the_end_and_its_being_known_is_told(scoring: Scoring) -> None:
    await scoring.seen(scoring.journey())
    due = await turns(scoring)
    await frozen(scoring)
    await scoring.rescored(AT + HOUR)
    ended, known = AT + 2 * DAY, due + 2 * DAY + HOUR
    scoring.clock.at = known
    await thawed(scoring, ended)
    await scoring.rescored(known)
    assert [(each.to, each.at) for each in scoring.crossings()] == [("yellow", due + 2 * DAY)]


async def test_a_timer_that_was_late_says_of_a_frozen_time_nothing_and_comes_again_at_its_end(scoring: Scoring) -> None:
    await scoring.seen(scoring.journey())
    due = await turns(scoring)
    await frozen(scoring, USED._replace(began=micros(due - DAY)))
    await thawed(scoring, due + DAY, USED._replace(began=micros(due - DAY)))
    await scoring.pass_to(due + 2 * DAY - HOUR)
    assert scoring.crossings() == []
    await scoring.pass_to(due + 2 * DAY)
    assert [each.at for each in scoring.crossings()] == [due + 2 * DAY]


async def test_what_the_rows_say_is_what_holds(scoring: Scoring) -> None:
    await scoring.seen(scoring.journey())
    for change in (frozen(scoring), thawed(scoring, AT + HOUR), frozen(scoring, USED._replace(kind="x", began=1))):
        await change
        assert await scoring.rescored(AT + 2 * HOUR)
        assert not await scoring.rescored(AT + 2 * HOUR)
        async with scoring.database.transaction([scoring.workspace]) as connection:
            force = await facts.in_force(connection, [scoring.workspace])
        rows = await scoring.rows("select grounds from subjects")
        assert [row["grounds"] for row in rows] == [force[scoring.workspace].grounds]


async def test_operators_see_what_broke_and_may_say_that_it_is_gone(scoring: Scoring, caller: Caller) -> None:
    await scoring.seen(scoring.journey())
    await frozen(scoring)
    (notice,) = (await caller.ask("/v1/notices"))["items"]
    told = {name: notice[name] for name in ("notice", "source", "kind", "since", "until", "frozen", "standing")}
    assert told == {
        "notice": "tracker_silent",
        "source": "app",
        "kind": "feature_used",
        "since": "2026-03-02T14:05:00.000000Z",
        "until": None,
        "frozen": ["adoption"],
        "standing": True,
    }
    assert notice["text"] == {
        "en": "next to nothing of feature_used from app since 14:05 UTC on 2 Mar 2026, of some 400 customers an hour: "
        "health is frozen, nobody is alerted",
        "pt-BR": "quase nada de feature_used vindo de app desde 02/03/2026 às 14:05 UTC, de cerca de 400 clientes por "
        "hora: a saúde está congelada, ninguém é alertado",
    }
    health = (await caller.ask(f"/v1/customers/{subject_id('ana')}/scores"))["health"]
    assert (health["band"], [each["component"] for each in health["frozen"]]) == ("unknown", ["adoption"])
    assert health["unknown_because"] == health["frozen"][0]["because"]
    gone = f"/v1/notices/{notice['id']}/gone"
    await caller.reader().send("POST", gone, 403)
    assert (await caller.send("POST", gone))["ended_because"] == "gone"
    assert (await caller.send("POST", gone, 409))["code"] == "over"
    await caller.send("POST", f"/v1/notices/{scoring.workspace}/gone", 404)
    assert (await caller.ask(f"/v1/customers/{subject_id('ana')}/scores"))["health"]["frozen"] == []


class Sent:
    """Volumes as they are put here."""

    def __init__(self) -> None:
        self.volumes: list[Volume] = []
        self.asked: list[datetime] = []
        self.refuses = False

    async def since(self, workspace: WorkspaceId, begin: datetime) -> Sequence[Volume]:
        self.asked.append(begin)
        if self.refuses:
            raise NotLetIn("no")
        return [each for each in self.volumes if each.hour >= begin]


async def caught_up() -> float:
    return 0.0


@pytest.fixture
def sent() -> Sent:
    """Four weeks of a stream that stopped at AT."""
    sent, opening = Sent(), AT.replace(minute=0)
    for ago in range(4 * 168):
        hour = opening - ago * HOUR
        last = AT if ago == 0 else hour + 59 * timedelta(minutes=1)
        sent.volumes.append(Volume("app", "feature_used", hour, 30 if ago == 0 else 400, last, ["use"]))
    return sent


async def test_two_who_watch_and_one_who_is_killed_record_one_freeze(scoring: Scoring, sent: Sent) -> None:
    scoring.clock.at = AT + 4 * HOUR
    for _ in range(3):
        await Watching(scoring.database, sent, caught_up, scoring.clock).look(scoring.workspace)
    assert [(row["began_at"], row["customers"]) for row in await scoring.rows("select * from freezes")] == [
        (AT.replace(minute=0), 400)
    ]


async def test_what_journey_has_not_folded_is_not_known_to_be_missing(scoring: Scoring, sent: Sent) -> None:
    async def behind() -> float:
        return 4 * 3_600.0 - 240

    scoring.clock.at = AT + 4 * HOUR
    await Watching(scoring.database, sent, behind, scoring.clock).look(scoring.workspace)
    assert await scoring.rows("select * from freezes") == []
    (watched,) = await scoring.rows("select * from watched")
    assert (watched["until"], watched["withheld_from"]) == (AT + timedelta(minutes=3), None)


async def test_after_the_first_look_only_what_is_new_is_read(scoring: Scoring, sent: Sent) -> None:
    watching = Watching(scoring.database, sent, caught_up, scoring.clock)
    scoring.clock.at = AT + 10 * timedelta(minutes=1)
    await watching.look(scoring.workspace)
    scoring.clock.at += timedelta(minutes=1)
    await watching.look(scoring.workspace)
    first, second = sent.asked
    assert (scoring.clock.at - first > 34 * DAY, second) == (True, AT.replace(hour=13, minute=0))


async def test_a_watcher_that_is_not_let_in_makes_nobody_wait(scoring: Scoring, sent: Sent) -> None:
    await withheld(scoring, AT, AT)
    sent.refuses = True
    watching = Watching(scoring.database, sent, caught_up, scoring.clock)
    with pytest.raises(NotLetIn):
        await watching.look(scoring.workspace)
    await watching.leave()
    assert await scoring.rows("select * from watched") == []


@pytest.fixture
async def asked() -> AsyncIterator[tuple[JourneyVolumes, list[httpx.Request]]]:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        item = {
            "source": "app",
            "kind": "feature_used",
            "hour": "2026-03-02T14:00:00Z",
            "touchpoints": 1204,
            "customers": 311,
            "last_received_at": "2026-03-02T14:59:58.120000Z",
            "measures": ["use"],
        }
        return httpx.Response(200, json={"items": [item], "next": "x" if len(requests) == 1 else None})

    client = JourneyVolumes("http://journey", b"t" * 32, httpx.MockTransport(answer))
    yield client, requests
    await client.stop()


async def test_journey_is_asked_page_by_page_in_the_services_own_name(
    asked: tuple[JourneyVolumes, list[httpx.Request]],
) -> None:
    client, requests = asked
    workspace = WorkspaceId(subject_id("any"))
    found = await client.since(workspace, AT)
    assert len(found) == 2
    assert found[0].customers == 311 and found[0].last_received_at == instant(1_772_463_598_120_000)
    assert requests[1].url.params["cursor"] == "x"
    assert requests[0].headers["authorization"] == "Bearer " + "t" * 32
    assert requests[0].headers["jornada-workspace"] == str(workspace)
