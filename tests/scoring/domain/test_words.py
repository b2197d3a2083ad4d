"""Texts follow the numbers, in both languages."""

from collections.abc import Iterator
from datetime import date, timedelta
from importlib import resources
from typing import Any

import msgspec
import pytest
from babel.dates import format_date
from babel.numbers import format_decimal
from hypothesis import given
from hypothesis import strategies as st

from jornada.events import Billing, JourneySnapshot, Measures, Money, encode
from services.scoring.domain.health import first_fix, top_reasons
from services.scoring.domain.words import date_en, date_pt, number_en, number_pt, reason
from tests.scoring.journeys import ALL, AT, connections, journey, journeys, score, use


@given(st.integers(0, 10**9), st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_numbers_and_dates_are_written_as_the_languages_do(number: int, day: date) -> None:
    assert number_en(number) == format_decimal(number, locale="en")
    assert number_pt(number) == format_decimal(number, locale="pt_BR")
    assert date_en(day) == format_date(day, "d MMM y", locale="en")
    assert date_pt(day) == format_date(day, "dd/MM/y", locale="pt_BR")


@pytest.mark.parametrize(
    ("days", "english", "portuguese"),
    [
        (0, "no activity for 0 days", "sem uso há 0 dia"),
        (1, "no activity for 1 day", "sem uso há 1 dia"),
        (23, "no activity for 23 days", "sem uso há 23 dias"),
        (1234, "no activity for 1,234 days", "sem uso há 1.234 dias"),
    ],
)
def test_silence_is_said_in_whole_days(days: int, english: str, portuguese: str) -> None:
    assert reason("use_silent", days=days).text == {"en": english, "pt-BR": portuguese}


def test_the_reason_of_a_silent_customer_names_the_days() -> None:
    health = score(journey(), ALL, AT + timedelta(days=23, hours=5)).health
    assert top_reasons(health)[0].text == {"en": "no activity for 23 days", "pt-BR": "sem uso há 23 dias"}


@given(journeys(), connections)
def test_every_reason_has_a_text_in_each_language(snapshot: JourneySnapshot, connected: frozenset[str]) -> None:
    scores = score(snapshot, connected, AT)
    fix = first_fix(scores.health)
    reasons = [
        *top_reasons(scores.health),
        *(each.because for each in scores.churn_risk.factors),
        *([] if fix is None else [fix]),
    ]
    assert all(set(each.text) == {"en", "pt-BR"} and all(each.text.values()) for each in reasons)


def _reasons(found: Any) -> Iterator[dict[str, Any]]:
    if isinstance(found, dict) and "code" in found:
        yield found
    for each in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
        yield from _reasons(each)


@pytest.mark.parametrize("topic", ["jornada.scores.v1", "jornada.crossings.v1"])
def test_the_examples_of_the_topics_give_reasons_as_they_are_given(topic: str) -> None:
    example = msgspec.json.decode(resources.files("jornada.events").joinpath(f"examples/{topic}.json").read_bytes())
    told = list(_reasons(example))
    assert told
    for each in told:
        assert reason(each["code"], **each.get("values", {})).text == each["text"]


def test_the_weightiest_reason_comes_first() -> None:
    measures = Measures(use=use(), billing=Billing(mrr=Money("1", "BRL"), payment_failed_since=AT - timedelta(days=40)))
    codes = [each.code for each in top_reasons(score(journey(measures=measures), ALL, AT).health)]
    assert codes[:2] == ["payment_overdue", "payment_failed"]


def test_a_whole_number_and_one_with_a_fraction_are_told_apart_although_reasons_are_kept() -> None:
    whole, decimal = (reason("cancelled", on="2026-03-02", at_most=most) for most in (35, 35.0))
    assert [encode(each.values["at_most"]) for each in (whole, decimal)] == [b"35", b"35.0"]
    assert reason("cancelled", on="2026-03-02", at_most=35) is whole
