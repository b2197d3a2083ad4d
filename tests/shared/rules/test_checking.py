"""Conditions are read back as they were written, and of what is wrong with one nothing is left unsaid."""

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jornada.rules import Invalid, parse, write
from jornada.rules.checking import DEEPEST, MOST_TESTS
from tests.shared.rules.makes import TERMS, conditions, one_test

_JSON = msgspec.json.Encoder(decimal_format="number")

FLAWED: list[tuple[Any, set[tuple[str, str]]]] = [
    ("active", {("", "not_an_object")}),
    ({}, {("", "no_operand")}),
    ({"silense": "signed_in", "at_least": "1 day"}, {("", "no_operand"), ("/silense", "unknown_key")}),
    ({"all": []}, {("/all", "no_list")}),
    ({"any": {"stage": "name"}}, {("/any", "no_list")}),
    ({"not": []}, {("/not", "not_an_object")}),
    ({"stage": "nmae", "is": "lead"}, {("/stage", "unknown_name")}),
    ({"stage": "name", "is": "leed"}, {("/is", "unknown_stage")}),
    ({"stage": "name", "in": ["lead", "leed", 3]}, {("/in/1", "unknown_stage"), ("/in/2", "wrong_type")}),
    ({"stage": "name", "at_least": "lead"}, {("/at_least", "unsuited")}),
    ({"silence": "signed_in"}, {("", "no_comparison")}),
    ({"silence": "signed_on"}, {("/silence", "unknown_name"), ("", "no_comparison")}),
    ({"silence": "signed_in", "above": "two weeks"}, {("/above", "malformed_span")}),
    ({"silence": "signed_in", "is": "14 days", "below": 5}, {("/is", "unsuited"), ("/below", "malformed_span")}),
    ({"count": "signed_in", "within": "3 hours", "is": "0"}, {("/within", "malformed_window"), ("/is", "wrong_type")}),
    ({"count": "signed_in", "within": "401 days", "is": 0}, {("/within", "malformed_window")}),
    ({"silence": "signed_in", "within": "3 days", "above": "1 day"}, {("/within", "unknown_key")}),
    ({"decayed": "signed_in", "at_least": 1}, {("/half_life", "malformed_half_life")}),
    (
        {"decayed": "signed_in", "half_life": "8 days", "is": "1"},
        {("/half_life", "malformed_half_life"), ("/is", "wrong_type")},
    ),
    (
        {"decayed": "signed_in", "half_life": 7, "within": "7 days", "is": 1},
        {("/half_life", "malformed_half_life"), ("/within", "unknown_key")},
    ),
    ({"count": "signed_in", "half_life": "7 days", "is": 1}, {("/half_life", "unknown_key")}),
    ({"date": "renewal_at", "above": "soon"}, {("/above", "malformed_instant")}),
    ({"since": "trait.", "above": "1 day"}, {("/since", "unknown_name")}),
    ({"measure": "revenue", "above": 1}, {("/measure", "unknown_name")}),
    ({"measure": "seats", "above": True}, {("/above", "wrong_type")}),
    ({"measure": "seats", "exists": 1}, {("/exists", "wrong_type")}),
    ({"measure": "seats", "in": []}, {("/in", "wrong_type")}),
    ({"trait": "x", "above": "pro"}, {("/above", "wrong_type")}),
    ({"trait": "x", "is": None, "a/b": 1}, {("/is", "wrong_type"), ("/a~1b", "unknown_key")}),
]


def flaws(document: Any) -> set[tuple[str, str]]:
    with pytest.raises(Invalid) as caught:
        parse(document, TERMS)
    assert all(flaw.message for flaw in caught.value.flaws)
    return {(flaw.at, flaw.code) for flaw in caught.value.flaws}


@given(conditions())
def test_a_condition_written_and_read_is_itself(document: Any) -> None:
    condition = parse(document, TERMS)
    assert parse(write(condition), TERMS) == condition
    text = _JSON.encode(write(condition))
    assert parse(msgspec.json.decode(text), TERMS) == condition
    assert _JSON.encode(write(parse(msgspec.json.decode(text), TERMS))) == text


@pytest.mark.parametrize(("document", "named"), FLAWED, ids=[str(document) for document, _ in FLAWED])
def test_a_flaw_is_named_by_its_place(document: Any, named: set[tuple[str, str]]) -> None:
    assert flaws(document) == named


@st.composite
def injured(draw: st.DrawFn, depth: int = 3) -> tuple[Any, set[tuple[str, str]]]:
    """A document with flaws set among sound parts, and the places at which they are."""
    if depth == 0 or draw(st.integers(0, 2)) == 0:
        return draw(one_test().map(lambda document: (document, set[tuple[str, str]]())) | st.sampled_from(FLAWED))
    if draw(st.integers(0, 3)) == 0:
        part, named = draw(injured(depth - 1))
        return {"not": part}, {(f"/not{at}", code) for at, code in named}
    key = draw(st.sampled_from(["all", "any"]))
    parts = draw(st.lists(injured(depth - 1), min_size=1, max_size=4))
    strange = {"why": 1} if draw(st.integers(0, 3)) == 0 else {}
    named = {(f"/{key}/{place}{at}", code) for place, (_, inner) in enumerate(parts) for at, code in inner}
    return {key: [part for part, _ in parts], **strange}, named | {(f"/{name}", "unknown_key") for name in strange}


@given(injured())
def test_every_injected_flaw_is_named_and_nothing_else(made: tuple[Any, set[tuple[str, str]]]) -> None:
    document, named = made
    if named:
        assert flaws(document) == named
    else:
        parse(document, TERMS)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
                    lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.sampled_from(["all", "not", "stage", "trait", "is", "in", "within"]), inner,
                                      max_size=3), max_leaves=8))  # fmt: skip
def test_whatever_is_given_is_read_or_refused(document: Any) -> None:
    with contextlib.suppress(Invalid):
        parse(document, TERMS)


def test_a_condition_is_bounded() -> None:
    deep: Any = {"trait": "x", "is": 1}
    for _ in range(DEEPEST - 1):
        deep = {"not": deep}
    parse(deep, TERMS)
    assert flaws({"not": deep}) == {("/not" * DEEPEST, "too_deep")}
    parse({"all": [{"trait": "x", "is": 1}] * MOST_TESTS}, TERMS)
    assert flaws({"any": [{"trait": "x", "is": 1}] * (MOST_TESTS + 9)}) == {(f"/any/{MOST_TESTS}", "too_many")}


_WITHOUT_DAYS = msgspec.structs.replace(TERMS, windows=False)


@given(conditions())
def test_without_counts_by_day_what_asks_for_them_is_refused_and_all_else_is_not(document: Any) -> None:
    text = str(document)
    asked = text.count("'days':") + text.count("'count': 'signed_in', 'within'")
    if not asked:
        assert parse(document, _WITHOUT_DAYS) == parse(document, TERMS)
        return
    with pytest.raises(Invalid) as caught:
        parse(document, _WITHOUT_DAYS)
    assert [flaw.code for flaw in caught.value.flaws] == ["no_windows"] * asked
    assert {flaw.at.rpartition("/")[2] for flaw in caught.value.flaws} <= {"days", "within"}
