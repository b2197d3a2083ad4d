"""Conditions in place of stages' rules: in any order, over chapters, by silence on time, told and tried beforehand."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jornada.db import Database
from jornada.events import JourneySnapshot, Touchpoint
from jornada.instants import micros
from jornada.rules import Condition, Invalid, holds, parse
from services.journey.domain import folding, segments
from services.journey.domain.reading import Reading, read
from services.journey.domain.rules import CONDITIONAL, SHOP, SUBSCRIPTION, RuleSet
from services.journey.domain.segments import Definition, InForce, Walk, judged, ruled, told
from services.journey.domain.stages import history
from services.journey.domain.state import EMPTY
from services.journey.domain.view import TERMS, StateView, stage_terms
from services.journey.domain.vocabulary import ALL_KINDS
from services.journey.store import in_force
from tests.conftest import DatabaseFactory
from tests.journey.makes import Folding, at, touchpoint
from tests.journey.naive import Machine, Told
from tests.journey.test_lifecycle import lives, touchpoints
from tests.journey.test_order import LATE_ALIAS, LIFE, SHARED, identifiers_of, shuffled
from tests.journey.test_segments import define

WHEN: dict[str, list[dict[str, Any]]] = {
    "onboarding": [{"count": "custom", "at_least": 2}, {"since": "first_seen_at", "at_least": "20 days"}],
    "active": [{"days": "custom", "within": "7 days", "at_least": 2}, {"silence": "custom", "at_least": "3 days"}],
    "loyal": [{"count": "purchased", "within": "60 days", "at_least": 2}, {"measure": "touchpoints", "at_least": 6}],
    "advocate": [{"measure": "feedback.nps", "at_least": 9}, {"silence": "referral_made", "below": "5 days"}],
    "at_risk": [
        {"silence": "custom", "at_least": "10 days"},
        {
            "any": [
                {"silence": "purchased", "at_least": "2 days", "below": "6 days"},
                {"measure": "support.open", "above": 0},
            ]
        },
    ],
}


def under(when: Mapping[str, Any], base: RuleSet = SUBSCRIPTION, version: int = 1) -> InForce:
    """What is in force where these conditions stand in place of the base's rules."""
    found = tuple(Definition("stage", stage, parse(each, TERMS)) for stage, each in when.items())
    raw = {each.name: msgspec.Raw(in_force.text_of(each.when)) for each in found}
    return InForce(msgspec.structs.replace(base, name="own", when=raw), version=version, stages=found)


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    stages = draw(st.sets(st.sampled_from(CONDITIONAL), min_size=1))
    return {stage: draw(st.sampled_from(WHEN[stage])) for stage in CONDITIONAL if stage in stages}


@pytest.fixture(scope="module")
async def database(database_for: DatabaseFactory) -> Database:
    return await database_for("journey")


def asking(force: InForce, readings: Sequence[Reading]) -> dict[str, Callable[[float], bool]]:
    """Each condition, asked of nothing but what had happened by then."""
    views: dict[int, StateView] = {}

    def true(when: Condition, t: float) -> bool:
        us = micros(at(t))
        number = sum(reading.key[0] <= us for reading in readings)
        if number not in views:
            views[number] = StateView(folding.fold(readings[:number]), force.rules, ())
        return number > 0 and holds(when, views[number], us)

    return {each.name: lambda t, when=each.when: true(when, t) for each in force.stages}  # type: ignore[misc]


@settings(max_examples=100)
@given(life=lives(), when=conditions(), base=st.sampled_from([SUBSCRIPTION, SHOP]))
def test_the_timeline_is_what_a_machine_says_that_asks_the_conditions_at_every_step(
    life: list[Told], when: dict[str, Any], base: RuleSet
) -> None:
    force, readings = under(when, base), [read(each) for each in touchpoints(life)]
    entries, machine = told(readings, force), Machine(force.rules, asking(force, readings))
    for half in range(2 * int(life[-1].at) + 2 * 400):
        t = half / 2
        expected = machine.step(t, [each for each in life if each.at <= t])
        assert history(entries, at(t))[-1].name == expected, t


def by_key(life: list[Told]) -> list[Reading]:
    return sorted((read(each) for each in touchpoints(life)), key=lambda reading: reading.key)


@settings(max_examples=100)
@given(life=lives(), when=conditions(), cut=st.integers(0, 25))
def test_walking_on_from_where_one_stood_is_walking_all_the_way(
    life: list[Told], when: dict[str, Any], cut: int
) -> None:
    force, readings = under(when), by_key(life)
    before, then = readings[:cut], readings[cut:]
    if before and then and before[-1].key[0] == then[0].key[0]:
        return
    half = folding.fold(before) if before else EMPTY
    stood = ruled(Walk(then=before), force)
    assert ruled(Walk(half, {}, then, stood), force) == ruled(Walk(then=readings), force)


@settings(max_examples=100)
@given(life=lives(), when=conditions(), look=st.floats(0, 1))
def test_what_came_later_changes_nothing_of_what_was(life: list[Told], when: dict[str, Any], look: float) -> None:
    force, readings = under(when), by_key(life)
    us = micros(at(look * life[-1].at))
    then = told([reading for reading in readings if reading.key[0] <= us], force)
    assert [each for each in told(readings, force) if each.us <= us] == [each for each in then if each.us <= us]


def test_a_period_begins_and_ends_at_the_very_touchpoint_or_instant() -> None:
    force = under({"at_risk": {"silence": "custom", "at_least": "10 days"}})
    path = [
        touchpoint("m0", 0, event="Signed Up", user_id="ana"),
        touchpoint("m1", 1, event="Report Exported", user_id="ana"),
        touchpoint("m2", 12, event="Report Exported", user_id="ana"),
    ]
    entries = [(each.stage, each.us, each.rule, each.message_id) for each in told([read(each) for each in path], force)]
    assert entries == [
        ("onboarding", micros(at(0)), "signed_up", "m0"),
        ("at_risk", micros(at(11)), "when.at_risk", "m1"),
        ("onboarding", micros(at(12)), "signed_up", "m2"),
        ("at_risk", micros(at(22)), "when.at_risk", "m2"),
        ("churned", micros(at(72)), "silence", "m2"),
    ]


def test_what_a_touchpoint_forestalls_at_that_very_instant_was_never_true() -> None:
    force = under({"active": {"silence": "custom", "at_least": "3 days"}})
    path = [read(touchpoint(f"m{n}", 3 * n, event="Report Exported", user_id="ana")) for n in range(3)]
    assert ruled(Walk(then=path), force) == {"active": ()}
    assert [(each.stage, each.us) for each in told(path, force)][1] == ("active", micros(at(9)))


def test_of_one_instant_the_last_touchpoint_made_it_so() -> None:
    force = under({"active": {"count": "custom", "at_least": 1}})
    path = [read(touchpoint(f"m{n}", 1, event="Report Exported", user_id="ana")) for n in (2, 1)]
    assert [each.begins for each in ruled(Walk(then=path), force)["active"]] == [(micros(at(1)), "m2")]


def test_in_a_new_chapter_a_condition_that_holds_begins_with_it() -> None:
    force = under({"active": {"measure": "touchpoints", "at_least": 1}, "loyal": {"count": "custom", "at_least": 3}})
    path = [touchpoint(f"m{n}", day, event="Report Exported", user_id="ana") for n, day in enumerate((0, 100, 101))]
    entries = [(each.stage, each.us) for each in told([read(each) for each in path], force)]
    expected = [("active", 0), ("at_risk", 14), ("churned", 60), ("active", 100), ("loyal", 101), ("at_risk", 115)]
    assert entries[:-1] == [(stage, micros(at(day))) for stage, day in expected]


def test_of_many_periods_the_latest_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "MOST_PERIODS", 2)
    force = under({"active": {"silence": "custom", "below": "1 day"}})
    path = [read(touchpoint(f"m{n}", 2 * n, event="Report Exported", user_id="ana")) for n in range(5)]
    periods = ruled(Walk(then=path), force)["active"]
    assert [each.begins for each in periods] == [(micros(at(6)), "m3"), (micros(at(8)), "m4")]


def test_a_segment_asks_for_the_stage_that_conditions_gave() -> None:
    force = msgspec.structs.replace(
        under({"active": {"trait": "plan", "is": "pro"}}),
        definitions=(Definition("segment", "active", parse({"stage": "name", "is": "active"}, TERMS)),),
    )
    path = [
        touchpoint("m1", 1, type="identify", user_id="ana", traits={"plan": "free"}),
        touchpoint("m2", 2, type="identify", user_id="ana", traits={"plan": "pro"}),
        touchpoint("m3", 3, type="identify", user_id="ana", traits={"plan": "free"}),
    ]
    stays = judged([read(each) for each in path], force, micros(at(4)))
    assert stays == {"segment/active": (micros(at(2)), None)}


def test_a_condition_of_a_stage_cannot_ask_for_the_stage() -> None:
    with pytest.raises(Invalid) as caught:
        parse({"any": [{"stage": "name", "is": "lead"}, {"trait": "x", "is": 1}]}, stage_terms(ALL_KINDS))
    assert [(flaw.at, flaw.code) for flaw in caught.value.flaws] == [("/any/0/stage", "circular")]


RULES = under({stage: each[0] for stage, each in WHEN.items()}).rules


async def choose(folding_: Folding, rules: RuleSet) -> None:
    async with folding_.database.transaction([folding_.workspace]) as connection:
        await in_force.choose(connection, folding_.workspace, rules)


async def outcome(database: Database, batches: Sequence[Sequence[Touchpoint]], story: Any, first: bool) -> Any:
    """All that must be equal, with the conditions set before the first batch or after the last."""
    folding_ = Folding(database, now=at(60))
    await define(folding_, {"active": {"stage": "name", "in": ["active", "loyal"]}})
    if first:
        await choose(folding_, RULES)
    for batch in batches:
        await folding_.fold(*batch)
    if not first:
        await choose(folding_, RULES)
    return await folding_.everything(identifiers_of(story))


async def test_an_own_rule_set_keeps_its_base_and_one_stored_without_has_the_nearest(database: Database) -> None:
    folding_ = Folding(database)
    for stored in (SHOP, msgspec.structs.replace(SHOP, base="")):
        await choose(folding_, msgspec.structs.replace(stored, name="own", active_days=3))
        await folding_.fold(touchpoint("m1", 1, event="Order Completed", user_id="ana"))
        told = await folding_.told("user_id", "ana")
        assert told is not None
        assert (told.rules, told.rules_base) == ("own", "shop")


@pytest.mark.parametrize("story", [LIFE, LATE_ALIAS, SHARED], ids=["life", "late_alias", "shared"])
async def test_any_order_gives_the_same_stages(database: Database, story: list[Touchpoint]) -> None:
    in_order = await outcome(database, [story], story, True)
    assert "when." in str(in_order)
    assert await outcome(database, [[each] for each in story], story, True) == in_order
    for seed in range(3):
        assert await outcome(database, shuffled(story, seed), story, seed % 2 == 0) == in_order, f"seed {seed}"


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(life=lives(), seed=st.integers(0, 1_000))
async def test_every_life_gives_the_same_stages(database: Database, life: list[Told], seed: int) -> None:
    story = touchpoints(life)
    assert await outcome(database, shuffled(story, seed), story, True) == await outcome(database, [story], story, False)


async def test_time_alone_turns_a_stage_on_time_and_the_past_is_read_the_same(database: Database) -> None:
    folding_ = Folding(database, now=at(3))
    await choose(folding_, under({"at_risk": {"silence": "signed_in", "at_least": "5 days", "below": "9 days"}}).rules)
    await folding_.fold(
        touchpoint("m1", 1, event="Signed Up", user_id="ana"), touchpoint("m2", 2, event="Signed In", user_id="ana")
    )

    ticker = folding_.ticker()
    id_ = await folding_.id_of("user_id", "ana")
    assert id_ is not None
    for day, stage in ((6.999, "onboarding"), (7, "at_risk"), (10.999, "at_risk"), (11, "onboarding")):
        folding_.clock.at = at(day)
        await ticker.tick()
        published = folding_.topic.last(id_)
        assert isinstance(published, JourneySnapshot)
        assert published.stage.name == stage, day
    await folding_.fold(touchpoint("m3", 12, event="Signed In", user_id="ana"))
    published = folding_.topic.last(id_)
    assert isinstance(published, JourneySnapshot)
    course_ = [("onboarding", at(1)), ("at_risk", at(7)), ("onboarding", at(11))]
    assert [(each.name, each.entered_at) for each in published.stages] == course_
    for day, stage in ((6.999, "onboarding"), (7, "at_risk"), (11, "onboarding"), (12, "onboarding"), (17, "at_risk")):
        past = await folding_.told("user_id", "ana", as_of=at(day))
        assert past is not None
        assert past.stage.name == stage, day


async def test_an_account_has_the_numbers(database: Database) -> None:
    folding_ = Folding(database, now=at(30))
    await choose(folding_, under({"at_risk": {"measure": "support.open", "at_least": 1}}).rules)
    await folding_.fold(
        touchpoint("m1", 1, type="group", user_id="ana", group_id="acme"),
        touchpoint("m2", 2, event="Signed Up", user_id="ana"),
        touchpoint("m3", 3, event="Signed In", user_id="ana"),
    )
    await folding_.refolder.work()
    for named, stage in ((("user_id", "ana"), "onboarding"), (("account", "acme"), "at_risk")):
        id_, read_ = await folding_.id_of(*named), await folding_.told(*named)
        assert id_ is not None
        assert read_ is not None
        published = folding_.topic.last(id_)
        assert isinstance(published, JourneySnapshot)
        assert (published.stage.name, read_.stage.name) == (stage, stage)


async def test_a_condition_set_anew_holds_for_all_time(database: Database) -> None:
    folding_ = Folding(database, now=at(3))
    for least in (1, 2):
        await choose(folding_, under({"active": {"measure": "touchpoints", "at_least": least}}).rules)
        await folding_.fold(touchpoint(f"m{least}", least, event="Signed Up", user_id="ana"))
        for _ in range(2):
            told_ = await folding_.told("user_id", "ana")
            assert told_ is not None
            assert (told_.stage.name, told_.stage.entered_at) == ("active", at(least))
            await folding_.refolder.work()


async def test_numbers_chosen_again_leave_nothing_of_the_conditions(database: Database) -> None:
    folding_ = Folding(database, now=at(3))
    await choose(folding_, under({"active": {"measure": "touchpoints", "at_least": 1}}).rules)
    await folding_.fold(touchpoint("m1", 1, event="Signed Up", user_id="ana"))
    await choose(folding_, SUBSCRIPTION)
    for _ in range(2):
        told_ = await folding_.told("user_id", "ana")
        assert told_ is not None
        assert told_.stage.name == "onboarding"
        await folding_.refolder.work()
    async with database.transaction([folding_.workspace]) as connection:
        truths = await connection.fetch("select truths from subjects where workspace = $1", folding_.workspace)
    assert [row["truths"] for row in truths] == [None]
