"""Who is in which segment or has reached which milestone, and when: in any order of arrival, and by silence alone."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jornada.db import Database
from jornada.events import Identifier, JourneySnapshot, Touchpoint
from jornada.instants import micros
from jornada.rules import holds, parse
from services.journey.domain import folding
from services.journey.domain.reading import read
from services.journey.domain.rules import SHOP, SUBSCRIPTION
from services.journey.domain.segments import Definition, InForce, Role, Stays, Walk, following, passed, walked
from services.journey.domain.stages import timeline
from services.journey.domain.state import EMPTY
from services.journey.domain.view import TERMS, StateView
from services.journey.store import in_force, memberships, portraits
from services.journey.store.memberships import Count
from services.journey.store.portraits import Filter
from tests.conftest import DatabaseFactory
from tests.journey.makes import Folding, at, touchpoint
from tests.journey.test_order import LATE_ALIAS, LIFE, REUNITED, SHARED, identifiers_of, shuffled

_HOUR = 3_600_000_000
_EVENTS = [
    "Signed In", "Signed In", "Report Exported", "Signed Up", "Subscription Started", "Subscription Cancelled",
    "Account Deleted", "Trial Started", "Trial Ended", "Idea Submitted", None,
]  # fmt: skip
QUIET = {"silence": "signed_in", "at_least": "14 days"}
CONDITIONS: dict[str, Any] = {
    "quiet": QUIET,
    "lull": {"silence": "signed_in", "at_least": "1 day", "below": "3 days"},
    "often": {"count": "signed_in", "within": "3 days", "at_least": 2},
    "pro": {"trait": "plan", "is": "pro"},
    "risky": {"stage": "name", "in": ["at_risk", "churned"]},
    "settled": {"all": [{"stage": "age", "at_least": "2 days"}, {"not": {"trait": "plan", "is": "pro"}}]},
    "served": {
        "any": [
            {"since": "relationship.dedicated", "at_least": "3 days"},
            {"date": "relationship.co_creation", "exists": True},
        ]
    },
    "ending": {"until": "billing.trial_ends_at", "at_most": "7 days", "above": "1 hour"},
    "busy": {"any": [{"measure": "touchpoints", "at_least": 4}, {"days": "custom", "within": "1 week", "at_least": 2}]},
}
_ROLES: tuple[Role, ...] = ("segment", "milestone")
FORCE = InForce(
    SUBSCRIPTION,
    tuple(Definition(role, name, parse(given_, TERMS)) for role in _ROLES for name, given_ in CONDITIONS.items()),
    1,
)

FADING = InForce(
    SUBSCRIPTION,
    tuple(
        Definition(
            "segment", f"{kind}_{bound}", parse({"decayed": kind, "half_life": "7 days", "at_least": bound}, TERMS)
        )
        for kind in ("signed_in", "custom")
        for bound in (0.5, 1.5)
    ),
    1,
)
"""Beside those above: these turn at no full hour."""


@pytest.fixture(scope="module")
async def database(database_for: DatabaseFactory) -> Database:
    return await database_for("journey")


@st.composite
def paths(draw: st.DrawFn) -> list[Touchpoint]:
    path = []
    for n in range(draw(st.integers(1, 8))):
        when = draw(st.integers(0, 400)) / 8
        event = draw(st.sampled_from(_EVENTS))
        if event is None:
            plan = draw(st.sampled_from(["pro", "free", None]))
            types = draw(st.sampled_from(["dedicated", ["co_creation"], None]))
            said = {"plan": plan, "relationship_types": types}
            path.append(touchpoint(f"m{n}", when, type="identify", user_id="ana", traits=said))
        else:
            given_ = {"trial_ends_at": at(when + draw(st.integers(0, 60)) / 4).isoformat()}
            path.append(touchpoint(f"m{n}", when, event=event, user_id="ana", properties=given_))
    return path


def stays_of(path: Sequence[Touchpoint], until: int) -> Stays:
    whole = folding.fold(read(each) for each in path)
    entries = timeline(whole, SUBSCRIPTION)
    last = walked(Walk(then=[read(each) for each in path]), FORCE, entries)
    return passed(last, FORCE, StateView(whole, SUBSCRIPTION, entries), until)


def polled(path: Sequence[Touchpoint], until: int) -> dict[str, tuple[int, int | None]]:
    """The same by asking every condition every hour, knowing only what had happened by then."""
    stays: dict[str, tuple[int, int | None]] = {}
    us = min(micros(each.occurred_at) for each in path)
    while us <= until:
        state = folding.fold(read(each) for each in path if micros(each.occurred_at) <= us)
        view = StateView(state, SUBSCRIPTION, timeline(state, SUBSCRIPTION))
        for each in FORCE.definitions:
            stay = stays.get(each.key)
            within = stay is not None and stay[1] is None
            if each.role == "milestone" and within:
                continue
            if holds(each.when, view, us) != within:
                stays[each.key] = (stay[0], us) if stay is not None and within else (us, None)
        us += _HOUR
    return stays


@settings(max_examples=25)
@given(path=paths())
def test_stays_are_those_that_asking_every_hour_finds(path: list[Touchpoint]) -> None:
    until = micros(at(80))
    assert stays_of(path, until) == polled(path, until)


@settings(max_examples=100)
@given(path=paths(), cut=st.integers(0, 8))
@pytest.mark.parametrize("force", [FORCE, FADING], ids=["force", "fading"])
def test_walking_on_from_where_one_stood_is_walking_all_the_way(
    force: InForce, path: list[Touchpoint], cut: int
) -> None:
    readings = sorted((read(each) for each in path), key=lambda reading: reading.key)
    before, then = readings[:cut], readings[cut:]
    if before and then and before[-1].key[0] == then[0].key[0]:
        return
    whole = timeline(folding.fold(readings), SUBSCRIPTION)
    half = folding.fold(before) if before else EMPTY
    stood = walked(Walk(then=before), force, timeline(half, SUBSCRIPTION))
    assert walked(Walk(half, stood, then), force, whole) == walked(Walk(then=readings), force, whole)


@settings(max_examples=100)
@given(path=paths(), look=st.integers(0, 60))
def test_the_next_turn_of_any_segment_is_told(path: list[Touchpoint], look: int) -> None:
    whole = folding.fold(read(each) for each in path)
    view = StateView(whole, SUBSCRIPTION, timeline(whole, SUBSCRIPTION))
    assert whole.last is not None
    now = whole.last[0] + look * _HOUR * 24
    stays = stays_of(path, now)
    turn = following(stays, FORCE, view, now)
    if turn is None:
        assert stays_of(path, micros(at(5_000))) == stays
    else:
        assert stays_of(path, turn - 1) == stays
        assert stays_of(path, turn) != stays


def test_what_happens_at_one_instant_is_judged_once() -> None:
    together = [
        touchpoint("m1", 1, type="identify", user_id="ana", traits={"plan": "pro"}),
        touchpoint("m2", 1, type="identify", user_id="ana", traits={"plan": "free"}),
    ]
    assert "segment/pro" not in stays_of(together, micros(at(2)))


async def test_what_happened_at_the_last_instant_is_judged_with_it(database: Database) -> None:
    plans = [
        touchpoint(f"m{n}", 1, type="identify", user_id="ana", traits={"plan": plan})
        for n, plan in enumerate(["pro", "free"])
    ]
    apart = await outcome(database, [[each] for each in plans], identifiers_of(plans), True)
    assert apart == await outcome(database, [plans], identifiers_of(plans), True)


async def define(folding_: Folding, conditions: dict[str, Any], role: Role = "segment") -> None:
    for name, given_ in conditions.items():
        text = in_force.text_of(parse(given_, TERMS))
        async with folding_.database.transaction([folding_.workspace]) as connection:
            await in_force.define(connection, folding_.workspace, role, name, text, folding_.clock.now())


async def _define_all(folding_: Folding) -> None:
    for role in _ROLES:
        await define(folding_, CONDITIONS, role)


async def outcome(
    database: Database, batches: Sequence[Sequence[Touchpoint]], named: Sequence[Identifier], first: bool
) -> Any:
    """All that must be equal, with the segments defined before the first batch or after the last."""
    folding_ = Folding(database, now=at(60))
    if first:
        await _define_all(folding_)
    for batch in batches:
        await folding_.fold(*batch)
    if not first:
        await _define_all(folding_)
    told = await folding_.everything(named)
    async with database.transaction([folding_.workspace]) as connection:
        return told, [await memberships.counts(connection, folding_.workspace, role) for role in _ROLES]


@pytest.mark.parametrize(
    "story", [LIFE, LATE_ALIAS, SHARED, REUNITED], ids=["life", "late_alias", "shared", "reunited"]
)
async def test_any_order_gives_the_same_segments(database: Database, story: list[Touchpoint]) -> None:
    named = identifiers_of(story)
    in_order = await outcome(database, [story], named, True)
    assert "segments" in str(in_order)
    assert await outcome(database, [[each] for each in story], named, True) == in_order
    for seed in range(4):
        assert await outcome(database, shuffled(story, seed), named, seed % 2 == 0) == in_order, f"seed {seed}"


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(path=paths(), seed=st.integers(0, 1_000))
async def test_every_path_gives_the_same_segments(database: Database, path: list[Touchpoint], seed: int) -> None:
    named = identifiers_of(path)
    assert await outcome(database, shuffled(path, seed), named, True) == await outcome(database, [path], named, False)


async def test_no_login_for_14_days_becomes_true_by_itself_and_a_login_ends_it(database: Database) -> None:
    folding_ = Folding(database, now=at(3))
    await define(folding_, {"quiet": QUIET})
    await define(folding_, {"builder": {"trait": "role", "is": "dev"}}, "persona")
    await folding_.fold(
        touchpoint("m1", 1, event="Signed In", user_id="ana"),
        touchpoint("m2", 2, type="identify", user_id="ana", traits={"role": "dev"}),
    )
    ticker = folding_.ticker()
    id_ = await folding_.id_of("user_id", "ana")
    assert id_ is not None

    async def quiet() -> list[str]:
        async with database.transaction([folding_.workspace]) as connection:
            wanted = Filter("customer", segment="quiet", persona="builder")
            return [
                str(each.subject_id) for each in await portraits.listed(connection, folding_.workspace, wanted, 9, None)
            ]

    folding_.clock.at = at(15) - timedelta(microseconds=1)
    await ticker.tick()
    assert await quiet() == []
    folding_.clock.at = at(15)
    await ticker.tick()
    assert await quiet() == [str(id_)]
    told = folding_.topic.last(id_)
    assert isinstance(told, JourneySnapshot)
    assert [(each.name, each.entered_at) for each in told.segments] == [("quiet", at(15))]
    assert [(each.name, each.entered_at) for each in told.personas] == [("builder", at(2))]
    await folding_.fold(touchpoint("m3", 17, event="Signed In", user_id="ana"))
    told = folding_.topic.last(id_)
    assert isinstance(told, JourneySnapshot)
    assert (told.segments, [(each.entered_at, each.left_at) for each in told.former_segments]) == (
        [],
        [(at(15), at(17))],
    )
    assert await quiet() == []
    past = await folding_.told("user_id", "ana", as_of=at(16))
    assert past is not None
    assert [(each.name, each.entered_at) for each in past.segments] == [("quiet", at(15))]


async def test_a_change_of_rules_or_of_a_condition_tells_everybody_anew(database: Database) -> None:
    folding_ = Folding(database, now=at(30))
    await folding_.fold(*(touchpoint(f"m{n}", n, event="Report Exported", user_id="ana") for n in range(4)))
    await define(folding_, {"risky": CONDITIONS["risky"]})
    await folding_.refolder.work()
    told = await folding_.told("user_id", "ana")
    assert told is not None
    assert [each.name for each in told.segments] == ["risky"]
    async with database.transaction([folding_.workspace]) as connection:
        await in_force.choose(connection, folding_.workspace, SHOP)
    await folding_.refolder.work()
    told = await folding_.told("user_id", "ana")
    assert told is not None
    assert (told.stage.name, told.segments, told.former_segments) == ("lead", [], [])
    async with database.transaction([folding_.workspace]) as connection:
        assert await memberships.counts(connection, folding_.workspace, "segment") == {}


async def test_a_condition_set_anew_holds_for_all_time_whoever_is_told_first(database: Database) -> None:
    folding_ = Folding(database, now=at(30))
    path = [touchpoint(f"m{n}", n, event="Report Exported", user_id=f"u{n % 2}") for n in range(6)]
    await define(folding_, {"it": {"count": "custom", "at_least": 3}})
    await folding_.fold(*path)
    await define(folding_, {"it": {"count": "custom", "at_least": 2}})
    await folding_.fold(touchpoint("m9", 9, event="Report Exported", user_id="u0"))
    await folding_.refolder.work()
    for user, entered in (("u0", at(2)), ("u1", at(3))):
        id_ = await folding_.id_of("user_id", user)
        assert id_ is not None
        told = folding_.topic.last(id_)
        assert isinstance(told, JourneySnapshot)
        assert [each.entered_at for each in told.segments] == [entered], user


async def test_the_last_condition_that_goes_leaves_nobody_anywhere(database: Database) -> None:
    folding_ = Folding(database, now=at(30))
    await define(folding_, {"all": {"measure": "touchpoints", "at_least": 1}})
    await folding_.fold(touchpoint("m1", 1, event="Report Exported", user_id="ana"))
    async with database.transaction([folding_.workspace]) as connection:
        await in_force.define(connection, folding_.workspace, "segment", "all", None, at(30))
    for _ in range(2):
        told = await folding_.told("user_id", "ana")
        assert told is not None
        assert (told.segments, told.former_segments) == ([], [])
        await folding_.refolder.work()
    id_ = await folding_.id_of("user_id", "ana")
    assert id_ is not None
    published = folding_.topic.last(id_)
    assert isinstance(published, JourneySnapshot)
    assert published.segments == []
    async with database.transaction([folding_.workspace]) as connection:
        assert await memberships.counts(connection, folding_.workspace, "segment") == {}


async def test_who_became_another_customer_is_in_no_segment(database: Database) -> None:
    folding_ = Folding(database)
    await define(folding_, {"all": {"measure": "touchpoints", "at_least": 1}})
    await folding_.fold(touchpoint("m1", 0, user_id="old", event="Report Exported"))
    await folding_.fold(touchpoint("m2", 1, user_id="new", event="Report Exported"))
    async with database.transaction([folding_.workspace]) as connection:
        assert await memberships.counts(connection, folding_.workspace, "segment") == {"all": Count(2)}
    await folding_.fold(touchpoint("m3", 2, type="alias", user_id="new", previous_id="old"))
    async with database.transaction([folding_.workspace]) as connection:
        assert await memberships.counts(connection, folding_.workspace, "segment") == {"all": Count(1)}
