"""Who is erased is nowhere any more: found in every place before, in none afterwards, and never back."""

import asyncio
import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import asyncpg
import pytest

from jornada.bus.carrier import Assigned, Partition, Received
from jornada.bus.embedded import EmbeddedBus
from jornada.events import JOURNEYS, SCORES, TOPICS, new_id
from tests.flows.conftest import Carrier
from tests.flows.people import at, fading, identify, last_straws, track
from tests.flows.system import System
from tests.holding import holding

SERVICES = ("journey", "scoring", "notify", "ingest")


def words_of(user: str) -> tuple[str, ...]:
    """All by which a person could be found: identifiers, e-mail, name, what they did."""
    return user, f"{user}-phone", f"{user}@example.com", f"Surname {user}", f"secret {user}"


async def lived(system: System, user: str) -> None:
    """A life that leaves something with every service: an alert, a delivery, a mail, a rejection, a dead letter."""
    visit = {"type": "page", "anonymousId": f"{user}-phone", "messageId": f"{user}-visit", "timestamp": at(41)}
    await system.send(
        visit,
        {**identify(user, firstName=user, lastName=f"Surname {user}", email=f"{user}@example.com"),
         "anonymousId": f"{user}-phone"},
        *fading(user, firstName=user, lastName=f"Surname {user}", locale="en"),
        track(user, "Report Exported", 30.5, of=f"secret {user}"),
    )  # fmt: skip
    await system.settled()
    await system.send(*last_straws(user), {"type": "track", "userId": user, "properties": {"of": f"secret {user}"}})
    await system.settled()
    async with asyncio.timeout(20):
        while not any(user.encode() in mail.read_bytes() for mail in system.mails()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    value = b'{"userId":"%s","body":[]}' % user.encode()
    await system.sql(
        """insert into journey.dead_letters (id, workspace, carrier, topic, partition, "offset", key, value, headers,
               reason, error) values ($1, $2, 'test', 't', 0, $3, $4, $4, '[]', 'r', 'e')""",
        new_id(), system.workspace, new_id().int % 2**40, value,
    )  # fmt: skip
    await system.settled()


async def erased(system: System, user: str, **more: Any) -> dict[str, Any]:
    """The receipt, once every service has confirmed and all is told."""
    receipt: dict[str, Any] = await system.act("POST", "journey", "/v1/erasures", {"ref": f"user_id:{user}", **more})
    async with asyncio.timeout(30):
        while receipt["status"] != "done":
            await asyncio.sleep(0.05)
            receipt = await system.ask("journey", f"/v1/erasures/{receipt['id']}")
    await system.settled()
    return receipt


async def faces_of(system: System, references: Collection[str]) -> dict[str, int]:
    """How every face that shows a customer answers."""
    found = {}
    for ref in references:
        for service, path in (
            ("journey", ""),
            ("journey", "/touchpoints"),
            ("journey", "/merges"),
            ("scoring", "/scores"),
            ("scoring", "/scores/history"),
            ("scoring", "/overrides"),
            ("notify", "/decisions"),
            ("notify", "/messages"),
        ):
            answer = await system.http.get(f"{system.urls[service]}/v1/customers/{ref}{path}", headers=system.bearer)
            found[f"{service} {ref}{path}"] = answer.status_code
        page = await system.http.get(f"{system.urls['console']}/customers/{ref}", headers=system.bearer)
        found[f"console {ref}"] = page.status_code
    return found


async def records(system: System) -> list[Received]:
    """Every record of every topic, as a consumer gets it."""

    async def beginning(assigned: Mapping[Partition, Assigned]) -> dict[Partition, int]:
        return {partition: known.beginning for partition, known in assigned.items()}

    consumer = system.bus.consumer(f"searching-{new_id().hex}", list(TOPICS), beginning)
    await consumer.start()
    found: list[Received] = []
    silent = 0
    while silent < 3:
        batch = await consumer.poll(5_000, 1.0)
        found += batch
        silent = 0 if batch else silent + 1
    await consumer.stop()
    return found


async def topics_with(system: System, words: Collection[str], workspace: object) -> set[str]:
    return {
        each.topic
        for each in await records(system)
        if str(workspace).encode() in each.key
        and any(word.encode() in each.key + (each.value or b"") for word in words)
    }


@contextmanager
def listened() -> Iterator[list[str]]:
    """Every line that is logged meanwhile."""
    lines: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.getMessage()} {record.__dict__}")

    handler, root = Keeping(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel("INFO")
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


async def test_from_the_answer_on_every_face_says_404_and_no_table_holds_anything(
    system: System, carrier: Carrier
) -> None:
    user = f"erika{new_id().hex[-8:]}"
    words = words_of(user)
    await system.act("POST", "notify", "/v1/campaigns/retention-check-in/start")
    hook = {"name": "hook", "when": {}, "to": {"type": "webhook", "url": "http://127.0.0.1:9/"}}
    await system.act("POST", "notify", "/v1/alert-subscriptions", hook)
    with listened() as lines:
        await lived(system, user)
        id_ = (await system.ask("journey", f"/v1/customers/user_id:{user}"))["customer_id"]
        references = [f"user_id:{user}", f"anonymous_id:{user}-phone", f"email:{user}@example.com", id_]
        assert set((await faces_of(system, references)).values()) == {200}
        held = await holding(system.database_url, words, SERVICES)
        assert {table.partition(".")[0] for table, _ in held} == set(SERVICES)
        assert {word for _, word in held} == set(words)
        topics = await topics_with(system, words, system.workspace)
        assert topics >= {each for each in TOPICS if "scores" not in each and "erasures" not in each}
        asked = await system.act("POST", "journey", "/v1/erasures", {"ref": f"user_id:{user}"})
        assert set((await faces_of(system, references)).values()) == {404}
        receipt = await erased(system, user)
    assert receipt["id"] == asked["id"]
    assert set(receipt["services"].values()) == {"done"}
    await system.sql("vacuum full")
    assert await holding(system.database_url, words, (*SERVICES, "access")) == set()
    assert [line for line in lines if any(word in line for word in words)] == []
    newest = {(each.topic, each.key): each.value for each in await records(system)}
    for topic in (JOURNEYS.name, SCORES.name):
        assert newest[topic, f"{system.workspace}/{id_}".encode()] is None
    if carrier.name == "embedded":
        await lives_through(system, receipt)
        assert await holding(system.database_url, words, (*SERVICES, "access", "bus")) == set()
        assert await topics_with(system, words, system.workspace) == set()


async def jornada(system: System, *arguments: str) -> str:
    """What the command prints; a failure of it fails."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jornada.cli.main", *arguments),
        env={**os.environ, "JORNADA_API_TOKEN": system.api_token},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, arguments
    return out.decode()


async def test_by_command_what_is_held_is_given_out_and_erased_and_only_what_is_later_begins_anew(
    system: System,
) -> None:
    user = f"otto{new_id().hex[-8:]}"
    await lived(system, user)
    lines = [json.loads(line) for line in (await jornada(system, "export", f"user_id:{user}")).splitlines()]
    kinds = Counter(each["line"] for each in lines)
    assert kinds.keys() >= {"customer", "session", "touchpoint", "end", "scores", "score", "decision"}
    assert kinds["touchpoint"] == lines[[each["line"] for each in lines].index("end")]["touchpoints"] >= 25
    assert all(word in json.dumps(lines) for word in words_of(user))
    receipt = json.loads(await jornada(system, "erase", f"email:{user}@example.com"))
    late = {**track(user, "Report Exported", 3, of="late"), "anonymousId": f"{user}-phone"}
    verdicts = await system.send(late, {**late, "messageId": f"{user}-other"}, identify(user), *fading(user))
    assert {each["status"] for each in verdicts} <= {"accepted", "duplicate"}
    await system.settled()
    assert (await system.ask("journey", f"/v1/erasures/{receipt['id']}"))["dropped"] >= 2
    assert await holding(system.database_url, words_of(user), SERVICES) == set()
    await system.send({**track(user, "Report Exported"), "timestamp": at()})
    await system.settled()
    now = await system.ask("journey", f"/v1/customers/user_id:{user}")
    assert (now["touchpoints"], now["traits"]) == (1, {})


@pytest.mark.parametrize(
    ("left", "answer"),
    [
        ("journey.store.traces.forget_touchpoints", []),
        ("scoring.store.subjects.forget", None),
        ("notify.store.erased.forget", None),
        ("ingest.store.remove", None),
    ],
)
async def test_control_a_store_that_is_left_out_is_found(
    system: System, left: str, answer: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> object:
        return answer

    user = f"lena{new_id().hex[-8:]}"
    await lived(system, user)
    monkeypatch.setattr(f"services.{left}", nothing)
    await erased(system, user)
    held = await holding(system.database_url, words_of(user), SERVICES)
    assert {table.partition(".")[0] for table, _ in held} == {left.partition(".")[0]}, held


async def lives_through(system: System, receipt: Mapping[str, Any]) -> None:
    """The time until `gone_by` passes for the topics: their records are made older."""
    age = datetime.fromisoformat(receipt["gone_by"]) - datetime.fromisoformat(receipt["erased_at"])
    connection = await asyncpg.connect(system.database_url)
    await connection.execute("update bus.records set appended_at = appended_at - $1::interval", age)
    await connection.close()
    assert isinstance(system.bus, EmbeddedBus)
    await system.bus.tidy()
