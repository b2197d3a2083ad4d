"""By which ways a customer is served: what says so and since when, what a trait withdraws, and who represents us."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jornada.db import Database
from jornada.events import Touchpoint
from jornada.rules import holds, next_change, parse
from services.journey.api import documents
from services.journey.domain import folding
from services.journey.domain.parts.relationships import ACTS, TYPES
from services.journey.domain.reading import read
from services.journey.domain.rules import SUBSCRIPTION
from services.journey.domain.stages import timeline
from services.journey.domain.view import TERMS, StateView
from services.journey.domain.vocabulary import KINDS
from tests.conftest import DatabaseFactory
from tests.journey.makes import Folding, at, touchpoint
from tests.journey.oracle import opened
from tests.journey.oracle import relationships as expected

_NAMES = {kind: name for name, kind in KINDS.items()}


@pytest.fixture(scope="module")
async def database(database_for: DatabaseFactory) -> Database:
    return await database_for("journey")


def said(n: str, days: float, value: Any, **more: Any) -> Touchpoint:
    return touchpoint(n, days, type="identify", user_id="ana", traits={"relationship_types": value, **more})


def contact(n: str, days: float, value: Any) -> Touchpoint:
    return touchpoint(n, days, event="Contact Logged", user_id="ana", properties={"relationship_type": value})


def act(n: str, days: float, event: str) -> Touchpoint:
    return touchpoint(n, days, event=event, user_id="ana")


def standing(*path: Touchpoint) -> list[tuple[str, Any, str]]:
    whole = folding.fold(read(each) for each in path)
    return [(type_, since, source) for type_, since, source in whole.relationships.standing()]


def since(days: float) -> int:
    return int(at(days).timestamp()) * 1_000_000


_SAID = st.one_of(
    st.sampled_from([None, "community", "dedicated", ["community"], ["dedicated", "vip"], [], 7, [["community"]]]).map(
        lambda value: {"type": "identify", "traits": {"relationship_types": value}}
    ),
    st.sampled_from([None, "community", "dedicated", "vip", ["dedicated"]]).map(
        lambda value: {"event": "Contact Logged", "properties": {"relationship_type": value}}
    ),
    st.sampled_from([{"event": "Community Post Created"}, {"event": "Idea Submitted"}, {"event": "Signed In"}]),
)


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 20), _SAID), max_size=12), st.randoms())
def test_what_stands_is_what_walking_through_all_that_was_said_finds(
    path: list[tuple[int, dict[str, Any]]], chance: random.Random
) -> None:
    told = [touchpoint(f"m{n:02}", days, user_id="ana", **each) for n, (days, each) in enumerate(path)]
    wanted = expected(sorted(map(opened, told), key=lambda each: each.when))
    chance.shuffle(told)
    assert [list(each) for each in standing(*told)] == wanted


def test_each_type_stands_since_it_was_said_first_and_by_what() -> None:
    path = [
        said("m1", 3, ["dedicated", "vip", "community"]), said("m2", 2, "dedicated"), contact("m3", 1, "community"),
        contact("m4", 4, "self_service"), contact("m5", 0, "vip"),
    ]  # fmt: skip
    assert standing(*path) == [
        ("community", since(1), "contact_logged"), ("dedicated", since(2), "trait"),
        ("self_service", since(4), "contact_logged"),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ACTS)
def test_acts_say_a_type_by_themselves(kind: str) -> None:
    assert standing(act("m1", 2, _NAMES[kind]), act("m2", 1, _NAMES[kind])) == [(ACTS[kind], since(1), kind)]
    assert ACTS[kind] in TYPES


@pytest.mark.parametrize("value", [None, [], "dedicated", ["dedicated"], 7, {"community": True}])
def test_what_the_trait_leaves_out_later_is_withdrawn_whoever_said_it_before(value: Any) -> None:
    def types(*path: Touchpoint) -> list[str]:
        return [each[0] for each in standing(*path) if each[0] == "community"]

    before = [said("m1", 1, ["community"]), contact("m2", 2, "community"), act("m3", 0, "Community Post Created")]
    assert types(*before, said("m4", 3, value)) == []
    assert types(*before[1:], said("m4", 3, value)) == ["community"]
    assert types(*before, said("m4", 3, value), act("m5", 4, "Community Post Created")) == ["community"]
    assert types(*before, said("m4", 3, value), said("m5", 4, "community")) == ["community"]
    assert types(*before, said("m0", 0.5, value)) == ["community"]


def test_conditions_ask_since_when_a_type_stands_and_know_when_that_turns_them() -> None:
    whole = folding.fold(read(each) for each in (contact("m1", 2, "dedicated"), said("m2", 3, ["community"])))
    view = StateView(whole, SUBSCRIPTION, timeline(whole, SUBSCRIPTION))
    assert {type_: view.date(f"relationship.{type_}") for type_ in TYPES} == dict.fromkeys(TYPES) | {
        "dedicated": since(2), "community": since(3)
    }  # fmt: skip
    month = parse({"since": "relationship.dedicated", "at_least": "30 days"}, TERMS)
    assert next_change(month, view, since(3)) == since(32)
    assert not holds(month, view, since(32) - 1)
    assert holds(month, view, since(32))


async def test_the_document_tells_types_and_owner_also_of_accounts_and_as_of_an_instant(database: Database) -> None:
    folding_ = Folding(database)
    grouped = {"relationship_types": ["dedicated", "community"], "owner": " caio@x.com "}
    await folding_.fold(
        said("m1", 1, ["dedicated"], owner="bia@x.com"), act("m2", 2, "Idea Submitted"), said("m3", 5, [], owner=7),
        touchpoint("g1", 3, type="group", user_id="ana", group_id="acme", traits=grouped),
        touchpoint("g2", 4, type="group", user_id="ana", group_id="acme", traits=grouped),
    )  # fmt: skip
    while await folding_.refolder.work():
        pass

    async def told(type_: str, value: str, days: float | None) -> tuple[Any, list[Any]]:
        snapshot = await folding_.told(type_, value, None if days is None else at(days))
        assert snapshot is not None
        document = documents.journey(snapshot)
        types = [(each.type, each.since, each.source) for each in document["relationship_types"]]
        return document["owner"], types

    creation = ("co_creation", at(2), "idea_submitted")
    assert await told("user_id", "ana", 3) == ("bia@x.com", [creation, ("dedicated", at(1), "trait")])
    assert await told("user_id", "ana", None) == (None, [creation])
    assert await told("account", "acme", None) == (
        "caio@x.com",
        [("community", at(4), "trait"), ("dedicated", at(4), "trait")],
    )
    await folding_.fold(
        touchpoint("g3", 0, type="group", user_id="bia", group_id="globex"),
        touchpoint("c1", 1, event="Contact Logged", user_id="bia", properties={"relationship_type": "dedicated"}),
    )
    while await folding_.refolder.work():
        pass
    assert await told("user_id", "bia", None) == (None, [("dedicated", at(1), "contact_logged")])
    assert await told("account", "globex", None) == (None, [])
