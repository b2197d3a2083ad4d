"""Which measures of a journey a kind of touchpoint changes: told by folding one, so that nothing else has to know."""

from datetime import UTC, datetime
from uuid import UUID

from jornada.events import Measures, Touchpoint, WorkspaceId
from jornada.events.ids import MessageId
from services.journey.domain.folding import single
from services.journey.domain.reading import Reading
from services.journey.domain.rules import RuleSet
from services.journey.domain.snapshot import measures
from services.journey.domain.vocabulary import ALL_KINDS, Vocabulary

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONE = Touchpoint(
    workspace=WorkspaceId(UUID(int=0)),
    source="",
    role="product",
    message_id=MessageId("one"),
    type="track",
    received_at=_EPOCH,
    occurred_at=_EPOCH,
    payload_hash="",
    event="One",
    user_id="one",
)
_SAYS = {
    "survey_type": "nps",
    "score": 9,
    "ticket_id": "one",
    "direction": "inbound",
    "course_id": "one",
    "step": "one",
    "invoice_id": "one",
}
_NOTHING = Measures()


def fed_by(kind: str, vocabulary: Vocabulary, rules: RuleSet) -> list[str]:
    """The names of the measures that a touchpoint of a kind changes in a workspace, where it says all it may."""
    reading = Reading(
        touchpoint=_ONE,
        key=(0, "one"),
        kind=kind,
        properties=_SAYS,
        traits={},
        account_traits={},
        ours=False,
        account=None,
        channel=None,
        value=_class_of(kind, vocabulary),
    )
    found = measures(single(reading), rules, ())
    return [name for name in Measures.__struct_fields__ if getattr(found, name) != getattr(_NOTHING, name)]


def _class_of(kind: str, vocabulary: Vocabulary) -> str | None:
    """Under which class a day with it may be a value day; None where under none of its names."""
    named: list[str | None] = [name for name, meaning in vocabulary.meanings.items() if meaning.kind == kind]
    names = [*named, None] if kind in ALL_KINDS or not named else named
    return next((class_ for name in names if (class_ := vocabulary.class_of("track", name, kind))), None)
