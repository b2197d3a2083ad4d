"""Tells the story through ingest's public face, step by step, and knows how far it is."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Literal

from jornada.clock import Clock
from jornada.observe import logs
from services.console.domain.reading import instant, items, mapping, number, text
from services.console.sisters import Answer, LoggedOut, Silent, Sisters, Told
from services.console.story.campaign import CAMPAIGN, NAME
from services.console.story.cast import RED
from services.console.story.tale import ROLES, WITNESS, Line, first_told, people, story, touchpoints_of

_log = logs.get(__name__)

State = Literal["waiting", "running", "done", "failed"]
STEPS = ("keys", "campaign", "past", "scored", "today", "alert", "message")
_BATCH = 400
_PATIENCE = 45
"""Seconds for which a step waits for the services to catch up."""
_REMEMBERED = 100


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the loading: `detail` is a number of events, or what stands in the way."""

    name: str
    state: State = "waiting"
    detail: str = ""


class Stopped(Exception):
    """The story cannot go on."""


@dataclass(frozen=True, slots=True)
class _Told:
    """One run of the story for one viewer."""

    steps: dict[str, Step]

    def mark(self, name: str, state: State, detail: str = "") -> None:
        self.steps[name] = replace(self.steps[name], state=state, detail=detail)


class Telling:
    """Tells the story to whoever asks, in the background; one telling at a time for each API token."""

    def __init__(self, sisters: Sisters, clock: Clock) -> None:
        self._sisters = sisters
        self._clock = clock
        self._runs: dict[bytes, _Told] = {}
        self._tasks: dict[bytes, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Nothing to open."""

    async def stop(self) -> None:
        """Ends what is being told; telling it again goes on where it stopped."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def begin(self, token: str) -> None:
        """Begins to tell the story to the token's workspace, unless it is being told."""
        key = sha256(token.encode()).digest()
        if key in self._tasks:
            return
        while len(self._runs) >= _REMEMBERED:
            self._runs.pop(next(iter(self._runs)))
        run = self._runs[key] = _Told({name: Step(name) for name in STEPS})
        task = self._tasks[key] = asyncio.create_task(self._told(run, token))
        task.add_done_callback(lambda _: self._tasks.pop(key, None))

    def progress(self, token: str) -> list[Step]:
        """The steps of the last telling; empty if there was none."""
        run = self._runs.get(sha256(token.encode()).digest())
        return list(run.steps.values()) if run is not None else []

    async def tell(self, token: str) -> list[Step]:
        """Tells the story and waits for its end."""
        self.begin(token)
        task = self._tasks.get(sha256(token.encode()).digest())
        if task is not None:
            await asyncio.shield(task)
        return self.progress(token)

    async def _told(self, run: _Told, token: str) -> None:
        before = await self._told_before(token)
        now = self._clock.now()
        lines = story(now, before)
        sources: dict[str, str] = {}
        acts: dict[str, Callable[[], Awaitable[str]]] = {
            "keys": lambda: self._keys(token, sources),
            "campaign": lambda: self._campaign(token),
            "past": lambda: self._send(sources, [line for line in lines if not line.live]),
            "scored": lambda: self._until(lambda: self._scored(token, lines)),
            "today": lambda: self._send(sources, [line for line in lines if line.live]),
            "alert": lambda: self._until(lambda: self._alerted(token)),
            "message": lambda: self._until(lambda: self._written_to(token)),
        }
        for name in STEPS:
            run.mark(name, "running")
            try:
                run.mark(name, "done", await acts[name]())
            except (Stopped, LoggedOut) as error:
                run.mark(name, "failed", str(error))
                _log.warning("story.stopped", step=name)
                if name in {"keys", "past", "today"}:
                    return

    async def _told_before(self, token: str) -> datetime | None:
        try:
            answer = await self._sisters.get("journey", f"/v1/customers/user_id:story-{WITNESS}", token)
        except LoggedOut:
            return None
        seen_at = instant(mapping(answer.document).get("first_seen_at")) if isinstance(answer, Told) else None
        return first_told(seen_at) if seen_at is not None else None

    async def _keys(self, token: str, sources: dict[str, str]) -> str:
        for source, role in ROLES.items():
            made = await issue_key(self._sisters, token, source, role)
            if isinstance(made, Silent):
                raise Stopped(made.message or made.kind)
            sources[source] = made
        return ""

    async def _campaign(self, token: str) -> str:
        _must(await self._sisters.put("notify", f"/v1/campaigns/{NAME}", token, CAMPAIGN))
        started = await self._sisters.post("notify", f"/v1/campaigns/{NAME}/start", token, {})
        if isinstance(started, Silent) and started.code not in {"running", "already_running"}:
            _must(started)
        return NAME

    async def _send(self, sources: dict[str, str], lines: list[Line]) -> str:
        for source in ROLES:
            events = [line.event for line in lines if line.source == source]
            for begin in range(0, len(events), _BATCH):
                await self._batch(sources[source], events[begin : begin + _BATCH])
        return str(len(lines))

    async def _batch(self, write_key: str, events: list[dict[str, object]]) -> None:
        for wait in (0.5, 1, 2, 4, 8, None):
            answer = await self._sisters.send(write_key, {"batch": events})
            if isinstance(answer, Told):
                refused = [
                    each for each in items(mapping(answer.document).get("results")) if each.get("status") == "rejected"
                ]
                if refused:
                    raise Stopped(f"{text(refused[0].get('code'))}: {text(refused[0].get('message'))}")
                return
            if answer.kind != "away" or wait is None:
                raise Stopped(answer.message or answer.kind)
            await asyncio.sleep(wait)

    async def _until(self, seen: Callable[[], Awaitable[bool]]) -> str:
        began = self._clock.monotonic()
        while self._clock.monotonic() - began < _PATIENCE:
            if await seen():
                return ""
            await asyncio.sleep(0.4)
        raise Stopped("")

    async def _scored(self, token: str, lines: list[Line]) -> bool:
        """Whether everybody's whole past has become a score, so that today's events find the bands they cross from."""
        past = [line for line in lines if not line.live]
        for key, (_, person) in people().items():
            name = f"user_id:story-{key}"
            journey = await self._sisters.get("journey", f"/v1/customers/{name}", token)
            scores = await self._sisters.get("scoring", f"/v1/customers/{name}/scores", token)
            if not isinstance(journey, Told) or not isinstance(scores, Told):
                return False
            known, scored = mapping(journey.document), mapping(scores.document)
            if (number(known.get("touchpoints")) or 0) < touchpoints_of(past, person):
                return False
            if (number(scored.get("journey_version")) or 0) < (number(known.get("version")) or 0):
                return False
        return True

    async def _alerted(self, token: str) -> bool:
        subject = await self._id_of_red(token)
        answer = await self._sisters.get("notify", "/v1/alerts", token, subject=subject, limit=1)
        return subject is not None and isinstance(answer, Told) and bool(items(answer.document))

    async def _written_to(self, token: str) -> bool:
        subject = await self._id_of_red(token)
        answer = await self._sisters.get("notify", f"/v1/customers/{subject}/messages", token, limit=1)
        return subject is not None and isinstance(answer, Told) and bool(items(answer.document))

    async def _id_of_red(self, token: str) -> str | None:
        answer = await self._sisters.get("journey", f"/v1/customers/user_id:story-{RED}", token)
        return text(mapping(answer.document).get("customer_id")) or None if isinstance(answer, Told) else None


async def issue_key(sisters: Sisters, token: str, source: str, role: str) -> str | Silent:
    """A new write key of a source, which is made where it is missing; what ingest said instead."""
    created = await sisters.post("ingest", "/v1/sources", token, {"name": source, "role": role})
    if isinstance(created, Silent) and created.code != "source_taken":
        return created
    issued = await sisters.post("ingest", "/v1/keys", token, {"source": source})
    return text(mapping(issued.document).get("write_key")) if isinstance(issued, Told) else issued


def _must(answer: Answer) -> None:
    if isinstance(answer, Silent):
        raise Stopped(answer.message or answer.kind)
