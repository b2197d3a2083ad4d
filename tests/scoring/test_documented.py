"""docs/scoring.md says what the code does: its examples are taken, and it names the profiles that ship."""

import re
from pathlib import Path

import msgspec

from services.scoring.api.overrides import Word
from services.scoring.api.profiles import EXAMPLE, read_profile
from services.scoring.api.what_if import Question
from services.scoring.domain.shipped import SHIPPED
from services.scoring.domain.stating import stated

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "scoring.md").read_text()


def examples(of: str) -> list[bytes]:
    """The code blocks of a sort."""
    return [found.encode() for found in re.findall(rf"```json {of}\n(.*?)```", TEXT, re.DOTALL)]


def test_the_examples_are_profiles_and_overrides() -> None:
    profiles = [msgspec.json.decode(each) for each in examples("profile")]
    assert profiles
    for document in [*profiles, EXAMPLE]:
        assert stated("own", document, 1).label == "own@1"
    words = [Word.model_validate_json(each) for each in examples("override")]
    assert [each.author for each in words] == ["Carla Dias"]


def test_the_example_of_a_what_if_can_be_asked() -> None:
    (question,) = (Question.model_validate_json(each) for each in examples("what-if"))
    assert read_profile(question.name, question.profile, None)[1]


def test_the_profiles_that_ship_are_named() -> None:
    for name in SHIPPED:
        assert re.search(rf"\b{name}\b", TEXT)
