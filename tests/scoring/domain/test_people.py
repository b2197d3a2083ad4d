"""How an account's people stand: counted the same in any order, silent at an exact instant, nothing to anybody else."""

from collections import Counter
from datetime import timedelta
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jornada.events import JourneySnapshot, SubjectId
from jornada.events.journeys import Membership
from jornada.instants import micros
from services.scoring.domain.champions import falls_silent, is_champion, member
from services.scoring.domain.parts.adoption import AdoptionCourse
from services.scoring.domain.parts.people import PeopleCourse
from services.scoring.domain.people import Member, People, added, people, peopled
from services.scoring.domain.profiles import PeopleRule
from services.scoring.domain.words import reason
from tests.scoring.journeys import ALL, AT, journey, journeys, members, peoples, score, subject_id

MICROSECOND = timedelta(microseconds=1)
ACME = subject_id("acme")
_lives = st.dictionaries(st.integers(0, 5), st.lists(st.none() | members, max_size=6))
"""What each person of an account counted for, one after the other; None: they had left it."""


@given(_lives, st.randoms(), st.integers(1, 9))
def test_in_any_order_and_any_parts_the_changes_add_up_to_whoever_is_there(
    lives: dict[int, list[Member | None]], chance: Random, size: int
) -> None:
    changes = []
    for life in lives.values():
        for before, after in zip([None, *life], life, strict=False):
            changes += [(each, number) for each, number in ((before, -1), (after, 1)) if each is not None]
    chance.shuffle(changes)
    counts: dict[Member, int] = {}
    for begin in range(0, len(changes), size):
        counts = dict(added(counts, changes[begin : begin + size]))
    there = [life[-1] for life in lives.values() if life and life[-1] is not None]
    assert counts == Counter(there)
    told = people(counts, AT)
    assert told.banded + told.unknown == len(there)
    assert 0 <= told.silent <= told.champions <= len(there)


@given(peoples.filter(lambda each: each.banded > 0), st.integers(0, 9), st.integers(0, 9))
def test_more_in_the_red_or_more_silent_never_helps(known: People, turned: int, fell: int) -> None:
    turned, fell = min(turned, known.green), min(fell, known.champions - known.silent)
    told = {"green": known.green - turned, "red": known.red + turned, "silent": known.silent + fell}
    worse = msgspec.structs.replace(known, **told)
    before, after = (PeopleCourse(each, PeopleRule()).value(0) for each in (known, worse))
    assert 0 <= after <= before <= 1
    assert not fell or after < before


@given(journeys())
def test_people_count_for_accounts_alone_and_only_where_one_has_a_band(drawn: JourneySnapshot) -> None:
    told, without = score(drawn, ALL, AT), score(drawn, ALL - {"people"}, AT)
    counted = getattr(drawn, "people", None)
    if counted is None or not counted.banded:
        assert told.health == without.health
        assert told.churn_risk == without.churn_risk
    elif told.health.score is not None:
        assert told.health.components[-1].name == "people"
        assert told.health.coverage >= without.health.coverage


@given(journeys())
def test_a_champion_falls_silent_at_the_first_instant_that_leaves_less_than_half(drawn: JourneySnapshot) -> None:
    champion = _in_acme(drawn)
    scores = score(champion, ALL, AT)
    parts = [each.part for each in scores.course.shares if isinstance(each.part, AdoptionCourse)]
    at = falls_silent(champion, scores.course)
    assert (at is None) == (not parts)
    if at is None:
        assert member(champion, scores) == Member(scores.health.band)
        return
    assert parts[0].patience(micros(at)) < 0.5 <= parts[0].patience(micros(at) - 1)
    if at > AT:
        assert member(champion, score(champion, ALL, at - MICROSECOND)).silent_since is None
    since = member(champion, score(champion, ALL, max(at, AT))).silent_since
    assert since is not None
    assert timedelta() <= champion.measures.use.last_value_at - since < timedelta(hours=1)  # type: ignore[union-attr]


def _in_acme(drawn: JourneySnapshot) -> JourneySnapshot:
    return journey(measures=drawn.measures, account_id=SubjectId(ACME), traits={"role_in_account": "champion"})


@pytest.mark.parametrize(
    ("told", "whether"),
    [
        ({"traits": {"role_in_account": "champion"}}, True),
        ({"traits": {"persona": "champion"}}, True),
        ({"personas": [Membership(name="champion", entered_at=AT)]}, True),
        ({"former_personas": [Membership(name="champion", entered_at=AT, left_at=AT)]}, False),
        ({"traits": {"role_in_account": "admin", "persona": ["champion"]}}, False),
        ({}, False),
    ],
)
def test_champions_are_those_whom_a_trait_or_a_persona_names(told: dict[str, object], whether: bool) -> None:
    assert is_champion(journey(**told)) is whether  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("red", "known", "silent", "champions", "days", "english", "portuguese"),
    [
        (3, 12, 0, 0, 0, "3 of 12 people in the red", "3 de 12 pessoas na faixa vermelha"),
        (0, 1, 0, 2, 0, "0 of 1 person in the red", "0 de 1 pessoa na faixa vermelha"),
        (
            3,
            12,
            1,
            1,
            41,
            "3 of 12 people in the red, champion silent for 41 days",
            "3 de 12 pessoas na faixa vermelha, champion em silêncio há 41 dias",
        ),
        (
            1_200,
            10_000,
            1,
            3,
            1,
            "1,200 of 10,000 people in the red, 1 of 3 champions silent for 1 day",
            "1.200 de 10.000 pessoas na faixa vermelha, 1 de 3 champions em silêncio há 1 dia",
        ),
        (
            0,
            2,
            2,
            2,
            1_041,
            "0 of 2 people in the red, 2 of 2 champions silent, the longest for 1,041 days",
            "0 de 2 pessoas na faixa vermelha, 2 de 2 champions em silêncio, o mais antigo há 1.041 dias",
        ),
    ],
)
def test_people_are_told_in_both_languages(
    red: int, known: int, silent: int, champions: int, days: int, english: str, portuguese: str
) -> None:
    values = {"red": red, "people": known, "silent": silent, "champions": champions, "days": days}
    assert reason("champions_silent" if silent else "people_red", **values).text == {
        "en": english,
        "pt-BR": portuguese,
    }


def test_the_account_is_told_by_what_its_people_were_when_it_was_scored() -> None:
    stood = People(green=9, red=3, champions=2, silent=1, silent_since=AT - timedelta(days=41), at=AT)
    told = score(peopled(journey("acme", type_="account"), stood), ALL, AT).health
    (component,) = [each for each in told.components if each.name == "people"]
    assert component.value == pytest.approx((0.5 + 0.5) / 2)
    assert component.because.text["en"] == "3 of 12 people in the red, 1 of 2 champions silent for 41 days"
    assert told.score == pytest.approx(sum(each.points for each in told.components), abs=5e-7)


@pytest.mark.parametrize("profile", ["subscription", "shop", "app"])
def test_silence_of_a_whole_account_is_red_though_nobody_was_red_yet(profile: str) -> None:
    acme = peopled(journey("acme", type_="account", rules=profile, rules_base=profile), People(green=5, at=AT))
    silent = score(acme, ALL, AT + timedelta(days=400)).health
    (component,) = [each for each in silent.components if each.name == "people"]
    assert silent.band == "red"
    assert component.because.text == {"en": "nobody seen for 400 days", "pt-BR": "ninguém visto há 400 dias"}
