"""CDNOW as events, and how they are sent."""

import json
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest

from services.console.demo import cdnow, importing
from services.console.demo.cdnow import Purchase

BOUGHT = [Purchase(1, "00001", date(1997, 1, 1), 1, "11.77"), Purchase(2, "00002", date(1998, 6, 30), 5, "77.00")]


def test_the_last_purchase_is_moved_to_today_and_none_beyond() -> None:
    today = date(2026, 5, 20)
    moved = cdnow.days_to(today, BOUGHT)
    stamps = [str(cdnow.event(each, moved)["timestamp"]) for each in BOUGHT]
    assert stamps[-1] == "2026-05-20T00:00:00Z"
    assert date.fromisoformat(stamps[0][:10]) - BOUGHT[0].on == timedelta(days=moved)


def test_money_keeps_its_digits() -> None:
    (body,) = cdnow.batches(BOUGHT, 0)
    assert b'"revenue":77.00,' in body
    assert [each["properties"]["products"][0]["quantity"] for each in json.loads(body)["batch"]] == [1, 5]


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / cdnow.FILE).parent.mkdir(parents=True)
    (tmp_path / cdnow.FILE).write_text("customer_id date cds dollars\n1 19970101 1 1.00\n")
    with pytest.raises(cdnow.Damaged):
        cdnow.purchases(tmp_path)


async def test_a_batch_is_sent_again_when_ingest_asks_to_wait() -> None:
    answers = iter([503, 429, 200])
    seen: list[bytes] = []

    def ingest(request: httpx.Request) -> httpx.Response:
        seen.append(request.content)
        status = next(answers)
        results = [{"status": "accepted"}, {"status": "duplicate"}]
        return httpx.Response(status, json={"results": results}, headers={"retry-after": "0"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(ingest)) as client:
        sent: list[int] = []
        verdicts = await importing.Collector(client, "http://ingest", "wk").send(cdnow.batches(BOUGHT, 0), sent.append)
    assert verdicts == Counter(accepted=1, duplicate=1)
    assert sent == [2]
    assert len(set(seen)) == 1
    assert len(seen) == 3


async def test_a_refusal_stops_the_import() -> None:
    transport = httpx.MockTransport(lambda _request: httpx.Response(401, json={"code": "unauthorized"}))
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(ExceptionGroup) as raised:
            await importing.Collector(client, "http://ingest", "wk").send([b"{}"], lambda _: None)
    assert raised.group_contains(importing.NotTaken)
