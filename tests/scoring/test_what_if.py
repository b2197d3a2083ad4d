"""What-if over HTTP: in a process of its own, one at a time, gone with whoever asked for it."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.types import Message

from jornada.events import JourneySnapshot, SubjectId, encode
from jornada.web import Problem
from services.scoring.api.what_if import while_there
from services.scoring.domain.freezing import Freeze
from services.scoring.domain.hindsight.tally import Asked, Tally, add
from services.scoring.domain.scores import Configuration
from services.scoring.domain.stating import stated
from services.scoring.sisters import Journeys
from services.scoring.what_if import running
from services.scoring.what_if.questions import END, answered, written
from services.scoring.what_if.running import Busy, WhatIfs
from tests.journey.makes import at, touchpoint
from tests.scoring.harness import Scoring
from tests.scoring.journeys import AT
from tests.scoring.test_api import Caller, caller
from tests.scoring.told import Told

__all__ = ["caller"]

DAY = timedelta(days=1)
STRICTER = {"thresholds": {"yellow": 65, "green": 85}, "hysteresis": 2}
QUESTION = {"name": "saas", "profile": STRICTER}


async def lived(scoring: Scoring, told: Told, people: int = 12) -> None:
    """Each uses it every other day from its own first day on; the even ones fall silent, some come back."""
    for number in range(people):
        days = [*range(-150 + number, 58, 2 + number % 3)]
        if number % 2 == 0:
            silent = range(-60 + 5 * number, -20 if number % 4 else 60)
            days = [day for day in days if day not in silent]
        told.touchpoints += [
            touchpoint(
                f"p{number}-{day}", day, user_id=f"p{number}", event="Report Exported", workspace=scoring.workspace
            )
            for day in days
        ]
    await scoring.seen(*told.at(AT))


def worked_out(told: Told, document: dict[str, Any], **more: Any) -> Tally:
    """The same without a process, from the journeys themselves."""
    instants = [AT - week * 7 * DAY for week in reversed(range(26))]
    own = (stated("saas", document, 2),) if document else ()
    tally, asked = Tally(), Asked(instants=instants, most=50)
    today, changed = Configuration(frozenset({"adoption"})), Configuration(frozenset({"adoption"}), own)
    series: dict[SubjectId, list[JourneySnapshot]] = {}
    for journey in told.at(*instants):
        series.setdefault(journey.subject_id, []).append(journey)
    for theirs in series.values():
        add(tally, theirs, today, changed, asked)
    return tally


async def test_what_is_configured_today_changes_nothing(scoring: Scoring, caller: Caller, told: Told) -> None:
    await lived(scoring, told)
    for profile in ({}, {"base": "saas"}):
        answer = await caller.reader().send("POST", "/v1/what-if", json={"name": "saas", "profile": profile})
        assert answer["today"] == answer["changed"]
        assert (answer["changes"]["subjects"], answer["changes"]["who"]) == (0, [])
        assert (answer["subjects"], answer["sampled"]) == (12, False)
        assert answer["left"]["total"] > 0
        assert answer["earlier_days"] == 0.0


async def test_a_stricter_profile_is_held_against_what_happened(scoring: Scoring, caller: Caller, told: Told) -> None:
    await lived(scoring, told)
    before = (await caller.ask("/v1/scores"))["items"]
    answer = await caller.send("POST", "/v1/what-if", json=QUESTION)
    tally = worked_out(told, STRICTER)
    assert (answer["until"], answer["every_days"]) == ("2026-03-02T14:05:00.000000Z", 7)
    assert answer["left"]["total"] == sum(tally.left.values()) >= 3
    for side, wanted in ((answer["today"], tally.today), (answer["changed"], tally.changed)):
        assert {band: number for band, number in side["bands"].items() if number} == wanted.bands
        assert {each: number for each, number in side["warnings"].items() if number} == wanted.warnings
        assert side["warned"] == len(wanted.leads)
        assert side["recall"] == pytest.approx(len(wanted.leads) / answer["left"]["total"])
        assert side["lead_days"] == wanted.lead_days
        vain = 100 * wanted.warnings.get("in_vain", 0) / answer["customer_months"]
        assert side["false_alarms_per_100_customer_months"] == pytest.approx(vain)
    assert answer["changed"]["lead_days"] > answer["today"]["lead_days"]
    assert answer["earlier_days"] > 0
    assert answer["changes"]["turns"] == tally.turns
    assert [each["subject"]["id"] for each in answer["changes"]["who"]] == [
        str(each.journey.subject_id) for each in tally.who
    ]
    first = answer["changes"]["who"][0]
    assert (first["today"]["profile"], first["changed"]["profile"]) == ("saas@1", "saas@2")
    assert first["changed"]["score"] is not None
    assert (await caller.ask("/v1/scores"))["items"] == before
    assert (await caller.ask("/v1/profiles/saas"))["own"] is False


async def test_a_sample_is_the_first_by_id_and_says_so(scoring: Scoring, caller: Caller, told: Told) -> None:
    await lived(scoring, told)
    answer = await caller.send("POST", "/v1/what-if", json=QUESTION | {"subjects": 5, "most": 1})
    assert (answer["subjects"], answer["sampled"], len(answer["changes"]["who"])) == (5, True, 1)
    assert (await caller.send("POST", "/v1/what-if", json=QUESTION | {"subjects": 12}))["sampled"] is False


@pytest.mark.parametrize(
    ("change", "code", "status"),
    [
        ({"profile": {"weights": {"x": 1}}}, "invalid_profile", 422),
        ({"name": "own"}, "invalid_profile", 422),
        ({"name": "No"}, "invalid_name", 400),
        ({"from": "2026-03-02T00:00:00Z"}, "invalid_what_if", 400),
        ({"from": "2020-01-01T00:00:00Z"}, "invalid_what_if", 400),
        ({"from": "2027-01-01T00:00:00Z", "until": "2028-01-01T00:00:00Z"}, "invalid_what_if", 400),
        ({"until": "0001-01-01T00:00:00+14:00"}, "invalid_what_if", 400),
        ({"every_days": 0}, "invalid", 400),
        ({"everything": True}, "invalid", 400),
    ],
)
async def test_what_cannot_be_asked_is_refused(caller: Caller, change: Any, code: str, status: int) -> None:
    assert (await caller.send("POST", "/v1/what-if", status, json=QUESTION | change))["code"] == code


async def test_without_journey_there_is_no_answer_and_the_next_may_run(
    scoring: Scoring, caller: Caller, told: Told
) -> None:
    await lived(scoring, told)
    told.away = True
    assert (await caller.send("POST", "/v1/what-if", 503, json=QUESTION))["code"] == "unavailable"
    told.away = False
    await caller.send("POST", "/v1/what-if", json=QUESTION)


class Slow:
    """Journey that tells one subject's lines and then nothing for long; `began` once it was asked."""

    def __init__(self, told: Told, asked: Asked) -> None:
        self._lines = told.at(*asked.instants)
        self.began = asyncio.Event()

    def journeys(self) -> Journeys:
        return Journeys("http://journey", httpx.MockTransport(self._answer))

    async def _answer(self, _request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=self._pieces())

    async def _pieces(self) -> AsyncIterator[bytes]:
        first = self._lines[0].subject_id
        for each in self._lines:
            if each.subject_id == first or each.subject_id == self._lines[-1].subject_id:
                yield written_line(each)
        yield b'{"half a line'
        self.began.set()
        await asyncio.sleep(60)


def written_line(journey: JourneySnapshot) -> bytes:
    return encode(journey) + b"\n"


WEEKLY = Asked(instants=[at(-30), at(0), at(30)], most=5)
SAME = Configuration(frozenset({"adoption"}), freezes=(Freeze("app", "opened", frozenset({"adoption"}), 0, 1),))


async def test_one_runs_at_a_time_and_when_its_asker_leaves_its_process_is_gone(scoring: Scoring, told: Told) -> None:
    await lived(scoring, told)
    slow = Slow(told, WEEKLY)
    what_ifs = WhatIfs(slow.journeys())
    one = asyncio.create_task(what_ifs.tried("Bearer t", SAME, SAME, WEEKLY, 9))
    await slow.began.wait()
    with pytest.raises(Busy):
        await what_ifs.tried("Bearer t", SAME, SAME, WEEKLY, 9)
    assert await _processes() == 1
    one.cancel()
    with pytest.raises(asyncio.CancelledError):
        await one
    assert await _processes() == 0
    again = asyncio.create_task(what_ifs.tried("Bearer t", SAME, SAME, WEEKLY, 9))
    await asyncio.sleep(0.1)
    assert not again.done()
    again.cancel()
    await asyncio.wait([again])


async def test_who_hangs_up_ends_what_they_asked_for() -> None:
    ended, hung_up = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async def receive() -> Message:
        await hung_up.wait()
        return {"type": "http.disconnect"}

    asking = asyncio.create_task(while_there(Request({"type": "http"}, receive), work()))
    await asyncio.sleep(0.05)
    assert not asking.done()
    hung_up.set()
    with pytest.raises(Problem, match="Nobody waits"):
        await asking
    assert ended.is_set()


async def _processes() -> int:
    listing = await asyncio.create_subprocess_exec(
        "ps", "--ppid", str(os.getpid()), "-o", "args=", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await listing.communicate()
    return out.decode().count("services.scoring.what_if")


async def test_what_has_come_by_the_end_of_its_time_is_answered_for_and_half_a_subject_is_not(
    scoring: Scoring, told: Told
) -> None:
    await lived(scoring, told)
    tried = await WhatIfs(Slow(told, WEEKLY).journeys(), seconds=1.5).tried("Bearer t", SAME, SAME, WEEKLY, 9)
    assert (tried.whole, tried.tally.subjects) == (False, 1)


async def test_a_process_that_fails_is_no_answer(
    scoring: Scoring, caller: Caller, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lived(scoring, told)
    monkeypatch.setattr(running, "_COMMAND", ("false",))
    assert (await caller.send("POST", "/v1/what-if", 503, json=QUESTION))["code"] == "unavailable"


def test_the_lines_say_whether_all_of_the_last_subject_came(told: Told) -> None:
    told.touchpoints = [touchpoint(f"m{name}{n}", n, user_id=name) for name in "ab" for n in range(9)]
    lines = [written(SAME, SAME, WEEKLY), *(written_line(each) for each in told.at(*WEEKLY.instants))]
    assert answered(iter([*lines, END])).subjects == 2
    assert answered(iter(lines)).subjects == 1
    assert answered(iter([*lines, b'{"half'])).subjects == 1
    assert answered(iter([lines[0], END])).subjects == 0
