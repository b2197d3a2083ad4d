"""Measures: what they say, in any order and of any parts, and that the document tells every one of them."""

import random
import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_type_hints
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jornada.events import Billing, Contacts, Feedback, Learning, Measures, Support, Touchpoint, Use, encode
from jornada.instants import micros
from jornada.rules import holds, next_change, parse
from services.journey.domain import decay, folding, state
from services.journey.domain.decay import LADDER, moment, plus, standing
from services.journey.domain.parts import invoices, learning, surveys, tickets
from services.journey.domain.parts.joining import greatest
from services.journey.domain.reading import read
from services.journey.domain.rules import SUBSCRIPTION
from services.journey.domain.snapshot import measures
from services.journey.domain.stages import timeline
from services.journey.domain.state import EMPTY
from services.journey.domain.view import TERMS, StateView
from tests.journey.makes import at, touchpoint

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "measures.md").read_text()
_FAMILIES = (Use, Support, Billing, Feedback, Learning, Contacts)


def measured(*told: Touchpoint) -> Measures:
    whole = folding.fold(read(each) for each in told)
    return measures(whole, SUBSCRIPTION, timeline(whole, SUBSCRIPTION))


def _names() -> set[str]:
    found = set()
    for name, hint in get_type_hints(Measures).items():
        parts = get_args(hint) if isinstance(hint, UnionType) else (hint,)
        family = next((part for part in parts if part in _FAMILIES), None)
        found |= {f"{name}.{each}" for each in family.__struct_fields__} if family else {name}
    return found


def test_the_document_tells_every_measure_and_no_other() -> None:
    rows = re.findall(r"^\| `([a-z_.]+)` \| ([^|]+) \|([^|]*)\| ([^|]+) \|$", TEXT, re.MULTILINE)
    assert sorted(name for name, *_ in rows) == sorted(_names())
    ladder = f"{', '.join(map(str, LADDER))} days"
    assert {name for name, _, half_life, _ in rows if half_life.strip()} == {
        "use.days_decayed", "counts", "feedback.level_decayed"
    }  # fmt: skip
    assert {half_life.strip() for _, _, half_life, _ in rows if half_life.strip()} == {ladder}


_EVENTS = (
    "Support Ticket Created", "Support Ticket Replied", "Support Ticket Resolved", "Support Ticket Reopened",
    "Support Ticket Escalated", "Survey Responded", "Feedback Answered", "Contact Logged", "Training Assigned",
    "Training Started", "Training Completed", "Onboarding Step Completed", "Invoice Overdue", "Payment Recovered",
    "Trial Started", "Trial Ended", "Subscription Started", "Subscription Cancelled", "Live Chat Message Sent",
    "Live Chat Message Received", "Report Exported",
)  # fmt: skip
_PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        "ticket_id": st.sampled_from(["1", 2, "10"]),
        "contacts": st.integers(0, 3),
        "first_response_seconds": st.integers(-1, 9),
        "survey_type": st.sampled_from(["nps", "csat", "ces", "x"]),
        "score": st.integers(0, 10),
        "scale_max": st.sampled_from([5, 10]),
        "feedback_message_id": st.sampled_from(["m0", "m1", "m2"]),
        "direction": st.sampled_from(["inbound", "outbound", "both", None]),
        "auto_renew": st.sampled_from([True, False, "yes", None]),
        "renewal_at": st.sampled_from(["2026-01-05", "2026-02-01"]),
        "course_id": st.sampled_from(["a", "b", "cc"]),
        "step": st.sampled_from(["a", "b"]),
        "invoice_id": st.sampled_from(["a", "b"]),
        "trial_ends_at": st.sampled_from(["2026-01-09", "2026-01-15T08:00:00-03:00", "soon"]),
    },
)


@st.composite
def paths(draw: st.DrawFn) -> list[Touchpoint]:
    return [
        touchpoint(f"m{n}", draw(st.integers(0, 40)) / 2, event=draw(st.sampled_from(_EVENTS)), user_id="ana",
                   properties=draw(_PROPERTIES))
        for n in range(draw(st.integers(0, 10)))
    ]  # fmt: skip


@given(paths(), st.randoms())
def test_every_part_is_a_join_of_any_parts_in_any_order(path: list[Touchpoint], chance: random.Random) -> None:
    whole = folding.fold(read(each) for each in path)
    order = list(path)
    chance.shuffle(order)
    cut = chance.randint(0, len(order))
    a, b = (folding.fold(read(each) for each in part) for part in (order[:cut], order[cut:]))
    assert encode(state.join(a, b)) == encode(state.join(b, a)) == encode(whole)
    stepwise = EMPTY
    for each in order:
        stepwise = folding.evolve(stepwise, read(each))
    assert encode(stepwise) == encode(whole)
    assert measured(*order) == measured(*path)


def _bounds() -> list[Any]:
    return [
        (tickets.join, tickets.single, {}, "Support Ticket Created", "ticket_id", tickets.MOST_TICKETS),
        (learning.join, learning.single, learning.NONE, "Training Started", "course_id", learning.MOST_COURSES),
        (learning.join, learning.single, learning.NONE, "Onboarding Step Completed", "step", learning.MOST_STEPS),
        (invoices.join, invoices.single, invoices.NONE, "Invoice Overdue", "invoice_id", invoices.MOST_INVOICES),
        (surveys.join, surveys.single, surveys.NONE, "Feedback Answered", "feedback_message_id", surveys.MOST_REPLIES),
    ]


@given(st.randoms())
def test_parts_are_bounded_and_keep_the_same_whatever_comes_first(chance: random.Random) -> None:
    for join, single, none, event, name, most in _bounds():
        told = [
            single(read(touchpoint(f"m{n}", n / 100, event=event, user_id="ana", properties={name: str(n)})))
            for n in range(most + 40)
        ]
        chance.shuffle(told)
        cut = chance.randint(0, len(told))
        halves = []
        for part in (told[:cut], told[cut:]):
            half = none
            for each in part:
                half = join(half, each)
            halves.append(half)
        kept = msgspec.json.decode(encode(join(*halves)))
        text = encode(join(*halves)).decode()
        assert f'"{most + 39}"' in text, event
        assert f'"{39}"' not in text, event
        assert kept == msgspec.json.decode(encode(join(halves[1], halves[0])))


_SAID = (
    st.builds(
        lambda group, name, value: {"type": "group", "group_id": group, "traits": {name: value}},
        st.sampled_from("abcd"),
        st.sampled_from("xyz"),
        st.integers(0, 3),
    ),
    st.builds(
        lambda currency: {"event": "Order Completed", "properties": {"total": 1, "currency": currency}},
        st.sampled_from(["BRL", "EUR", "USD", "AED", "brl"]),
    ),
    st.builds(
        lambda purpose, status: {
            "event": "Consent Updated",
            "properties": {"channel": "email", "purpose": purpose, "status": status},
        },
        st.sampled_from("pqrs"),
        st.sampled_from(["granted", "revoked"]),
    ),
    st.builds(lambda event: {"event": event}, st.sampled_from(["Subscription Started", "Subscription Cancelled"])),
    st.builds(
        lambda event, day: {"event": event, "properties": {"trial_ends_at": f"2026-01-0{day}"}},
        st.sampled_from(["Trial Started", "Trial Ended", "Subscription Renewed"]),
        st.integers(0, 9),
    ),
    st.builds(
        lambda types: {"type": "identify", "traits": {"relationship_types": types}},
        st.sampled_from(["dedicated", ["community", "dedicated"], ["automated"], []]),
    ),
    st.builds(
        lambda survey, score: {"event": "Survey Responded", "properties": {"survey_type": survey, "score": score}},
        st.sampled_from(["nps", "csat"]),
        st.integers(1, 9),
    ),
)
_FEW: dict[str, Any] = dict.fromkeys(("MOST_CONTRACT", "MOST_GROUPS", "MOST_CURRENCIES", "MOST_CONSENTS"), 2) | {
    "MOST_TRAITS": 2,
    "MOST_ACCOUNT_TRAITS": 3,
}


@st.composite
def crowded(draw: st.DrawFn) -> list[Touchpoint]:
    """A path that says more than there is room for; at one instant, and under one message id, what it likes."""
    return [
        touchpoint(f"m{draw(st.integers(0, 9))}", draw(st.integers(0, 5)), user_id="ana", source=f"app{n}", **each)
        for n, each in enumerate(draw(st.lists(draw(st.sampled_from(_SAID)), min_size=5, max_size=14)))
    ]


@settings(max_examples=250)
@given(crowded(), st.randoms())
def test_what_there_is_no_room_for_is_the_same_in_any_order_and_of_any_parts(
    path: list[Touchpoint], chance: random.Random
) -> None:
    order = list(path)
    chance.shuffle(order)
    cut = chance.randint(0, len(order))
    with patch.multiple(state, **_FEW):
        whole = folding.fold(read(each) for each in path)
        a, b = (folding.fold(read(each) for each in part) for part in (order[:cut], order[cut:]))
        assert encode(state.join(a, b)) == encode(state.join(b, a)) == encode(whole)
        shares = folding.shares([read(each) for each in order])
        assert shares == folding.shares([read(each) for each in path])
        assert shares.keys() == whole.groups.keys()
    every = folding.fold(read(each) for each in path)
    assert list(whole.contract) == list(every.contract)[-2:]
    grouped = sorted((read(each).key, each.group_id) for each in path if each.group_id is not None)
    assert dict(whole.groups) == dict(
        sorted({it: key for key, it in grouped}.items(), key=lambda item: item[::-1])[-2:]
    )
    assert dict(whole.revenue) == dict(sorted(every.revenue.items())[-2:])
    assert dict(whole.consents) == dict(sorted(every.consents.items(), key=lambda item: (item[1], item[0]))[-2:])
    traits = [
        (register, account, name)
        for account, named in every.account_traits.items()
        for name, register in sorted(named.items(), key=lambda item: (item[1], item[0]))[-2:]
    ]
    told = [(it, account, name) for account, named in whole.account_traits.items() for name, it in named.items()]
    assert sorted(told) == sorted(traits)[-3:]


def test_the_document_tells_the_bounds() -> None:
    for told in (
        f"its latest {state.MOST_CONTRACT} facts", f"the {state.MOST_GROUPS} accounts",
        f"the newest {state.MOST_TRAITS} traits of each hold, and {state.MOST_ACCOUNT_TRAITS:,} in all",
        f"each; the newest {state.MOST_CONSENTS} |", f"of more than {state.MOST_CURRENCIES} currencies",
    ):  # fmt: skip
        assert told in TEXT


def test_a_currency_is_three_letters() -> None:
    told = [
        touchpoint(f"m{n}", n, event="Order Completed", user_id="ana", properties={"total": 1, "currency": currency})
        for n, currency in enumerate(["brl", "ßab", "12$", "EURO", None])
    ]
    assert folding.fold(read(each) for each in told).revenue == {"BRL": 10**9, "USD": 4 * 10**9}


def test_of_names_that_count_up_the_newest_are_kept() -> None:
    assert set(greatest({str(n): n for n in range(12)}, 3)) == {"9", "10", "11"}


_SECONDS = st.integers(700_000_000, 1_800_000_000)


@given(st.lists(_SECONDS, min_size=1, max_size=20), st.sampled_from(LADDER), st.randoms())
def test_counts_that_halve_are_exact_in_any_order_and_near_the_truth(
    seconds: list[int], half_life: int, chance: random.Random
) -> None:
    order = list(seconds)
    chance.shuffle(order)
    sums = []
    for each in (seconds, order):
        total: decay.Sum = (0, 0)
        for second in each:
            total = plus(total, moment(second, half_life))
        sums.append(total)
    assert sums[0] == sums[1]
    last = max(seconds)
    truth = sum(2 ** ((second - last) / (half_life * 86_400)) for second in seconds)
    assert abs(standing(sums[0], half_life, last) - truth) < 1e-9 * truth
    half = standing(sums[0], half_life, last + half_life * 86_400)
    assert abs(half - truth / 2) < 1e-9 * truth


@given(st.lists(_SECONDS, min_size=1, max_size=20), st.sampled_from(LADDER), st.integers(1, 30 * 10**9))
def test_the_second_at_which_a_count_falls_below_a_level_is_known(
    seconds: list[int], half_life: int, level: int
) -> None:
    total: decay.Sum = (0, 0)
    for second in seconds:
        total = plus(total, moment(second, half_life))
    below = decay.below_at(total, half_life, level)
    assert below is not None
    assert decay.billionths(total, half_life, below) < level <= decay.billionths(total, half_life, below - 1)
    assert decay.below_at((0, 0), half_life, level) is None


@given(
    st.lists(st.integers(0, 30 * 86_400), min_size=1, max_size=12),
    st.sampled_from(LADDER),
    st.decimals(0, 12, places=10),
    st.sampled_from(["at_least", "above", "at_most", "below"]),
)
def test_a_condition_on_a_count_that_halves_turns_at_the_second_that_it_tells(
    seconds: list[int], half_life: int, bound: Decimal, word: str
) -> None:
    document = {"decayed": "signed_in", "half_life": f"{half_life} days", word: bound}
    condition = parse(document, TERMS)
    path = [touchpoint(f"m{n}", each / 86_400, event="Signed In", user_id="ana") for n, each in enumerate(seconds)]
    whole = folding.fold(read(each) for each in path)
    view, last = StateView(whole, SUBSCRIPTION, timeline(whole, SUBSCRIPTION)), micros(at(max(seconds) / 86_400))
    truth = sum(2 ** ((second - max(seconds)) / (half_life * 86_400)) for second in seconds)
    assert abs(view.decayed("signed_in", half_life, last) - truth * 10**9) < 10
    assert view.decayed("purchased", half_life, last) == 0
    turn = next_change(condition, view, last)
    if turn is None:
        assert holds(condition, view, last) == holds(condition, view, micros(at(9_000)))
    else:
        assert holds(condition, view, last) == holds(condition, view, turn - 1) != holds(condition, view, turn)
        assert next_change(condition, view, turn) is None


def test_tickets_tell_how_fast_they_were_answered_and_which_stand_open() -> None:
    def ticket(n: str, days: float, event: str, **given_: Any) -> Touchpoint:
        return touchpoint(
            n, days, event=f"Support Ticket {event}", user_id="ana", properties={"ticket_id": 1, **given_}
        )

    told = [ticket("m1", 1, "Created"), ticket("m2", 1.5, "Replied"), ticket("m3", 2, "Resolved", contacts=1)]
    support = measured(*told).support
    assert support is not None
    assert (support.first_response_seconds, support.resolution_seconds) == (43_200, 86_400)
    assert (support.first_contact_share, support.resolved, support.open) == (1.0, 1, [])
    again = measured(*told, ticket("m4", 3, "Reopened"), ticket("m5", 1.2, "Updated", first_response_seconds=0)).support
    assert again is not None
    assert (again.first_response_seconds, again.first_contact_share) == (0, 0)
    assert [(each.opened_at, each.reopened) for each in again.open] == [(at(1), True)]


def test_feedback_is_told_on_its_scale_and_answered_within_fourteen_days() -> None:
    def answer(n: str, days: float, survey: str, score: float, **scale: int) -> Touchpoint:
        given_ = {"survey_type": survey, "score": score, **scale}
        return touchpoint(n, days, event="Survey Responded", user_id="ana", properties=given_)

    told = [
        answer("m1", 1, "nps", 9), answer("m2", 2, "csat", 3), answer("m3", 3, "ces", 4),
        answer("m4", 4, "csat", 8, scale_min=0, scale_max=10), answer("m5", 30, "nps", 11),
        touchpoint("m6", 15.5, event="Contact Logged", user_id="ana", properties={"direction": "outbound"}),
        touchpoint("m7", 40, event="Feedback Answered", user_id="ana", properties={"feedback_message_id": "m1"}),
    ]  # fmt: skip
    feedback = measured(*told).feedback
    assert feedback is not None
    assert (feedback.nps, feedback.csat, feedback.ces, feedback.ces_at) == (9, 8, 4, at(3))
    assert feedback.levels == {"nps": 0.9, "csat": 0.8, "ces": 0.5}
    assert (feedback.answers, feedback.replied) == (4, 3)


@given(st.lists(st.tuples(st.integers(0, 400 * 86_400), st.integers(0, 10)), min_size=1, max_size=12), st.randoms())
def test_a_level_fades_to_the_mean_of_what_is_recent(answers: list[tuple[int, int]], chance: random.Random) -> None:
    told = [
        touchpoint(f"m{n}", second / 86_400, event="Survey Responded", user_id="ana",
                   properties={"survey_type": "nps", "score": score})
        for n, (second, score) in enumerate(answers)
    ]  # fmt: skip
    last = max(second for second, _ in answers)
    chance.shuffle(told)
    feedback = measured(*told).feedback
    assert feedback is not None
    assert [each.half_life_days for each in feedback.level_decayed] == list(LADDER)
    for each in feedback.level_decayed:
        weights = [2 ** ((second - last) / (each.half_life_days * 86_400)) for second, _ in answers]
        truth = sum(weight * score / 10 for weight, (_, score) in zip(weights, answers, strict=True)) / sum(weights)
        assert each.mean == pytest.approx(truth, 1e-6, 1e-8)
        assert each.weight == pytest.approx(sum(weights), 1e-6)
        assert each.at == at(last / 86_400)


def test_a_level_fades_over_all_answers_and_all_surveys() -> None:
    scored = {"nps": 10, "csat": 1, "ces": 4}
    told = [
        touchpoint(f"m{n}", 1, event="Survey Responded", user_id="ana",
                   properties={"survey_type": survey, "score": scored[survey]})
        for n, survey in enumerate(["csat", "nps", "ces"] * 50)
    ]  # fmt: skip
    feedback = measured(*told, touchpoint("x", 9, event="Survey Responded", user_id="ana")).feedback
    assert feedback is not None
    assert feedback.answers == surveys.MOST_ANSWERS
    assert {(each.mean, each.weight, each.at) for each in feedback.level_decayed} == {(0.5, 150.0, at(1))}
    ancient = [touchpoint(f"m{n}", -40_000, event="Survey Responded", user_id="ana",
                          properties={"survey_type": "nps", "score": 9}) for n in range(2)]  # fmt: skip
    feedback = measured(*ancient).feedback
    assert feedback is not None
    assert feedback.level_decayed == []


def test_invoices_courses_and_milestones() -> None:
    def told(n: str, days: float, event: str, **given_: Any) -> Touchpoint:
        return touchpoint(n, days, event=event, user_id="ana", properties=given_)

    path = [
        told("m0", 0, "Signed Up"), told("m1", 1, "Invoice Overdue", invoice_id="a"),
        told("m2", 2, "Invoice Overdue", invoice_id="b"), told("m3", 3, "Payment Recovered", invoice_id="a"),
        *(told(f"n{n}", n, "Report Exported") for n in (4, 5, 6)), told("m7", 7, "Training Assigned", course_id="x"),
        told("m8", 8, "Training Completed", course_id="x"), told("m9", 9, "Onboarding Step Completed", step="1"),
        told("o1", 10, "Subscription Renewed"),
    ]  # fmt: skip
    found = measured(*path)
    assert found.billing is not None
    assert found.billing.overdue == {"b": at(2)}
    assert found.learning == Learning(courses=1, courses_completed=1, onboarding_steps=1, latest_at=at(9))
    reached = {each.name: each.reached_at for each in found.milestones}
    assert reached == {"first_value": at(4), "activation": at(6), "trained": at(8), "renewed": at(10)}
    assert found.time_to_value_seconds == 4 * 86_400
    assert (found.counts["custom"].total, found.counts["custom"].last_at) == (3, at(6))
    paid = measured(*path, told("p1", 11, "Payment Recovered")).billing
    assert paid is not None
    assert paid.overdue == {}


_INBOUND = ("Live Chat Message Sent", "Survey Responded", "Support Ticket Created", "Support Ticket Reopened")
_OUTBOUND = ("Live Chat Message Received", "Feedback Answered", "Support Ticket Replied")


@given(paths())
def test_contacts_are_the_latest_of_whoever_spoke(path: list[Touchpoint]) -> None:
    spoken: dict[str, list[datetime]] = {"inbound": [], "outbound": []}
    for each in path:
        said = msgspec.json.decode(each.body).get("properties", {}).get("direction")
        if each.event in _INBOUND or (each.event == "Contact Logged" and said == "inbound"):
            spoken["inbound"].append(each.occurred_at)
        if each.event in _OUTBOUND or (each.event == "Contact Logged" and said == "outbound"):
            spoken["outbound"].append(each.occurred_at)
    inbound, outbound = (max(spoken[way], default=None) for way in ("inbound", "outbound"))
    told = Contacts(inbound_at=inbound, outbound_at=outbound)
    assert measured(*path).contacts == (None if told == Contacts() else told)


@given(st.integers(0, 30).flatmap(lambda n: st.lists(st.integers(1, 50), min_size=n, max_size=n)), st.randoms())
def test_use_tells_of_how_many_gaps_the_own_one_is_taken_and_their_mean(gaps: list[int], chance: random.Random) -> None:
    days = [sum(gaps[:n]) for n in range(len(gaps) + 1)]
    told = [touchpoint(f"m{day}", day, event="Report Exported", user_id="ana") for day in days]
    chance.shuffle(told)
    found = measured(*told).use
    assert found is not None
    assert (found.gaps, found.expected_gap_days) == (min(len(gaps), 20), 7)
    assert found.mean_gap_days == (float(f"{sum(gaps[-20:]) / len(gaps[-20:]):.9g}") if gaps else None)
    assert len(gaps) >= 4 or found.own_gap_days == found.expected_gap_days


def test_a_contract_renewed_in_time_goes_on_and_one_after_a_break_begins_anew() -> None:
    def told(days: float, event: str, **given_: Any) -> Touchpoint:
        return touchpoint(f"m{days}", days, event=f"Subscription {event}", user_id="ana", properties=given_)

    def started(*path: Touchpoint) -> Any:
        billing = measured(*path).billing
        assert billing is not None
        return billing.started_at, billing.auto_renew

    fixed = {"renewal_at": at(30).isoformat(), "auto_renew": False}
    begun, renewed = told(0, "Started", **fixed), told(29, "Renewed", auto_renew=True)
    assert started(begun) == (at(0), False)
    assert started(begun, renewed) == (at(0), True)
    assert started(begun, told(31, "Renewed")) == (at(31), False)
    assert started(told(1, "Cancelled", effective_at=at(9).isoformat()), told(3, "Started")) == (at(3), None)
    assert started(begun, told(5, "Cancelled"), told(6, "Started", auto_renew="no")) == (at(6), False)
    assert started(told(5, "Cancelled")) == (None, None)


def test_what_advocates_do_is_counted() -> None:
    acts = {
        "Referral Made": "referral_made", "Product Reviewed": "product_reviewed", "Product Shared": "product_shared",
        "Community Post Created": "community_post_created", "Community Answer Accepted": "community_answer_accepted",
        "Idea Submitted": "idea_submitted", "Beta Joined": "beta_joined",
    }  # fmt: skip
    found = measured(*(touchpoint(f"m{n}", n, event=event, user_id="ana") for n, event in enumerate(acts))).counts
    assert {kind: (each.total, each.last_at) for kind, each in found.items()} == {
        kind: (1, at(n)) for n, kind in enumerate(acts.values())
    }
