"""An account is scored again for its people at the very instants at which they change, and explains it."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from jornada.bus.publisher import Subject
from jornada.db import Database
from jornada.events import (
    Billing,
    Erased,
    JourneySnapshot,
    Measures,
    MergedInto,
    OpenTicket,
    ScoreSnapshot,
    Support,
    Use,
)
from services.scoring.accounting import Accounting
from services.scoring.domain.people import Member, People
from services.scoring.store import people
from services.scoring.store.people import Place
from tests.scoring.harness import Scoring
from tests.scoring.journeys import ALL, AT, score, subject_id, use
from tests.scoring.test_api import Caller, caller

__all__ = ["caller"]

DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
ACME, BORA = subject_id("acme"), subject_id("bora")


def account(scoring: Scoring, number: int = 2, name: str = "acme", **more: Any) -> JourneySnapshot:
    """An account that goes on for months without a word, of so many people."""
    well = Measures(use=use(AT, count=40.0, own_gap_days=120), support=Support(tickets=1), people=number)
    return scoring.journey(name, type_="account", **({"measures": well} | more))


def person(
    scoring: Scoring, name: str, *, at: datetime = AT, own_gap_days: int = 3, used: Use | None = None, **more: Any
) -> JourneySnapshot:
    """Somebody of the account who is well at `at`, and red weeks later."""
    well = Measures(use=used or use(at, own_gap_days=own_gap_days))
    return scoring.journey(name, as_of=at, **({"measures": well, "account_id": ACME} | more))


def red(scoring: Scoring, name: str, **more: Any) -> JourneySnapshot:
    """Somebody of the account whose contract ends."""
    bad = Measures(use=use(AT), billing=Billing(cancels_at=AT + 20 * DAY))
    return scoring.journey(name, **({"measures": bad, "account_id": ACME} | more))


def told(scoring: Scoring, of: Any = ACME) -> list[ScoreSnapshot]:
    """What was published of an account, in order."""
    return [each for each in scoring.scores() if each.subject_id == of]


def because(scores: ScoreSnapshot) -> str:
    return next(each.because.text["en"] for each in scores.health.components if each.name == "people")


async def counts(scoring: Scoring, of: Any = ACME) -> People:
    """The people of an account as they are added up."""
    async with scoring.database.transaction([scoring.workspace]) as connection:
        whom = Subject(scoring.workspace, of)
        return (await people.add_up(connection, {whom: AT - 1_000 * DAY}))[whom].people


async def test_who_falls_silent_brings_the_account_its_crossing_at_the_very_instant(scoring: Scoring) -> None:
    await scoring.seen(account(scoring, measures=TROUBLED), person(scoring, "ana"), person(scoring, "bia"))
    await scoring.pass_to(AT)
    red_at = _turns_red(person(scoring, "ana"))
    await scoring.pass_to(red_at - MICROSECOND)
    assert await of_account(scoring) == []
    await scoring.pass_to(red_at + 3 * DAY)
    assert await of_account(scoring) == [("green", "yellow", red_at)]
    (crossing,) = [each for each in scoring.crossings() if each.subject_id == ACME]
    assert "2 of 2 people in the red" in [each.text["en"] for each in crossing.because]
    scored = next(each for each in told(scoring) if each.as_of == red_at)
    assert because(scored) == "2 of 2 people in the red"
    assert sum(each.points for each in scored.health.components) == pytest.approx(scored.health.score, abs=5e-7)
    await scoring.pass_to(red_at + 4 * DAY)
    assert await of_account(scoring) == [("green", "yellow", red_at)]


async def test_an_account_is_back_when_whoever_was_red_has_left_it(scoring: Scoring) -> None:
    await scoring.seen(account(scoring, measures=TROUBLED), person(scoring, "ana"), person(scoring, "bia"))
    red_at = _turns_red(person(scoring, "ana"))
    await scoring.pass_to(red_at)
    later = red_at + timedelta(seconds=5)
    scoring.clock.at = later
    await scoring.seen(*(person(scoring, name, version=2, account_id=None, at=later) for name in ("ana", "bia")))
    await scoring.seen(person(scoring, "caio", at=later))
    await scoring.pass_to(later + timedelta(seconds=1))
    assert [each[:2] for each in await of_account(scoring)] == [("green", "yellow"), ("yellow", "green")]
    assert because(told(scoring)[-1]) == "0 of 1 person in the red"


async def test_however_late_its_timers_fire_an_account_is_told_the_same(scoring: Scoring, database: Database) -> None:
    other = Scoring(database)
    for each, days in ((scoring, [90]), (other, range(1, 91))):
        each.clock.at = AT
        await each.seen(
            account(each, measures=TROUBLED),
            person(each, "ana", traits={"persona": "champion"}),
            *(person(each, name, own_gap_days=gap) for name, gap in (("bia", 9), ("caio", 12), ("davi", 15))),
        )
        for day in days:
            await each.pass_to(AT + day * DAY)
    assert len(await of_account(scoring)) >= 2
    assert await of_account(scoring) == await of_account(other)
    assert await of_account(scoring, "churn_risk") == await of_account(other, "churn_risk")
    assert {each.as_of: each.health for each in told(scoring)} == {each.as_of: each.health for each in told(other)}
    instants = [each.as_of for each in told(scoring)]
    assert instants == sorted(set(instants))


async def test_a_champion_falls_silent_when_silence_leaves_less_than_half(scoring: Scoring) -> None:
    ana = person(scoring, "ana", traits={"role_in_account": "champion"})
    await scoring.seen(account(scoring), ana, person(scoring, "bia", own_gap_days=90))
    silent_at = (await scoring.due())["champion"]
    assert AT + 14 * DAY < silent_at < AT + 15 * DAY
    await scoring.pass_to(silent_at - MICROSECOND)
    assert "champion" not in because(told(scoring)[-1])
    await scoring.pass_to(silent_at)
    assert told(scoring)[-1].as_of == silent_at
    assert because(told(scoring)[-1]) == "0 of 2 people in the red, champion silent for 14 days"
    back = silent_at + DAY
    scoring.clock.at = back
    await scoring.seen(person(scoring, "ana", version=2, at=back, traits={"role_in_account": "champion"}))
    await scoring.pass_to(back + timedelta(seconds=1))
    assert because(told(scoring)[-1]) == "0 of 2 people in the red"


async def test_who_joins_moves_merges_and_is_erased_is_counted_where_they_are(scoring: Scoring) -> None:
    await scoring.seen(account(scoring), account(scoring, name="bora"))
    await scoring.seen(*(person(scoring, name) for name in ("ana", "bia", "davi", "eva")), red(scoring, "caio"))
    await scoring.pass_to(AT)
    assert await counts(scoring) == People(green=4, red=1, at=AT, live_at=AT)
    await scoring.seen(person(scoring, "bia", version=2, account_id=BORA), red(scoring, "ana", version=2))
    whom: dict[str, Any] = {"workspace": scoring.workspace, "subject_type": "customer", "version": 9}
    await scoring.seen(
        MergedInto(**whom, subject_id=subject_id("davi"), into=subject_id("ana")),
        Erased(**whom, subject_id=subject_id("eva")),
        person(scoring, "caio", version=2, touchpoints=0),
    )
    await scoring.pass_to(AT)
    assert await counts(scoring) == People(red=1, at=AT, live_at=AT)
    assert await counts(scoring, BORA) == People(green=1, at=AT)
    assert len(await scoring.rows("select * from account_people")) == 2


@pytest.mark.parametrize("live", [True, False])
async def test_what_people_live_through_is_told_of_their_account_and_history_is_not(
    scoring: Scoring, live: bool
) -> None:
    told_at = AT if live else None
    healthy = account(scoring, measures=TROUBLED, live_at=None)
    await scoring.seen(healthy, person(scoring, "ana", live_at=None), person(scoring, "bia", live_at=None))
    await scoring.pass_to(AT + DAY)
    scoring.clock.at = AT + 5 * DAY
    await scoring.seen(*(red(scoring, name, version=2, live_at=told_at) for name in ("ana", "bia")))
    await scoring.pass_to(AT + 5 * DAY)
    rows = await scoring.rows("select announced_at is not null as told from crossings where subject = $1", ACME)
    assert [row["told"] for row in rows if row] == [live] * len(rows)
    assert await of_account(scoring) == [("green", "yellow", AT + 5 * DAY)]


async def test_what_its_people_live_through_is_told_though_history_of_the_account_comes_first(scoring: Scoring) -> None:
    await scoring.seen(account(scoring, measures=TROUBLED, live_at=None), person(scoring, "ana", live_at=None))
    await scoring.pass_to(AT)
    scoring.clock.at = AT + DAY
    await scoring.seen(red(scoring, "ana", version=2, live_at=AT + DAY))
    await scoring.seen(account(scoring, version=2, measures=TROUBLED, live_at=None))
    assert [(each.to, each.at) for each in scoring.crossings() if each.subject_id == ACME] == [("yellow", AT + DAY)]


async def test_nothing_of_a_person_is_taken_back_before_it_was_counted(scoring: Scoring) -> None:
    ana, acme = Subject(scoring.workspace, subject_id("ana")), Subject(scoring.workspace, ACME)
    async with scoring.database.transaction([scoring.workspace]) as connection:
        await people.place(connection, {ana: Place(ACME, Member("green"), AT + DAY, told=False)})
        await people.place(connection, {ana: Place(ACME, Member("red"), AT, told=False)})
        assert await people.add_up(connection, {acme: AT}) == {}
        assert await people.first(connection, {acme: AT + DAY}) == {acme: AT + DAY}
        assert (await people.add_up(connection, {acme: AT + DAY}))[acme].people == People(red=1, at=AT + DAY)


async def test_all_that_happens_to_an_accounts_people_within_a_second_scores_it_once(scoring: Scoring) -> None:
    await scoring.seen(account(scoring))
    for number in range(1, 10):
        scoring.clock.at = AT + number * timedelta(milliseconds=100)
        await scoring.seen(person(scoring, f"c{number}", at=scoring.clock.at))
    before = len(told(scoring))
    await scoring.pass_to(AT + timedelta(seconds=2))
    (scored,) = told(scoring)[before:]
    assert because(scored) == "0 of 9 people in the red"
    assert scored.as_of == AT + timedelta(seconds=1)


async def test_people_are_scored_while_their_account_is_held(scoring: Scoring) -> None:
    await scoring.seen(account(scoring), person(scoring, "ana"))
    await scoring.pass_to(AT)
    async with scoring.database.transaction([scoring.workspace]) as connection:
        await connection.execute("select from subjects where id = $1 for update", ACME)
        await connection.execute("select from account_counts for update")
        await connection.execute("select from timers for update")
        async with asyncio.timeout(5):
            await scoring.seen(person(scoring, "bia"), red(scoring, "caio"))
            assert await Accounting(scoring.database, scoring.clock).ask() == 1


_DERIVED = ("subjects", "history", "identifiers")


@pytest.mark.parametrize("dropped", [_DERIVED, (*_DERIVED, "account_people", "account_counts", "account_changes")])
async def test_a_rebuild_counts_the_same_people(scoring: Scoring, dropped: tuple[str, ...]) -> None:
    log = [account(scoring, measures=TROUBLED), person(scoring, "ana"), red(scoring, "ana", version=2)]
    log += [red(scoring, "bia"), person(scoring, "bia", version=3), person(scoring, "caio")]
    for each in log:
        await scoring.seen(each)
    await scoring.pass_to(AT)
    known, crossed = await counts(scoring), await scoring.rows("select * from crossings order by id")
    health = told(scoring)[-1].health
    for table in dropped:
        await scoring.rows(f"delete from {table}")
    for each in log:
        await scoring.seen(each)
        await scoring.pass_to(AT)
    counted = await counts(scoring)
    assert counted == msgspec.structs.replace(known, live_at=counted.live_at), "nothing is lived through again"
    assert told(scoring)[-1].health == health
    assert dropped != _DERIVED or await scoring.rows("select * from crossings order by id") == crossed


async def test_people_of_an_account_that_nobody_told_of_wait_for_nothing(scoring: Scoring) -> None:
    await scoring.seen(person(scoring, "ana"))
    assert await scoring.pass_to(AT) == 1
    assert await scoring.rows("select * from account_changes") == []
    await scoring.seen(account(scoring, 1))
    assert because(told(scoring)[-1]) == "0 of 1 person in the red"


async def test_what_its_people_change_is_told_as_what_happened_to_the_account(scoring: Scoring, caller: Caller) -> None:
    await scoring.seen(account(scoring), person(scoring, "ana"), person(scoring, "bia", own_gap_days=90))
    await scoring.pass_to(AT)
    scoring.clock.at = AT + DAY
    await scoring.seen(red(scoring, "ana", version=2, live_at=AT + DAY))
    await scoring.pass_to(AT + 2 * DAY)
    document = await caller.ask("/v1/accounts/account:acme/scores", as_of="2026-03-04T14:05:00Z")
    assert document["people"] == {
        "bands": {"green": 1, "yellow": 0, "red": 1, "unknown": 0},
        "champions": 0,
        "champions_silent": 0,
    }
    (component,) = [each for each in document["health"]["components"] if each["name"] == "people"]
    assert component["because"] == "1 of 2 people in the red"
    assert component["reason"] == {"code": "people_red", "values": {"red": 1, "people": 2}}
    since = document["since_last"]
    assert since["components"][0]["name"] == "people"
    assert since["event"] == pytest.approx(-100 * component["weight"], abs=1e-6)
    assert (since["config"], since["model"]) == (0, 0)
    assert document["health"]["fix"]["because"].startswith("talk to the people in the red: up to ")
    assert (await caller.ask("/v1/customers/user_id:ana/scores"))["people"] is None


async def test_lists_show_the_people_of_one_account(scoring: Scoring, caller: Caller) -> None:
    await scoring.seen(account(scoring), account(scoring, name="bora"), red(scoring, "ana"), person(scoring, "bia"))
    await scoring.seen(person(scoring, "caio", account_id=BORA), person(scoring, "davi", account_id=None))

    async def listed(**query: Any) -> list[str]:
        items = (await caller.ask("/v1/scores", **query))["items"]
        return [each["subject"]["identifiers"][0]["value"] for each in items]

    assert await listed(account=str(ACME), sort="risk") == ["ana", "bia"]
    assert await listed(account=str(ACME), band="red") == ["ana"]
    assert await listed(account=str(BORA)) == ["caio"]
    assert await listed(account=str(subject_id("ana"))) == []
    await caller.ask("/v1/scores", 400, account="acme")
    first = await caller.ask("/v1/scores", account=str(ACME), sort="risk", limit=1)
    second = await caller.ask("/v1/scores", account=str(ACME), sort="risk", limit=1, cursor=first["next"])
    assert [each["items"][0]["subject"]["identifiers"][0]["value"] for each in (first, second)] == ["ana", "bia"]
    assert second["next"] is None


TROUBLED = Measures(
    use=use(AT, count=40.0, own_gap_days=120),
    support=Support(tickets=2, open=[OpenTicket(ticket_id=each, opened_at=AT - 30 * DAY, severity=1) for each in "ab"]),
    billing=Billing(payment_failed_since=AT - 10 * DAY),
    people=2,
)
"""An account that is just well: not where its people are red, too."""


async def of_account(scoring: Scoring, of: str = "health") -> list[tuple[str, str, datetime]]:
    """The account's crossings of one score: from, to, when."""
    rows = await scoring.rows("select * from crossings where subject = $1 and score = $2 order by ordinal", ACME, of)
    return [(row["from_band"], row["to_band"], row["at"]) for row in rows]


def _turns_red(journey: JourneySnapshot) -> datetime:
    """When silence turns a person red."""
    yellow = score(journey, ALL, AT).health.crosses
    assert yellow is not None
    crosses = score(journey, ALL, yellow.at).health.crosses
    assert crosses is not None
    return crosses.at
