"""Words, numbers and dates in both languages."""

import string
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.words import CATALOGUE, LANGUAGES, Untranslated, chosen
from tests.console.fakes import NOW

EN, PT = CATALOGUE["en"], CATALOGUE["pt-BR"]


def test_both_catalogues_have_the_same_texts_with_the_same_values() -> None:
    assert EN.texts.keys() == PT.texts.keys()
    for key, text in EN.texts.items():
        assert fields(text) == fields(PT.texts[key]), key


def test_numbers_money_and_dates_are_written_as_people_there_write_them() -> None:
    assert (EN.number(1234.56, 1), PT.number(1234.56, 1)) == ("1,234.6", "1.234,6")
    reais = {"amount": "1640.50", "currency": "BRL"}
    assert (EN.money(reais), PT.money(reais)) == ("R$1,640.50", "R$\xa01.640,50")
    assert EN.money({"amount": "640.00", "currency": "BRL"}) == "R$640"
    assert EN.ago(NOW - timedelta(days=3), NOW) == "3 days ago"
    assert PT.ago(NOW + timedelta(days=3), NOW) == "em 3 dias"
    assert (EN.percent(0.384), PT.percent(0.004)) == ("38%", "0,4%")


def test_a_text_that_is_missing_is_an_error() -> None:
    with pytest.raises(Untranslated):
        EN.say("no.such.text")


@pytest.mark.parametrize(
    ("asked", "kept", "accepted", "name"),
    [
        (None, None, "", "en"),
        (None, None, "pt-PT,en;q=0.9", "pt-BR"),
        (None, None, "de, en;q=0.3, pt;q=0.7", "pt-BR"),
        ("en", "pt-BR", "pt", "en"),
        ("xx", "pt-BR", "en", "pt-BR"),
    ],
)
def test_the_viewers_wish_comes_first(asked: str | None, kept: str | None, accepted: str, name: str) -> None:
    assert chosen(asked, kept, accepted).name == name


@given(st.text(max_size=60), st.text(max_size=200))
def test_any_header_gives_a_language(asked: str, accepted: str) -> None:
    assert chosen(asked, None, accepted).name in LANGUAGES


def fields(text: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}
