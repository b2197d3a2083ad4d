"""What the services say of themselves in OpenAPI holds for whatever is sent to them, and nothing breaks them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS

from jornada.events import new_id
from tests.flows.system import System, fresh_database, running

_STREAMS = {"/v1/live", "/v1/alerts/stream"}
_LAWS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
_EXAMPLES = 8


@pytest.fixture(scope="module")
async def system(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """A system of its own: what is sent here changes rules and makes subscriptions."""
    folder = tmp_path_factory.mktemp("faces")
    async with fresh_database(postgres_url) as url, running("embedded", url, folder, None) as system:
        yield system


@pytest.mark.timeout(240)
@pytest.mark.parametrize("service", ["ingest", "journey", "scoring", "notify"])
async def test_every_face_answers_as_it_says(system: System, service: str) -> None:
    document = (await system.http.get(f"{system.urls[service]}/openapi.json")).json()
    wrong = await asyncio.to_thread(lambda: list(_wrong(document, system.urls[service], system)))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("service", ["ingest", "journey", "scoring", "notify"])
async def test_every_face_shows_an_example_of_what_it_takes_and_says_what_it_refuses(
    system: System, service: str
) -> None:
    document = (await system.http.get(f"{system.urls[service]}/openapi.json")).json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            body = operation.get("requestBody", {}).get("content", {}).values()
            assert all("example" in str(_resolved(each, document)) for each in body), f"{method} {path}"
            assert "health" in operation["tags"] or "503" in operation["responses"], f"{method} {path}"


@pytest.mark.parametrize("service", ["ingest", "journey", "scoring", "notify"])
async def test_every_worker_lists_shows_and_replays_its_dead_letters(system: System, service: str) -> None:
    letters = f"{system.urls[service]}/v1/dead-letters"
    assert await system.ask(service, "/v1/dead-letters", waiting=True) == {"items": [], "next": None}
    done = await system.act("POST", service, "/v1/dead-letters/replay")
    assert done == {"replayed": 0, "failed": [], "waiting": 0, "next": None}
    for method, path in (("GET", f"{letters}/{new_id()}"), ("POST", f"{letters}/{new_id()}/replay")):
        answer = await system.http.request(method, path, headers=system.bearer)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def _resolved(content: dict[str, Any], document: dict[str, Any]) -> list[Any]:
    model = content["schema"].get("$ref", "").rpartition("/")[2]
    return [content, document["components"]["schemas"].get(model)]


def _wrong(document: dict[str, Any], url: str, system: System) -> Iterator[str]:
    """Every operation, asked with what its document allows and with what it does not."""
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = result.ok()  # type: ignore[union-attr]
        if operation.path in _STREAMS:
            continue
        hot = "events" in (operation.tags or ())
        headers = {"x-write-key": system.write_key} if hot else {"authorization": f"Bearer {system.api_token}"}
        for mode in GenerationMode:
            try:
                _holds(operation.as_strategy(generation_mode=mode), url, headers)
            except (AssertionError, requests.RequestException, BaseExceptionGroup) as error:
                yield f"{operation.label} ({mode.value}): {str(error)[:700]}"


def _holds(cases: SearchStrategy[Any], url: str, headers: dict[str, str]) -> None:
    @given(case=cases)
    @settings(max_examples=_EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def holds(case: Any) -> None:
        answer = case.call(base_url=url, headers=headers, timeout=15)
        case.validate_response(answer, checks=CHECKS.get_by_names(_LAWS))
        if answer.status_code >= 400:
            assert {"code", "message"} <= answer.json().keys()

    with suppress(Unsatisfiable):  # nothing can be wrong in a request that carries nothing
        holds()
