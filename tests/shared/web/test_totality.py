"""Whatever is sent, an answer is a problem document or what was asked for: never a 500."""

import base64
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import msgspec
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from jornada.events import new_id
from jornada.web import Problem, application, cursor_of, id_after, number_after
from jornada.web.app import answer
from jornada.web.pages import cursor_at, instant_after


class Named(BaseModel):
    """A body with one field."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app: FastAPI = application("test", "A test.", checks={})

    @app.post("/named")
    async def named(new: Named) -> Response:
        return answer({"name": new.name})

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"NaN",
        b'{"name": NaN}',
        b'{"\\ud800": 1, "name": "x"}',
        b'{"name": 1e400}',
        b'{"name": ' + b"9" * 5_000 + b"}",
        b'{"name": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        json.dumps({"name": "x", "x" * 500: 1}).encode(),
    ],
)
async def test_a_body_that_is_none_is_a_400_with_code_and_message(client: httpx.AsyncClient, body: bytes) -> None:
    refused = await client.post("/named", content=body, headers={"content-type": "application/json"})
    assert refused.status_code == 400
    problem = refused.json()
    assert problem["code"] and problem["message"]
    assert len(problem["message"]) < 300
    assert refused.headers["content-type"] == "application/problem+json"


def _cursor(position: bytes) -> str:
    return base64.urlsafe_b64encode(position).decode().rstrip("=")


@given(
    st.text()
    | st.tuples(st.integers(), st.uuids().map(str)).map(lambda pair: cursor_of(*pair))
    | st.binary().map(_cursor)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(
        lambda value: _cursor(msgspec.json.encode([value]))
    )
)
def test_a_cursor_is_ours_or_a_400(cursor: str) -> None:
    for read in (id_after, instant_after, number_after):
        with contextlib.suppress(Problem):
            read(cursor)


def test_a_cursor_of_great_depth_is_a_400() -> None:
    with pytest.raises(Problem):
        id_after(_cursor(b"[" * 40_000))


def test_a_cursor_gives_its_place_back() -> None:
    place, instant = new_id(), datetime(2026, 3, 2, 14, 5, 0, 123_456, tzinfo=UTC)
    assert id_after(cursor_of(str(place))) == place
    assert number_after(cursor_of(7)) == 7
    assert instant_after(cursor_at(instant, place)) == (instant, place)
    assert (id_after(None), number_after(None)) == (None, 0)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", None])
async def test_who_sends_json_as_something_else_is_told_how_to_send_it(
    client: httpx.AsyncClient, kind: str | None
) -> None:
    headers = {} if kind is None else {"content-type": kind}
    said = await client.post("/named", content=b'{"name": "a"}', headers=headers)
    assert (said.status_code, said.json()["code"]) == (400, "invalid")
    assert "Content-Type: application/json" in said.json()["message"]
    flawed = await client.post("/named", json={"name": 1})
    assert "Content-Type" not in flawed.json()["message"]
