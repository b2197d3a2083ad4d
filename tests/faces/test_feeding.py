"""What journey says that a kind feeds is what scoring reads of a journey of that kind, in all rule sets."""

import pytest

from services.journey.domain.feeding import fed_by
from services.journey.domain.folding import single
from services.journey.domain.reading import read
from services.journey.domain.rules import RULE_SETS, SUBSCRIPTION
from services.journey.domain.snapshot import measures
from services.journey.domain.vocabulary import ALL_KINDS, KINDS, SHIPPED, Meaning, Vocabulary
from services.scoring.domain import course
from tests.journey.makes import touchpoint

_SAID = {"survey_type": "csat", "score": 4, "course_id": "c", "step": "s", "ticket_id": "t", "direction": "outbound"}
_OF_A_TRIAL = {"trial_started", "trial_ended"}


@pytest.mark.parametrize("rules", RULE_SETS.values(), ids=lambda rules: rules.name)
@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_kind_feeds_the_components_that_read_its_journeys(name: str, rules: object) -> None:
    kind = KINDS[name]
    folded = measures(single(read(touchpoint("m", 0, event=name, user_id="ana", properties=_SAID))), rules, ())  # type: ignore[arg-type]
    told = course.fed_by(kind, fed_by(kind, SHIPPED, rules))  # type: ignore[arg-type]
    assert told - {"commercial", "people"} == course.received(folded) - {"commercial"}
    assert ("people" in told) == ("adoption" in told)
    assert ("commercial" in told) == (folded.billing is not None)


def test_a_kind_of_their_own_is_use_unless_every_name_of_it_is_none() -> None:
    said = {"Report Made": Meaning("report_made"), "Ping": Meaning("pinged", use=False)}
    vocabulary = Vocabulary(said)
    assert "use" in fed_by("report_made", vocabulary, SUBSCRIPTION)
    assert "use" not in fed_by("pinged", vocabulary, SUBSCRIPTION)
    both = Vocabulary({**said, "Pong": Meaning("pinged")})
    assert "use" in fed_by("pinged", both, SUBSCRIPTION)


def test_every_kind_can_be_asked() -> None:
    assert {kind for kind in ALL_KINDS if "use" in fed_by(kind, SHIPPED, SUBSCRIPTION)} == {
        "feature_used",
        "custom",
        "signed_in",
        "purchased",
        "app_opened",
    }
