"""For every byte string an answer that is right: thousands of requests on a socket, and what was kept of them."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from jornada.bus.carrier import Bus
from jornada.bus.embedded import EmbeddedBus
from jornada.bus.kafka import KafkaBus, KafkaConnection
from jornada.db import Database
from jornada.events import Touchpoint
from tests.conftest import DatabaseFactory
from tests.ingest.conftest import Running, Tenant, running_on, tenant_of
from tests.ingest.corpus import corpus
from tests.ingest.corpus.cases import ACCEPTED
from tests.ingest.unchanged import said
from tests.ingest.wire import Answer, Said, ask

_LAWFUL = {200, 204, 429, 503, *range(400, 500)}
_ECHO = 64


@pytest.fixture(params=["embedded", "kafka"])
def bus(request: pytest.FixtureRequest) -> Bus:
    if request.param == "embedded":
        return EmbeddedBus(Database(request.getfixturevalue("postgres_url"), "bus"))
    brokers: str = request.getfixturevalue("kafka_brokers")
    return KafkaBus(KafkaConnection(brokers=brokers), client_id="bytes")


@pytest.mark.timeout(240)
async def test_every_byte_string_gets_a_good_answer_and_what_is_accepted_is_unchanged(
    bus: Bus, database_for: DatabaseFactory
) -> None:
    async with running_on(bus, await database_for("ingest")) as running:
        await _holds(running, await tenant_of(running))


async def _holds(running: Running, tenant: Tenant) -> None:
    """The law, over the whole corpus."""
    wrong: list[str] = []
    kept: dict[str, bytes] = {}
    refused: Counter[tuple[str | None, str]] = Counter()
    count = 0
    async for answered in ask(running.service.port, list(corpus(tenant.write_key))):
        count += 1
        wrong += [f"{answered.case.name}: {what}" for what in _broken(answered)]
        for result, text in _results(answered):
            if text is not None:
                kept[result["message_id"]] = text
            elif result["status"] == "rejected":
                refused[result["message_id"], result["code"]] += 1
    touchpoints = await running.touchpoints(tenant.workspace)
    wrong += _changed(kept, touchpoints)
    rejections = await _rejections(running, tenant, refused.total())
    wrong += [
        f"{each} was not kept as it was told" for each in (_told(rejections) - refused) + (refused - _told(rejections))
    ]
    wrong += ["the key was kept" for each in touchpoints if tenant.write_key.encode() in bytes(each.body)]
    wrong += [
        f"the key was kept: {each['message_id']}"
        for each in rejections
        if tenant.write_key in _unescaped(each["payload"])
    ]
    assert not wrong, f"{len(wrong)} of {count}:\n" + "\n".join(sorted(wrong)[:60])
    assert count >= 2_000
    assert len(kept) >= 2_000
    assert refused.total() >= 2_000


def _broken(answered: Said) -> Iterator[str]:
    """What one case's answers break of the law, or of what the rules decide."""
    case, expected = answered.case, answered.case.expected
    if answered.hung:
        yield "no answer in time"
    if len(answered.answers) < case.answers and not expected.silent:
        yield f"{len(answered.answers)} of {case.answers} answers"
    for answer in answered.answers:
        if answer.status not in _LAWFUL or (expected.statuses and answer.status not in expected.statuses):
            yield f"{answer.status} {answer.document}"
        elif answer.status >= 400:
            yield from _unlike_an_error(answered, answer)
    if expected.results is not None:
        found = tuple(result.get("code", result["status"]) for result, _ in _results(answered))
        if found != expected.results:
            yield f"judged {found[:5]}, not {expected.results[:5]}"


def _unlike_an_error(answered: Said, answer: Answer) -> Iterator[str]:
    document = answer.document
    if answered.case.name == "method-HEAD":
        return
    if not isinstance(document, dict) or not document.get("code") or not document.get("message"):
        yield f"{answer.status} without code and message"
    elif answered.case.expected.code not in {None, document["code"]}:
        yield f"{document['code']}, not {answered.case.expected.code}"
    if answer.status in {429, 503} and not 1 <= int(answer.headers.get("retry-after", "0")) <= 300:
        yield f"{answer.status} without Retry-After"
    sent = b"".join(piece for piece in answered.case.pieces if isinstance(piece, bytes)).decode("latin-1")
    if any(word in sent for text in _texts(document) for word in _windows(text)):
        yield f"an echo longer than {_ECHO} characters"


def _texts(document: Any) -> Iterator[str]:
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict | list):
        for each in document.values() if isinstance(document, dict) else document:
            yield from _texts(each)


def _windows(text: str) -> Iterator[str]:
    return (text[at : at + _ECHO + 1] for at in range(len(text) - _ECHO))


def _results(answered: Said) -> Iterator[tuple[dict[str, Any], bytes | None]]:
    """Each event's result, in the order sent, with the text that must be kept where it was accepted."""
    good = [answer for answer in answered.answers if answer.status == 200 and "results" in (answer.document or ())]
    results = [result for answer in good for result in answer.document["results"]]
    for index, result in enumerate(results):
        yield result, answered.case.expected.kept.get(index) if result["status"] == ACCEPTED else None


def _changed(kept: dict[str, bytes], touchpoints: list[Touchpoint]) -> Iterator[str]:
    stored = {each.message_id: bytes(each.body) for each in touchpoints}
    assert len(stored) == len(touchpoints)
    for message_id, text in kept.items():
        body = stored.get(message_id)  # type: ignore[call-overload]
        if body is None:
            yield f"{message_id} was accepted and is not there"
        elif said(body) != said(text):
            yield f"{message_id} was changed: {text[:200]!r} is {body[:200]!r}"


async def _rejections(running: Running, tenant: Tenant, count: int) -> list[dict[str, Any]]:
    """What the sender sees of its refused events, once so many are at rest."""
    found: list[dict[str, Any]] = []
    after = ""
    async with asyncio.timeout(60), httpx.AsyncClient(base_url=running.url, trust_env=False) as http:
        while len(found) < count:
            page = (
                await http.get("/v1/rejections", params={"after": after, "limit": "1000"}, headers=tenant.bearer())
            ).json()["items"]
            found += page
            after = page[-1]["cursor"] if page else after
            await asyncio.sleep(0 if page else 0.1)
    return found


def _unescaped(text: str) -> str:
    return re.sub(r"\\u([0-9a-f]{4})", lambda escape: chr(int(escape[1], 16)), text)


def _told(rejections: list[dict[str, Any]]) -> Counter[tuple[str | None, str]]:
    return Counter((each["message_id"], each["code"]) for each in rejections)
