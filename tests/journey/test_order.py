"""Journeys are a function of the set of accepted events: any order, batching and repetition gives equal documents."""

import random
from collections.abc import Mapping, Sequence
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jornada.db import Database
from jornada.events import Identifier, Touchpoint
from services.journey.domain import emails, identity, state
from services.journey.domain.identity import MOST_TIED
from services.journey.domain.reading import read
from tests.conftest import DatabaseFactory
from tests.journey.makes import Folding, touchpoint


@pytest.fixture(scope="module")
async def database(database_for: DatabaseFactory) -> Database:
    return await database_for("journey")


async def outcome(database: Database, batches: Sequence[Sequence[Touchpoint]], named: Sequence[Identifier]) -> Any:
    folding = Folding(database)
    for batch in batches:
        await folding.fold(*batch)
    return await folding.everything(named)


def shuffled(story: Sequence[Touchpoint], seed: int) -> list[list[Touchpoint]]:
    """The story in another order, cut into batches, with some of it told again."""
    chance = random.Random(seed)
    told = [*story, *chance.sample(list(story), len(story) // 4)]
    chance.shuffle(told)
    batches: list[list[Touchpoint]] = [[]]
    for each in told:
        if chance.random() < 0.3:
            batches.append([])
        batches[-1].append(each)
    return [batch for batch in batches if batch]


LATE_ALIAS = [
    touchpoint("a1", 0.0, anonymous_id="phone", context={"campaign": {"name": "spring"}}),
    touchpoint("a2", 0.01, anonymous_id="phone", event="Signed Up", user_id="old"),
    touchpoint("a3", 1, event="Report Exported", user_id="old"),
    touchpoint("a4", 2, event="Report Exported", user_id="new", anonymous_id="laptop"),
    touchpoint("a5", 3, event="Report Exported", anonymous_id="laptop"),
    touchpoint("a6", 9, type="alias", previous_id="old", user_id="new"),
    touchpoint("a7", 10, type="alias", previous_id="cookie", user_id="new"),
    touchpoint("a8", 0.5, anonymous_id="cookie"),
    touchpoint("a9", 4, type="identify", user_id="new", traits={"name": "Ana", "age": 30}),
    touchpoint("b1", 4, type="identify", user_id="old", traits={"name": "Bia", "age": None}),
]
SHARED = [
    touchpoint("s1", 0, anonymous_id="tablet"),
    touchpoint("s2", 1, anonymous_id="tablet", user_id="ana", event="Signed In"),
    touchpoint("s3", 1.01, anonymous_id="tablet", event="Report Exported"),
    touchpoint("s4", 2, anonymous_id="tablet", user_id="bia", event="Signed In"),
    touchpoint("s5", 2.01, anonymous_id="tablet", event="Report Exported"),
    touchpoint("s6", 3, anonymous_id="tablet", user_id="ana", event="Signed In"),
    touchpoint("s7", 3.01, anonymous_id="tablet", event="Dashboard Shared"),
    touchpoint("s8", 2.5, anonymous_id="phone", user_id="bia"),
    touchpoint("s9", 2.6, anonymous_id="phone", event="Report Exported"),
    touchpoint("t1", 5, type="alias", previous_id="tablet", user_id="bia"),
    touchpoint("t2", 6, anonymous_id="tablet", event="Report Exported"),
]
REUNITED = [*SHARED, touchpoint("u1", 7, type="alias", previous_id="bia", user_id="ana")]
ACCOUNTS = [
    touchpoint("g1", 0, type="group", user_id="ana", group_id="acme", traits={"name": "Acme", "plan": "pro"}),
    touchpoint("g2", 1, user_id="ana", event="Report Exported"),
    touchpoint("g3", 2, user_id="bia", event="Report Exported"),
    touchpoint("g4", 3, type="group", user_id="bia", group_id="acme", traits={"name": "Acme Inc", "seats": 5}),
    touchpoint("g5", 4, type="group", user_id="ana", group_id="globex"),
    touchpoint("g6", 5, user_id="ana", event="Report Exported"),
    touchpoint("g7", 6, event="Subscription Started", group_id="acme", role="billing",
               properties={"plan": "pro", "mrr": 49.9, "currency": "brl", "seats": 3}),
    touchpoint("g8", 7, event="Payment Failed", group_id="acme", user_id="ana", role="billing"),
    touchpoint("g9", 8, event="Support Ticket Created", user_id="bia", properties={"ticket_id": "7", "severity": 1}),
    touchpoint("try1", 5.5, event="Trial Started", user_id="bia", properties={"trial_ends_at": "2026-02-01"}),
    touchpoint("try2", 2.5, event="Trial Started", user_id="ana", properties={"trial_ends_at": "2026-03-01"}),
]  # fmt: skip
KIOSK = [
    *(touchpoint(f"k{n}", n / 10, anonymous_id="kiosk", user_id=f"user{n}") for n in range(52)),
    *(touchpoint(f"l{n}", n / 5 + 0.01, anonymous_id="kiosk") for n in range(5)),
]
OURS = [
    touchpoint("o1", 1, user_id="ana", anonymous_id="phone"),
    touchpoint("o2", 90, user_id="ana", event="Message Sent", source="jornada", role="messaging"),
    touchpoint("o3", 2, user_id="ana", event="Order Completed", properties={"revenue": "0.1", "currency": "EUR"}),
    touchpoint("o4", 3, user_id="ana", event="Order Completed", properties={"revenue": 0.2, "currency": "EUR"}),
    touchpoint("o5", 3, anonymous_id="phone", event="Consent Updated",
               properties={"channel": "email", "purpose": "marketing", "status": "granted"}),
    touchpoint("o6", 4, group_id="acme", event="Message Sent", source="jornada", role="messaging"),
]  # fmt: skip
ALIAS_FIRST = [
    touchpoint("c1", 1, type="alias", previous_id="old", user_id="new"),
    touchpoint("c2", 2, event="Report Exported", user_id="old"),
    touchpoint("c3", 3, event="Report Exported", user_id="new"),
]
SHARED_FROM_THE_START = [
    touchpoint("d1", 0, type="group", anonymous_id="tablet", group_id="acme"),
    touchpoint("d2", 0, anonymous_id="tablet", event="Report Exported"),
    touchpoint("d3", 0, type="alias", previous_id="tablet", user_id="ana"),
    touchpoint("d4", 0, type="alias", previous_id="tablet", user_id="bia"),
]
LIFE = [
    touchpoint("n1", 0, event="Signed Up", user_id="ana"),
    *(touchpoint(f"n{day}", day, event="Report Exported", user_id="ana") for day in (2, 3, 4)),
    touchpoint("n5", 5, event="Survey Responded", user_id="ana", properties={"survey_type": "nps", "score": 10}),
    touchpoint("n6", 6, event="Survey Responded", user_id="ana", properties={"survey_type": "nps", "score": 2}),
    touchpoint("n7", 80, event="Report Exported", user_id="ana"),
    *(touchpoint(f"p{day}", day, event="Report Exported", user_id="ana") for day in (82, 84)),
    touchpoint("n8", 85, event="Referral Made", user_id="ana"),
    touchpoint("n9", 90, event="Account Deleted", user_id="ana"),
    touchpoint("o1", 120, event="Subscription Started", user_id="ana", role="billing",
               properties={"renewal_at": "2026-07-01", "auto_renew": False}),
    touchpoint("o2", 121, event="Subscription Cancelled", user_id="ana", role="billing"),
    touchpoint("o3", 130, event="Subscription Renewed", user_id="ana", role="billing"),
    touchpoint("o4", 131, type="group", user_id="ana", group_id="acme"),
    touchpoint("o5", 140, event="Account Deleted", group_id="acme", role="billing"),
    touchpoint("try3", 100, event="Trial Started", user_id="ana", properties={"trial_ends_at": "2026-05-20"}),
    touchpoint("try4", 119, event="Trial Ended", user_id="ana"),
    touchpoint("try5", 119.5, event="Trial Started", user_id="ana", properties={"trial_ends_at": "2026-06-20"}),
    touchpoint("say1", 10, type="identify", user_id="ana", traits={"relationship_types": ["community", "dedicated"]}),
    touchpoint("say2", 9, event="Community Post Created", user_id="ana"),
    touchpoint("say3", 30, type="identify", user_id="ana", traits={"relationship_types": "dedicated", "owner": "bia"}),
    touchpoint("say4", 20, event="Contact Logged", user_id="ana", properties={"relationship_type": "self_service"}),
]  # fmt: skip
MAIL = {"email": "ana@example.com"}
EMAILS = [
    touchpoint("e1", 0, type="identify", anonymous_id="phone", traits=MAIL),
    touchpoint("e2", 1, type="identify", anonymous_id="laptop", context={"traits": {"email": " Ana@Example.com "}}),
    touchpoint("e3", 2, type="identify", user_id="ana", traits=MAIL),
    touchpoint("e4", 3, type="identify", anonymous_id="laptop", traits={"email": "bia@example.com"}),
    touchpoint("e5", 4, type="identify", anonymous_id="tv", traits={"email": "bia@example.com"}),
]
RIVALS = [*EMAILS, touchpoint("e6", 5, type="identify", user_id="bia", traits={"email": "bia@example.com"})]
RECONCILED = [*RIVALS, touchpoint("e7", 6, type="alias", user_id="bia", previous_id="ana")]
SHARED_EMAIL = [
    *SHARED[:5],
    touchpoint("f1", 1.5, type="identify", anonymous_id="tablet", traits=MAIL),
    touchpoint("f2", 2.5, type="identify", anonymous_id="tablet", traits={"email": "bia@example.com"}),
    touchpoint("f3", 3, type="identify", anonymous_id="web", traits=MAIL),
    touchpoint("f4", 4, type="identify", anonymous_id="web2", traits={"email": "bia@example.com"}),
    touchpoint("f5", 3.5, type="identify", anonymous_id="tablet", traits={"email": "caio@example.com"}),
    SHARED[5],
]
MANY_EMAILS = [
    touchpoint(f"h{n}", 9 - n, type="identify", user_id="ana", traits={"email": f"a{n}@x.com"}) for n in range(7)
]
STORIES = {
    "emails": EMAILS,
    "rivals": RIVALS,
    "reconciled": RECONCILED,
    "shared_email": SHARED_EMAIL,
    "many_emails": MANY_EMAILS,
    "life": LIFE,
    "shared_from_the_start": SHARED_FROM_THE_START,
    "alias_first": ALIAS_FIRST,
    "late_alias": LATE_ALIAS,
    "shared_device": SHARED,
    "reunited": REUNITED,
    "accounts": ACCOUNTS,
    "kiosk": KIOSK,
    "ours": OURS,
}


def identifiers_of(story: Sequence[Touchpoint]) -> list[Identifier]:
    found = {("user_id", each.user_id) for each in story} | {("anonymous_id", each.anonymous_id) for each in story}
    found |= {("anonymous_id", each.previous_id) for each in story} | {("account", each.group_id) for each in story}
    found |= {("email", email[0]) for each in story if (email := emails.stated(read(each))) is not None}
    return [Identifier(type_, value) for type_, value in sorted((t, v) for t, v in found if v is not None)]


@pytest.mark.parametrize("name", STORIES)
async def test_any_order_batching_and_repetition_gives_the_same_documents(database: Database, name: str) -> None:
    story = STORIES[name]
    named = identifiers_of(story)
    in_order = await outcome(database, [story], named)
    one_by_one = await outcome(database, [[each] for each in story], named)
    assert one_by_one == in_order
    for seed in range(6 if len(story) < 20 else 2):
        assert await outcome(database, shuffled(story, seed), named) == in_order, f"seed {seed}"


async def test_a_life_is_told_in_all_its_stages(database: Database) -> None:
    folding = Folding(database)
    await folding.fold(*LIFE)
    told = await folding.told("user_id", "ana")
    assert told is not None
    assert [each.name for each in told.stages] == [
        "onboarding", "active", "advocate", "active", "at_risk", "churned", "won_back", "active", "advocate", "churned",
        "won_back", "at_risk", "won_back",
    ]  # fmt: skip


async def test_a_device_that_two_users_take_over_at_once_leaves_nothing_behind(database: Database) -> None:
    named = identifiers_of(SHARED_FROM_THE_START)
    at_once = await outcome(database, [SHARED_FROM_THE_START[:2], SHARED_FROM_THE_START[2:]], named)
    assert at_once == await outcome(database, [SHARED_FROM_THE_START], named)


async def test_a_late_alias_gives_the_same_customer_as_an_early_one(database: Database) -> None:
    folding = Folding(database)
    for each in LATE_ALIAS:
        await folding.fold(each)
    assert await folding.id_of("user_id", "old") == await folding.id_of("anonymous_id", "cookie")
    told = await folding.told("user_id", "new")
    assert told is not None
    assert told.touchpoints == len(LATE_ALIAS)
    assert told.traits == {"name": "Bia"}


async def test_a_shared_device_gives_each_touchpoint_to_its_user_of_the_hour(database: Database) -> None:
    folding = Folding(database)
    await folding.fold(*SHARED)
    ana, bia = await folding.told("user_id", "ana"), await folding.told("user_id", "bia")
    assert ana is not None
    assert bia is not None
    assert (ana.touchpoints, bia.touchpoints) == (5, 6)
    assert await folding.id_of("anonymous_id", "tablet") == bia.subject_id


async def test_a_device_that_turns_out_to_be_shared_parts_its_customer(database: Database) -> None:
    folding = Folding(database)
    await folding.fold(*SHARED[:3])
    alone = await folding.told("user_id", "ana")
    assert alone is not None
    assert alone.touchpoints == 3
    await folding.fold(*SHARED[3:5])
    ana = await folding.told("user_id", "ana")
    assert ana is not None
    assert ana.touchpoints == 3
    assert ana.identifiers == [Identifier("user_id", "ana")]
    assert folding.topic.last(ana.subject_id).version > alone.version


async def test_who_was_in_more_accounts_than_are_told_counts_for_the_latest(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "MOST_GROUPS", 2)
    story = [
        each
        for n, account in enumerate(["acme", "globex", "acme", "initech", "umbrella", "initech"])
        for each in (
            touchpoint(f"g{n}", n, type="group", user_id="ana", group_id=account, traits={"seats": n}),
            touchpoint(f"u{n}", n + 0.5, event="Report Exported", user_id="ana"),
        )
    ]
    named = identifiers_of(story)
    in_order = await outcome(database, [[each] for each in story], named)
    told = {name: told and told[0]["touchpoints"] for name, told in in_order.items() if name != "refusals"}
    assert told == {
        "user_id:ana": 12, "account:acme": None, "account:globex": None, "account:initech": 4, "account:umbrella": 2
    }  # fmt: skip
    for seed in range(4):
        assert await outcome(database, shuffled(story, seed), named) == in_order


_PEOPLE = st.sampled_from([None, "ana", "bia", "caio"])
_DEVICES = st.sampled_from([None, "d1", "d2", "d3"])


@st.composite
def stories(draw: st.DrawFn) -> list[Touchpoint]:
    story = []
    for n in range(draw(st.integers(2, 10))):
        user, device = draw(_PEOPLE), draw(_DEVICES)
        previous = draw(st.sampled_from([None, None, None, "ana", "bia", "d1", "d2"]))
        when = draw(st.integers(0, 8)) / 100
        if previous is not None and user is not None and previous != user:
            story.append(
                touchpoint(f"m{n}", when, type="alias", user_id=user, previous_id=previous, anonymous_id=device)
            )
        elif (user is not None or device is not None) and draw(st.booleans()):
            mail = {"email": draw(st.sampled_from(["a@x.com", "b@x.com", "c@x.com"]))}
            story.append(touchpoint(f"m{n}", when, type="identify", user_id=user, anonymous_id=device, traits=mail))
        elif user is not None or device is not None:
            group = draw(st.sampled_from([None, None, "acme", "globex"]))
            story.append(
                touchpoint(f"m{n}", when, type="group", user_id=user, anonymous_id=device, group_id=group)
                if group
                else touchpoint(f"m{n}", when, event="Report Exported", user_id=user, anonymous_id=device)
            )
    return story


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    story=stories(),
    seed=st.integers(0, 1_000),
    most_tied=st.sampled_from([MOST_TIED, dict.fromkeys(MOST_TIED, 1), dict.fromkeys(MOST_TIED, 2)]),
)
async def test_every_small_story_is_order_independent_where_few_make_a_kiosk_too(
    database: Database, story: list[Touchpoint], seed: int, most_tied: Mapping[tuple[str, str], int]
) -> None:
    named = identifiers_of(story)
    with patch.dict(identity.MOST_TIED, most_tied):
        assert await outcome(database, shuffled(story, seed), named) == await outcome(
            database, [story] if story else [], named
        )
