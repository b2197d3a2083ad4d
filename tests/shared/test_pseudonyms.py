"""An identifier is known again by its pseudonym, in whatever text it stands, and by nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jornada.events import new_id
from jornada.pseudonyms import Pseudonyms

SECRET = b"a secret that is long enough for it"
PSEUDONYMS = Pseudonyms(SECRET)
WORKSPACE = new_id()


@given(st.text(min_size=1), st.integers(0, 3), st.sampled_from(["userId", "anonymous_id", "previousId", "email"]))
def test_what_names_somebody_is_found_however_deep_it_lies_as_text_in_text(value: str, depth: int, field: str) -> None:
    text = json.dumps({"a": [1, {field: value}]}, ensure_ascii=False).replace("\x7f", "")
    plain = json.loads(text)["a"][1][field]
    for _ in range(depth):
        text = json.dumps({"payload": text}, ensure_ascii=False)
    found = PSEUDONYMS.within(WORKSPACE, text)
    type_, as_compared = ("email", plain.strip().lower()) if field == "email" else ("user_id", plain)
    if depth == 0 or ("\\" not in text and '"' not in plain) or plain.isalnum():
        assert PSEUDONYMS.of(WORKSPACE, type_, as_compared) in found


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        ('{"userId": 42}', "user_id", "42"),
        ('{"userId": "ana", "traits": {"cut off', "user_id", "ana"),
        ('{"subject":"user_id:ana"}', "user_id", "ana"),
        ('{"context":{"traits":{"email":" Ana@Example.com "}}}', "email", "ana@example.com"),
        ('{"userId":"Jos\\u00e9"}', "user_id", "José"),
    ],
)
def test_it_is_found_as_ingest_reads_it(text: str, type_: str, value: str) -> None:
    assert PSEUDONYMS.of(WORKSPACE, type_, value) in PSEUDONYMS.within(WORKSPACE, text)


def test_what_merely_stands_somewhere_names_nobody() -> None:
    found = PSEUDONYMS.within(WORKSPACE, '{"event":"ana","properties":{"friend":"ana"}}')
    assert PSEUDONYMS.of(WORKSPACE, "user_id", "ana") not in found


def test_it_differs_by_key_workspace_and_type() -> None:
    of = {
        PSEUDONYMS.of(WORKSPACE, "user_id", "ana"),
        PSEUDONYMS.of(WORKSPACE, "anonymous_id", "ana"),
        PSEUDONYMS.of(new_id(), "user_id", "ana"),
        Pseudonyms(SECRET + b"!").of(WORKSPACE, "user_id", "ana"),
    }
    assert len(of) == 4
    assert Pseudonyms(SECRET + b"\n").of(WORKSPACE, "user_id", "ana") in of
