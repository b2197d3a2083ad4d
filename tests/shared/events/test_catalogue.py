"""Every topic's examples decode for ever, and the catalogue says who writes and reads it."""

import json
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jornada.events
from jornada.events import (
    TOPICS,
    JourneySnapshot,
    Topic,
    Undecodable,
    decode,
    derived_id,
    encode,
    topic_key,
    workspace_of,
)
from jornada.events.ids import WorkspaceId

EXAMPLES = Path(jornada.events.__file__).parent / "examples"
SERVICES = {"ingest", "journey", "scoring", "notify", "console"}


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda topic: topic.name)
def test_every_example_decodes_and_loses_nothing(topic: Topic) -> None:
    examples = json.loads((EXAMPLES / f"{topic.name}.json").read_text())
    assert examples
    for example in examples:
        event = decode(json.dumps(example).encode(), topic.event)
        again = json.loads(encode(event))
        kept = {name: value for name, value in again.items() if name in example}
        assert kept.keys() >= {name for name, value in example.items() if value not in (None, 0, [], {})}
        assert decode(encode(event), topic.event) == event


def test_a_journey_told_before_there_were_fields_for_it_says_nothing_of_them() -> None:
    examples = json.loads((EXAMPLES / "jornada.journeys.v1.json").read_text())
    old = [json.dumps(each).encode() for each in examples if each.get("fold", 99) < 7]
    earlier: list[JourneySnapshot] = [decode(each, JourneySnapshot) for each in old]
    assert len(earlier) == 3
    for told in earlier:
        measures = told.measures
        assert (told.rules_base, told.follows, measures.contacts, measures.people_by_day) == ("", None, None, [])
        assert measures.use is not None
        assert measures.billing is not None
        assert (measures.use.gaps, measures.use.expected_gap_days, measures.use.mean_gap_days) == (0, 0, None)
        assert (measures.billing.auto_renew, measures.billing.started_at) == (None, None)


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda topic: topic.name)
def test_every_topic_names_services_as_its_producers_and_consumers(topic: Topic) -> None:
    assert topic.producers and set(topic.producers) <= SERVICES
    assert topic.consumers and set(topic.consumers) <= SERVICES
    assert (topic.cleanup == "compact") == (topic.retention is None)


def test_no_example_is_without_a_topic() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.json")} == set(TOPICS)


def test_an_event_may_gain_fields_that_this_release_does_not_know() -> None:
    for topic in TOPICS.values():
        for example in json.loads((EXAMPLES / f"{topic.name}.json").read_text()):
            decode(json.dumps(example | {"gained_later": 1}).encode(), topic.event)


def test_what_lacks_a_field_is_undecodable() -> None:
    with pytest.raises(Undecodable):
        decode(b"{}", TOPICS["jornada.crossings.v1"].event)


@given(st.uuids(), st.text())
def test_a_key_tells_its_workspace(workspace: UUID, rest: str) -> None:
    rest = rest.encode("utf-8", "ignore").decode()
    assert workspace_of(topic_key(WorkspaceId(workspace), rest)) == workspace


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x1f")), min_size=1))
def test_derived_ids_are_equal_only_for_equal_parts(parts: list[str]) -> None:
    assert derived_id(*parts) == derived_id(*parts)
    assert derived_id(*parts) != derived_id(*parts, "more")


def test_a_body_travels_digit_for_digit() -> None:
    body = b'{"properties":{"revenue":12.340000000000000001,"n":1e3}}'
    example = json.loads((EXAMPLES / "jornada.touchpoints.v1.json").read_text())[0]
    touchpoint = decode(json.dumps(example).encode(), TOPICS["jornada.touchpoints.v1"].event)
    carried = encode(msgspec.structs.replace(touchpoint, body=msgspec.Raw(body)))
    assert body in carried
