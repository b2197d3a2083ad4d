"""The state is a commutative join: of any parts, in any order."""

import random
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from jornada.events import Touchpoint, decode, encode
from services.journey.domain import folding, sessions, state
from services.journey.domain.reading import Reading, amount, nanos, read
from services.journey.domain.sessions import Session
from services.journey.domain.state import EMPTY, State
from tests.journey.makes import at, touchpoint

_EVENTS = (
    "Report Exported",
    "Feature Used",
    "Order Completed",
    "Support Ticket Created",
    "Support Ticket Resolved",
    "Subscription Cancelled",
    "Payment Failed",
    "Survey Responded",
    "Consent Updated",
    "Subscription Started",
    "Account Deleted",
    "Referral Made",
    "Contact Logged",
    "Idea Submitted",
    "Live Chat Message Received",
)
_PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        "revenue": st.decimals(-1000, 1000, places=2).map(str)
        | st.floats(0, 100)
        | st.integers()
        | st.text(max_size=3),
        "currency": st.sampled_from(["EUR", "brl", "x"]),
        "ticket_id": st.sampled_from(["1", 2]),
        "severity": st.integers(0, 5) | st.text(max_size=2),
        "score": st.integers(0, 10),
        "survey_type": st.sampled_from(["nps", "csat", "other"]),
        "feature": st.sampled_from(["a", "b"]),
        "channel": st.just("email"),
        "purpose": st.just("marketing"),
        "status": st.sampled_from(["granted", "revoked", "maybe"]),
        "relationship_type": st.sampled_from(["dedicated", "vip"]),
        "auto_renew": st.booleans(),
        "direction": st.sampled_from(["inbound", "outbound", 3]),
        "renewal_at": st.sampled_from(["2026-03-01", "never"]),
        "effective_at": st.sampled_from(["2026-02-01", "2026-02-01T00:00:00Z", "soon"]),
    },
)
_TYPES = st.sampled_from(["dedicated", ["dedicated"], ["co_creation", "vip"], []])
_JSON = (
    _TYPES
    | st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.text(max_size=3)
    | st.lists(st.integers(0, 3), max_size=2)
)


@st.composite
def readings(draw: st.DrawFn) -> list[Reading]:
    told: list[Touchpoint] = []
    for n in range(draw(st.integers(0, 8))):
        days = draw(st.integers(0, 40)) / 2
        if draw(st.booleans()):
            traits = draw(st.dictionaries(st.sampled_from(["name", "email", "relationship_types"]), _JSON, max_size=3))
            kind = draw(st.sampled_from(["identify", "group"]))
            group = draw(st.sampled_from(["acme", "globex"])) if kind == "group" else None
            told.append(touchpoint(f"m{n}", days, type=kind, user_id="ana", group_id=group, traits=traits))
        else:
            event = draw(st.sampled_from(_EVENTS))
            role = draw(st.sampled_from(["product", "billing"]))
            told.append(touchpoint(f"m{n}", days, event=event, user_id="ana", role=role, properties=draw(_PROPERTIES)))
    return [read(each) for each in told]


@given(readings(), st.randoms())
def test_any_order_and_any_parts_give_the_same_state(told: list[Reading], chance: random.Random) -> None:
    whole = folding.fold(told)
    order = list(told)
    chance.shuffle(order)
    stepwise = EMPTY
    for reading in order:
        stepwise = folding.evolve(stepwise, reading)
    assert encode(stepwise) == encode(whole)
    cut = chance.randint(0, len(order))
    a, b = folding.fold(order[:cut]), folding.fold(order[cut:])
    assert encode(state.join(a, b)) == encode(state.join(b, a)) == encode(whole)


@given(st.randoms(), st.integers(0, 500))
def test_days_counted_are_the_latest_whatever_the_order(chance: random.Random, cut: int) -> None:
    told = [State(counts={"custom": {str(day): 1}}) for day in [*range(0, 900, 2), *range(0, 900, 9)]]
    chance.shuffle(told)
    whole = state.join(state.joined(told[:cut]), state.joined(told[cut:]))
    assert (
        list(map(int, sorted(whole.counts["custom"], key=int))) == sorted({*range(0, 900, 2), *range(0, 900, 9)})[-400:]
    )
    assert whole.counts["custom"]["882"] == 2


@given(readings())
def test_a_state_survives_being_stored(told: list[Reading]) -> None:
    whole = folding.fold(told)
    assert decode(encode(whole), State) == whole


@given(readings())
def test_shares_divide_what_counts_and_lose_nothing(told: list[Reading]) -> None:
    shares = folding.shares(told)
    if any(reading.touchpoint.type == "group" for reading in told):
        assert sum(share.touchpoints for share in shares.values()) == len(told)
    else:
        assert shares == {}


@given(st.lists(st.decimals(-(10**6), 10**6, places=4), max_size=20), st.randoms())
def test_money_sums_are_exact_in_any_order(amounts: list[Decimal], chance: random.Random) -> None:
    told = [
        read(touchpoint(f"m{n}", event="Order Completed", user_id="ana", properties={"revenue": str(each)}))
        for n, each in enumerate(amounts)
    ]
    chance.shuffle(told)
    assert folding.fold(told).revenue.get("USD", 0) == nanos(sum(amounts, Decimal(0)))


def test_absurd_amounts_are_none() -> None:
    absurd: list[object] = [True, "x", "NaN", "1e400", 10**18, None, []]
    assert [amount(each) for each in absurd] == [None] * len(absurd)


def test_the_latest_statement_of_a_trait_holds_and_null_removes_it() -> None:
    told = [
        touchpoint("m1", 1, type="identify", user_id="ana", traits={"name": "Ana", "age": 30}),
        touchpoint("m3", 3, type="identify", user_id="ana", traits={"age": None}),
        touchpoint("m2", 2, type="identify", user_id="ana", traits={"name": "Ana Souza", "age": 31}),
    ]
    traits = folding.fold(read(each) for each in told).traits
    assert {name: text for name, (_, _, text) in traits.items()} == {"name": '"Ana Souza"', "age": "null"}


def test_an_unknown_event_of_a_product_counts_as_use_and_one_of_support_does_not() -> None:
    product = folding.single(read(touchpoint("m1", event="Report Exported", user_id="ana")))
    support = folding.single(read(touchpoint("m2", event="Report Exported", user_id="ana", role="support")))
    assert list(product.features) == ["Report Exported"]
    assert state.value_days(product, ["use"]).keys() == {(at(0) - at(0)).days + 20454}
    assert support.features == {}
    assert state.value_days(support, ["use"]) == {}


def test_what_we_wrote_counts_in_nothing() -> None:
    assert folding.single(read(touchpoint("m1", event="Message Sent", user_id="ana", source="jornada"))) is EMPTY


def test_a_pause_of_just_half_an_hour_is_within_a_session_and_a_longer_one_ends_it() -> None:
    moments = (0, sessions.GAP, 2 * sessions.GAP + 1)
    told = [Session(us, f"m{us}", "app", us, 1) for us in moments]
    assert sessions.coalesced(told) == [Session(0, "m0", "app", sessions.GAP, 2), told[2]]
