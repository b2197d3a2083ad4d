"""What a workspace says of its profiles and of single subjects: kept, in force at once, over on time, and forgotten."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from jornada.db import Database
from jornada.events import Billing, Erased, Measures, Support
from tests.scoring.harness import Scoring
from tests.scoring.journeys import AT, subject_id, use
from tests.scoring.test_api import Caller, caller

__all__ = ["caller"]

DAY = timedelta(days=1)
STRICT = {"thresholds": {"green": 99, "yellow": 98}, "hysteresis": 0.5, "applies": {}}
OVERRIDE = {"band": "green", "reason": "on leave", "author": "Carla", "until": (AT + 10 * DAY).isoformat()}
ANA = "/v1/customers/user_id:ana"


async def labels(scoring: Scoring) -> list[str]:
    """The profiles by which subjects were scored last."""
    return [
        each["profile"]
        for each in await scoring.rows(
            "select distinct on (subject) profile from history order by subject, version desc"
        )
    ]


async def test_a_saved_profile_scores_everybody_and_the_same_again_changes_nothing(
    scoring: Scoring, caller: Caller
) -> None:
    await scoring.seen(scoring.journey(), scoring.journey("bia"))
    told = await caller.send("PUT", "/v1/profiles/strict", json=STRICT)
    assert told == {"name": "strict", "version": 1, "changed": True}
    await scoring.rescored(AT)
    assert await labels(scoring) == ["strict@1", "strict@1"]
    assert await caller.send("PUT", "/v1/profiles/strict", json=STRICT) == told | {"changed": False}
    await scoring.rescored(AT)
    stricter = STRICT | {"thresholds": {"green": 99, "yellow": 97}}
    assert (await caller.send("PUT", "/v1/profiles/strict", json=stricter))["version"] == 2
    await scoring.rescored(AT)
    assert await labels(scoring) == ["strict@2", "strict@2"]
    shown = await caller.ask("/v1/profiles/strict")
    assert (shown["own"], shown["version"], shown["given"]) == (True, 2, stricter)
    assert [(each["version"], each["given"]) for each in shown["versions"]] == [(2, stricter), (1, STRICT)]
    await scoring.seen(scoring.journey("clara"))
    assert await labels(scoring) == ["strict@2"] * 3


async def test_a_profile_taken_back_is_kept_and_never_counted_anew(scoring: Scoring, caller: Caller) -> None:
    await scoring.seen(scoring.journey())
    await caller.send("PUT", "/v1/profiles/strict", json=STRICT)
    foretold = await caller.send("DELETE", "/v1/profiles/strict", dry_run=True)
    assert foretold["profiles"] == {"saas": 1}
    assert (await caller.send("DELETE", "/v1/profiles/strict"))["taken_back"]
    await scoring.rescored(AT)
    assert await labels(scoring) == ["saas@1"]
    await caller.ask("/v1/profiles/strict", 404)
    await caller.send("DELETE", "/v1/profiles/strict", 404)
    await caller.send("DELETE", "/v1/profiles/saas", 404)
    assert (await caller.send("PUT", "/v1/profiles/strict", json=STRICT))["version"] == 3
    versions = (await caller.ask("/v1/profiles/strict"))["versions"]
    assert [each["given"] for each in versions] == [STRICT, None, STRICT]


async def test_a_profile_of_a_shipped_name_stands_in_for_it(scoring: Scoring, caller: Caller) -> None:
    await scoring.seen(scoring.journey(), scoring.journey("bia", rules="shop"))
    await caller.send("PUT", "/v1/profiles/saas", json={"thresholds": {"green": 80}})
    await caller.send("PUT", "/v1/profiles/zeta", json=STRICT | {"applies": {"stages": ["lead"]}, "order": -1})
    await scoring.rescored(AT)
    assert sorted(await labels(scoring)) == ["commerce@1", "saas@2"]
    items = (await caller.ask("/v1/profiles"))["items"]
    assert [(each["name"], each["own"]) for each in items] == [
        ("saas", True),
        ("commerce", False),
        ("services", False),
        ("app", False),
        ("zeta", True),
    ]
    assert items[4]["connected"] == ["adoption", "support", "commercial"]
    assert items[4]["not_connected"] == ["feedback", "enablement", "relationship", "people"]
    await caller.send("DELETE", "/v1/profiles/saas")
    assert (await caller.ask("/v1/profiles/saas"))["own"] is False


async def test_a_dry_run_says_whose_band_would_change_and_changes_nothing(scoring: Scoring, caller: Caller) -> None:
    measures = Measures(use=use(AT - 9 * DAY), support=Support(tickets=0))
    await scoring.seen(*(scoring.journey(f"c{each}", measures=measures) for each in range(60)))
    before = (await caller.ask("/v1/scores/distribution"))["bands"]
    told = await caller.send("PUT", "/v1/profiles/strict", json=STRICT, dry_run=True)
    assert (told["subjects"], told["changed"], told["changes"]) == (60, 60, True)
    assert (told["bands"], told["profiles"]) == ({"red": 60}, {"strict": 60})
    await scoring.rescored(AT)
    assert (await caller.ask("/v1/scores/distribution"))["bands"] == before
    assert len(await scoring.rows("select from history")) == 60
    await caller.ask("/v1/profiles/strict", 404)


async def test_what_is_no_profile_is_refused_with_all_its_places(scoring: Scoring, caller: Caller) -> None:
    wrong = {"weights": {"x": 1}, "adoption": {"enough": "a"}, "applies": {"when": {"days": "purchased", "is": 1}}}
    refused = await caller.send("PUT", "/v1/profiles/strict", 422, json=wrong)
    assert refused["code"] == "invalid_profile"
    assert {each["at"] for each in refused["errors"]} == {"/weights/x", "/adoption/enough", "/applies/when/days"}
    assert (await caller.send("PUT", "/v1/profiles/Strict", 400, json=STRICT))["code"] == "invalid_name"
    for content, at in ((b'{"order": %d, "applies": {}}' % 10**30, "/order"), (b'{"\\ud800": 1}', "")):
        refused = await caller.send("PUT", "/v1/profiles/strict", 422, content=content)
        assert refused["errors"][0]["at"] == at
    assert (await caller.send("PUT", "/v1/profiles/strict", 400, json=[]))["code"] == "invalid"


async def test_profiles_and_overrides_are_their_workspaces_alone_and_ask_for_write(
    scoring: Scoring, caller: Caller, database: Database
) -> None:
    other = Scoring(database)
    await other.seen(other.journey())
    await scoring.seen(scoring.journey("bia"))
    await caller.send("PUT", "/v1/profiles/strict", json=STRICT)
    await caller.send("PUT", f"/v1/customers/{subject_id('ana')}/override", 404, json=OVERRIDE)
    await other.rescored(AT)
    assert await labels(other) == ["saas@1"]
    assert await other.rows("select * from profiles") == []
    reader = caller.reader()
    for path in ("/v1/profiles/strict", "/v1/customers/user_id:bia/override"):
        await reader.send("DELETE", path, 403)
    await reader.send("PUT", "/v1/profiles/strict", 403, json=STRICT)
    await reader.ask("/v1/profiles/strict")


async def test_an_override_is_shown_with_what_was_computed_beside_it_until_its_very_end(
    scoring: Scoring, caller: Caller
) -> None:
    silent = Measures(use=use(AT - 40 * DAY), support=Support(tickets=0))
    await scoring.seen(scoring.journey(measures=silent))
    computed = (await caller.ask(f"{ANA}/scores"))["health"]
    assert (computed["band"], computed["computed"], computed["override"]) == ("red", None, None)
    told = await caller.send("PUT", f"{ANA}/override", json=OVERRIDE)
    assert told["health"]["band"] == "green"
    await scoring.rescored(AT)
    for health in (
        (await caller.ask(f"{ANA}/scores"))["health"],
        (await caller.ask("/v1/scores", band="green"))["items"][0]["health"],
    ):
        assert (health["band"], health["score"]) == ("green", computed["score"])
        assert health["computed"] == {"score": computed["score"], "band": "red"}
        assert (health["override"]["author"], health["override"]["reason"]) == ("Carla", "on leave")
    published = scoring.scores()[-1]
    assert (published.health.band, published.health.computed.band, published.red_since) == ("green", "red", None)
    assert await scoring.due() == {"health": AT + 10 * DAY}
    await scoring.pass_to(AT + 10 * DAY - timedelta(microseconds=1))
    assert scoring.scores()[-1] == published
    await scoring.pass_to(AT + 30 * DAY)
    over = next(each for each in scoring.scores() if each.health.override is None and each.version > published.version)
    assert (over.as_of, over.health.band, over.health.computed) == (AT + 10 * DAY, "red", None)


async def test_an_override_neither_raises_nor_hides_a_crossing(scoring: Scoring, caller: Caller) -> None:
    await scoring.seen(scoring.journey(), scoring.journey("bia"))
    for band, name in (("red", "ana"), ("green", "bia")):
        path = f"/v1/customers/user_id:{name}/override"
        await caller.send("PUT", path, json=OVERRIDE | {"band": band, "until": (AT + 300 * DAY).isoformat()})
    await scoring.rescored(AT)
    assert scoring.crossings() == []
    await scoring.pass_to(AT + 60 * DAY)
    reds = [each for each in scoring.crossings() if each.to == "red"]
    assert sorted(each.subject_id for each in reds) == sorted(map(subject_id, ("ana", "bia")))
    assert {each.at for each in reds} == {reds[0].at}
    told = len(scoring.crossings())
    await scoring.pass_to(AT + 301 * DAY)
    assert len(scoring.crossings()) == told


async def test_overrides_are_kept_as_they_were_said(scoring: Scoring, caller: Caller) -> None:
    await scoring.seen(scoring.journey())
    await caller.send("PUT", f"{ANA}/override", json=OVERRIDE)
    score = {"score": 12.5, "reason": "they called", "author": "Davi", "until": (AT + DAY).isoformat()}
    foretold = await caller.send("PUT", f"{ANA}/override", json=score, dry_run=True)
    assert (foretold["health"]["score"], foretold["health"]["band"]) == (12.5, "red")
    assert len((await caller.ask(f"{ANA}/overrides"))["items"]) == 1
    await caller.send("PUT", f"{ANA}/override", json=score)
    assert (await caller.send("DELETE", f"{ANA}/override", dry_run=True))["health"]["band"] == "green"
    await scoring.rescored(AT)
    assert (await caller.ask(f"{ANA}/scores"))["health"]["band"] == "red"
    await caller.send("DELETE", f"{ANA}/override")
    await caller.send("DELETE", f"{ANA}/override", 404)
    await scoring.rescored(AT)
    assert scoring.scores()[-1].health.override is None
    items = (await caller.ask(f"{ANA}/overrides"))["items"]
    assert [(each["score"], each["band"], each["author"]) for each in items] == [
        (12.5, None, "Davi"),
        (None, "green", "Carla"),
    ]
    assert all(each["ended_at"] and UUID(each["ended_by"]) == UUID(each["set_by"]) for each in items)


@pytest.mark.parametrize(
    ("change", "places"),
    [
        ({"score": 50}, {"/score"}),
        ({"band": None}, {"/score"}),
        ({"until": AT.isoformat()}, {"/until"}),
        ({"until": (AT + 400 * DAY).isoformat(), "band": None}, {"/score", "/until"}),
    ],
)
async def test_an_override_that_contradicts_itself_is_refused(
    scoring: Scoring, caller: Caller, change: dict[str, Any], places: set[str]
) -> None:
    await scoring.seen(scoring.journey())
    refused = await caller.send("PUT", f"{ANA}/override", 422, json=OVERRIDE | change)
    assert (refused["code"], {each["at"] for each in refused["errors"]}) == ("invalid_override", places)


@pytest.mark.parametrize(
    "change",
    [
        {"score": 101, "band": None},
        {"band": "unknown"},
        {"author": " "},
        {"reason": "a\x00"},
        {"until": "2026-04-15T00:00:00"},
        {"author": None},
    ],
)
async def test_an_override_that_is_none_is_refused(scoring: Scoring, caller: Caller, change: dict[str, Any]) -> None:
    await scoring.seen(scoring.journey())
    assert (await caller.send("PUT", f"{ANA}/override", 400, json=OVERRIDE | change))["code"] == "invalid"
    assert await scoring.rows("select * from overrides") == []


async def test_what_was_said_of_an_erased_customer_is_forgotten(scoring: Scoring, caller: Caller) -> None:
    await scoring.seen(scoring.journey())
    await caller.send("PUT", f"{ANA}/override", json=OVERRIDE)
    await scoring.seen(
        Erased(workspace=scoring.workspace, subject_type="customer", subject_id=subject_id("ana"), version=9)
    )
    assert await scoring.rows("select * from overrides") == []
    await caller.send("PUT", f"{ANA}/override", 404, json=OVERRIDE)


async def test_accounts_have_overrides_too(scoring: Scoring, caller: Caller) -> None:
    await scoring.seen(scoring.journey("acme", type_="account"))
    told = await caller.send("PUT", "/v1/accounts/account:acme/override", json=OVERRIDE | {"band": "red"})
    assert told["health"]["band"] == "red"


async def test_a_condition_that_time_makes_true_brings_its_profile_and_its_crossing_at_that_instant(
    scoring: Scoring, caller: Caller
) -> None:
    nears = {"until": "billing.renewal_at", "at_most": "98 days"}
    measures = Measures(use=use(AT), billing=Billing(plan="pro", renewal_at=AT + 100 * DAY, auto_renew=True))
    await caller.send("PUT", "/v1/profiles/renewing", json=STRICT | {"applies": {"when": nears}})
    await scoring.seen(scoring.journey(measures=measures))
    assert scoring.scores()[-1].health.band != "red"
    await scoring.pass_to(AT + 3 * DAY)
    assert [(each.to, each.at) for each in scoring.crossings()] == [("red", AT + 2 * DAY)]
    assert scoring.scores()[-1].profile == "renewing@1"
