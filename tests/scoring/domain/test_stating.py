"""A document either states a profile that scores everybody, or is refused with the place of all that is wrong."""

from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jornada.events import JourneySnapshot
from services.scoring.domain.profiles import COMPONENTS, InvalidProfile, Profile
from services.scoring.domain.scores import Configuration, score
from services.scoring.domain.shipped import SHIPPED
from services.scoring.domain.stating import decoded, described, encoded, stated
from tests.scoring.conditions import conditions
from tests.scoring.journeys import ALL, AT, connections, journey, journeys, later

_STRANGE: st.SearchStrategy[Any] = st.sampled_from(
    (float("nan"), float("inf"), 5e-324, 1e300, -1.0, 10**30, True, "x", "\ud800", [], {}, None)
)
_EXTREME = st.sampled_from((5e-324, 1e-320, 1e-300, 1e300, 1.7e308, float("nan"), float("inf")))
_NUMBERS = st.floats(0, 100) | st.integers(0, 40) | st.sampled_from((7, 14, 30, 60, 90, 0.5, 0.05))


def _like(value: Any) -> st.SearchStrategy[Any]:
    """Documents of the same form as a part of a profile, some of whose values are other ones."""
    if isinstance(value, dict):
        return st.fixed_dictionaries({}, optional={key: _like(each) for key, each in value.items()})
    if isinstance(value, list):
        return st.lists(st.floats(0, 0.6), min_size=len(value), max_size=len(value)) | _NUMBERS
    if isinstance(value, bool | str) or value is None:
        return st.just(value) | _STRANGE
    return _NUMBERS | st.just(value) | _EXTREME


_TEXTS = st.just({"en": "no", "pt-BR": "não"}) | st.just({"en": "no"}) | st.text(max_size=3)
_VETOES = st.fixed_dictionaries(
    {
        "name": st.text(max_size=3),
        "when": conditions() | _STRANGE,
        "at_most": st.integers(0, 100) | _STRANGE,
        "because": _TEXTS,
    },
)
_SOUND_VETOES = st.builds(
    lambda when, at_most: {"name": "v", "when": when, "at_most": at_most, "because": {"en": "a", "pt-BR": "b"}},
    conditions(),
    st.integers(0, 100),
)
_APPLIES = st.fixed_dictionaries(
    {},
    optional={
        "stages": st.lists(st.sampled_from(("active", "lead", "leed")), max_size=2),
        "segments": st.lists(st.sampled_from("ab"), max_size=2),
        "when": conditions(),
    },
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Documents near enough to profiles that many are some."""
    base = draw(st.sampled_from(sorted(SHIPPED)))
    whole = described(SHIPPED[base])
    parts = draw(st.sets(st.sampled_from(sorted(set(whole) - {"name", "version", "applies"})), max_size=3))
    said = {part: draw(_like(whole[part])) for part in sorted(parts)}
    said["base"] = base
    said["applies"] = draw(st.just({}) | _APPLIES)
    if draw(st.booleans()):
        said["vetoes"] = {"own": draw(st.lists(_VETOES | _SOUND_VETOES, max_size=2))}
    if draw(st.integers(0, 3)) == 0:
        said[draw(st.text(max_size=4))] = draw(_STRANGE)
    return said


def _resolves(whole: Any, pointer: str) -> bool:
    """Whether a pointer leads to a place of the document, or to one that is missing from an object that is there."""
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    for place, step in enumerate(steps):
        if isinstance(whole, list):
            whole = whole[int(step)]
        elif isinstance(whole, dict) and step in whole:
            whole = whole[step]
        else:
            return place == len(steps) - 1
    return True


def _stated(document: dict[str, Any]) -> tuple[Profile | None, list[tuple[str, str]]]:
    try:
        return stated("own", document, 1), []
    except InvalidProfile as error:
        return None, error.flaws


_BOUNDLESS = {"applies": {}, "adoption": {"use": 1.7e308, "depth": {"weight": 1.7e308}}}


@given(documents(), journeys(), connections, later)
@example(_BOUNDLESS, journey(), ALL, AT)
@settings(max_examples=300, deadline=None)
def test_a_document_is_refused_with_its_places_or_scores_everybody(
    document: dict[str, Any], snapshot: JourneySnapshot, connected: frozenset[str], at: datetime
) -> None:
    profile, flaws = _stated(document)
    if profile is None:
        assert flaws
        assert all(why for _, why in flaws)
        over = {**described(SHIPPED["saas"]), **document}
        assert all(pointer == "" or _resolves(over, pointer) for pointer, _ in flaws)
        return
    assert decoded(encoded(profile)) == profile
    health = score(snapshot, Configuration(connected, (profile,)), at).health
    taken = sum(veto.values["points"] for veto in health.vetoes)
    if health.score is not None:
        assert 0 <= health.score <= 100
        assert health.score == pytest.approx(sum(each.points for each in health.components) + taken, abs=5e-7)
        assert sum(each.weight for each in health.components) == pytest.approx(1, abs=5e-9)


def test_what_ships_said_again_is_what_ships() -> None:
    for name, profile in SHIPPED.items():
        assert stated(name, {}, profile.version) == profile
        whole = {key: value for key, value in described(profile).items() if key not in {"name", "version", "applies"}}
        assert stated(name, {"base": name, **whole}, profile.version) == profile


def test_a_document_is_laid_over_its_base() -> None:
    document = {
        "base": "commerce",
        "weights": {"support": 0.3, "feedback": None},
        "adoption": {"depth": None, "breadth": {"enough": 3}},
        "thresholds": {"green": 80},
        "applies": {},
    }
    profile, base = stated("own", document, 4), SHIPPED["commerce"]
    assert profile.label == "own@4"
    assert profile.weights == {name: each for name, each in base.weights.items() if name != "feedback"} | {
        "support": 0.3
    }
    assert (profile.adoption.depth, profile.adoption.enough) == (None, base.adoption.enough)
    assert profile.adoption.breadth is not None
    assert (profile.adoption.breadth.enough, profile.adoption.breadth.weight) == (3, 0.15)
    assert (profile.thresholds.green, profile.thresholds.yellow) == (80, 40)


@pytest.mark.parametrize(
    ("document", "places"),
    [
        ({"base": "bank"}, {"/base"}),
        ({"wieghts": {}, "applies": {}}, {"/wieghts"}),
        ({"name": "x", "applies": {}}, {"/name"}),
        ({}, {"/applies"}),
        ({"applies": {"stages": ["leed"]}}, {"/applies/stages/0"}),
        ({"applies": {"stages": []}}, {"/applies/stages"}),
        ({"applies": {}, "weights": {"a/b": 1, "support": 0}}, {"/weights/a~1b"}),
        (
            {"applies": {}, "weights": {"support": 0}, "thresholds": {"green": 30}},
            {"/weights/support", "/thresholds", "/hysteresis"},
        ),
        ({"applies": {}, "adoption": {"enough": None}}, {"/adoption/enough"}),
        ({"applies": {}, "weights": dict.fromkeys(COMPONENTS)}, {"/weights"}),
        ({"applies": {}, "support": {"takes": [0.1, 0.2]}}, {"/support/takes"}),
        ({"applies": {"when": {"days": "signed_in", "above": 3}}}, {"/applies/when/days"}),
        ({"applies": {"when": {"count": "signed_in", "within": "3 days", "above": 3}}}, {"/applies/when/within"}),
        (
            {"applies": {"when": {"decayed": "signed_in", "half_life": "8 days", "above": 3}}},
            {"/applies/when/half_life"},
        ),
        ({"applies": {"when": {"measure": "billing.seat", "above": 3}}}, {"/applies/when/measure"}),
        (
            {
                "applies": {},
                "vetoes": {
                    "own": [
                        {
                            "name": "",
                            "when": {"trait": "x", "is": 1},
                            "at_most": 101,
                            "because": {"en": "a", "pt-BR": " "},
                        }
                    ]
                },
            },
            {"/vetoes/own/0/name", "/vetoes/own/0/at_most", "/vetoes/own/0/because/pt-BR"},
        ),
        (
            {"applies": {}, "vetoes": {"own": [{"when": {"trait": "x"}, "at_most": "low", "because": {"en": "a"}}]}},
            {f"/vetoes/own/0/{place}" for place in ("name", "when", "at_most", "because/pt-BR")},
        ),
    ],
)
def test_all_that_is_wrong_is_named_by_its_place(document: dict[str, Any], places: set[str]) -> None:
    with pytest.raises(InvalidProfile) as caught:
        stated("own", document, 1)
    assert {place for place, _ in caught.value.flaws} == places


def test_who_stands_in_for_what_ships_applies_where_that_would() -> None:
    assert stated("saas", {"thresholds": {"green": 75}}, 2).applies is None
    with pytest.raises(InvalidProfile):
        stated("saas", {"applies": {}}, 2)


def test_a_whole_profile_is_json_and_back() -> None:
    when = {"all": [{"measure": "billing.mrr", "at_least": 0.1}, {"silence": "signed_in", "above": "3 days"}]}
    profile = stated("own", {"applies": {"when": when}}, 1)
    document = msgspec.json.decode(encoded(profile))
    assert document["applies"]["when"] == when
    assert isinstance(decoded(encoded(profile)), Profile)
