"""What-if: a changed profile over history, beside what is configured today, held against what really happened."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

from fastapi import Body, Depends, FastAPI, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from jornada.access.grants import Principal
from jornada.clock import Clock
from jornada.db import Database
from jornada.web import Gate, Problem, documents
from jornada.web.app import answer
from services.scoring.api.faces import Document, instant_text, subject_face
from services.scoring.api.profiles import EXAMPLE as PROFILE
from services.scoring.api.profiles import INVALID, read_profile
from services.scoring.domain.hindsight.tally import MONTH, Asked, Changed, Side, Stands, Tally
from services.scoring.domain.scores import Configuration
from services.scoring.domain.shapes import significant
from services.scoring.store import facts, profiles
from services.scoring.store.profiles import in_order
from services.scoring.what_if.running import Busy, WhatIfs

_T = TypeVar("_T")
USUAL = timedelta(days=180)
_MOST_INSTANTS = 100
_BANDS = ("green", "yellow", "red", "unknown")
_OUTCOMES = ("right", "in_vain", "late", "open")
_EXAMPLE = {"name": "renewing", "profile": PROFILE, "from": "2026-01-01T00:00:00Z", "until": "2026-06-30T00:00:00Z"}
_SIDE = {
    "bands": {"green": 512, "yellow": 71, "red": 40, "unknown": 9},
    "warned": 31,
    "recall": 0.775,
    "lead_days": 11.4,
    "warnings": {"right": 33, "in_vain": 12, "late": 3, "open": 9},
    "precision": 0.733333333,
    "false_alarms_per_100_customer_months": 0.352,
}
_ANSWER = {
    "from": "2026-01-01T00:00:00.000000Z",
    "until": "2026-06-30T00:00:00.000000Z",
    "every_days": 7,
    "subjects": 632,
    "sampled": False,
    "left": {"total": 40, "contract": 11, "silence": 29, "deletion": 0},
    "customer_months": 3409.1,
    "today": _SIDE,
    "changed": _SIDE | {"warned": 34, "recall": 0.85, "lead_days": 15.2},
    "earlier_days": 3.5,
    "changes": {
        "subjects": 21,
        "turns": {"yellow": {"red": 21}},
        "who": [
            {
                "subject": {"type": "customer", "id": "0198f3a2-7c11-7d2e-9c55-1f0a4b6d8e21", "name": "Ana Souza"},
                "stage": "active",
                "today": {"score": 44.1, "band": "yellow", "profile": "saas@1"},
                "changed": {"score": 31.7, "band": "red", "profile": "renewing@1"},
            }
        ],
    },
}


class Question(BaseModel):
    """A profile as it would be saved under a name, and over which time and how many subjects it is tried."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="As in `PUT /v1/profiles/{name}`: what stands under it is replaced, for the trial.")
    profile: dict[str, Any]
    from_: AwareDatetime | None = Field(default=None, alias="from", description="180 days before `until` by default.")
    until: AwareDatetime | None = Field(default=None, description="Now by default.")
    every_days: int = Field(default=7, ge=1, le=90, description="From each instant looked at to the next.")
    subjects: int = Field(default=1_000, ge=1, le=10_000, description="How many customers and accounts to look at.")
    most: int = Field(default=50, ge=0, le=1_000, description="How many of those who change band to list.")


def serve(app: FastAPI, gate: Gate, database: Database, what_ifs: WhatIfs, clock: Clock) -> None:
    """Adds the route."""

    @app.post(
        "/v1/what-if",
        tags=["what-if"],
        responses={**documents.example(_ANSWER), **documents.refusals(INVALID)},
    )
    async def what_if(
        request: Request,
        question: Annotated[Question, Body(examples=[_EXAMPLE])],
        principal: Principal = Depends(gate.needs("read")),
    ) -> Response:
        """Runs a changed profile, beside what is configured today, over how everybody stood at a row of instants.

        Who would have another band; and of those who then left how many each would have warned of, how much earlier,
        and how often in vain. Nothing is changed. `left`: by contract where there is one (cancelled, or not renewed),
        else by no act of use for the horizon of the profile that holds today, looked at `every_days`. A warning is an
        entry into red: `right` if they left within the horizon, `in_vain` if not, `late` if they had left before,
        `open` while it is not over. `lead_days`, `earlier_days`: medians. `sampled`: there are more subjects than
        were looked at within 30 s. One runs at a time: 503 `busy` else.
        """
        instants = _instants(question, clock.now())
        today, changed = await _configurations(database, principal, question)
        asked = Asked(instants=instants, most=question.most)
        token = request.headers["authorization"]
        try:
            tried = await while_there(request, what_ifs.tried(token, today, changed, asked, question.subjects))
        except Busy:
            raise Problem(503, "busy", "Another what-if is running; try again.", retry_after=5) from None
        return answer(_face(tried.tally, question, instants) | {"sampled": not tried.whole})


async def _configurations(
    database: Database, principal: Principal, question: Question
) -> tuple[Configuration, Configuration]:
    """What is configured today, and what would be with the profile saved."""
    workspace = principal.workspace
    async with database.transaction([workspace]) as connection:
        known = await profiles.saved(connection, workspace)
        force = (await facts.in_force(connection, [workspace]))[workspace]
    profile, changes = read_profile(question.name, question.profile, known.get(question.name))
    if not changes:
        return force, force
    own = [profile, *(each for each in force.own if each.name != question.name)]
    return force, force._replace(own=in_order(own))


def _instants(question: Question, now: datetime) -> list[datetime]:
    """From the last one back, every so many days, in order; 400 where there are too many, or none to come back from."""
    try:
        until = min((question.until or now).astimezone(UTC), now)
        begin = (question.from_ or until - USUAL).astimezone(UTC)
        every = timedelta(days=question.every_days)
        number = (until - begin) // every + 1
        if not 2 <= number <= _MOST_INSTANTS:
            raise Problem(
                400,
                "invalid_what_if",
                f"From `from` to `until`, every `every_days` days, it must be 2 to {_MOST_INSTANTS} instants.",
            )
        return [until - place * every for place in reversed(range(number))]
    except OverflowError:
        raise Problem(400, "invalid_what_if", "`from` and `until` must be instants that there are.") from None


async def while_there(request: Request, work: Coroutine[Any, Any, _T]) -> _T:
    """The result of work that ends with whoever asked for it."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(_gone(request))
    try:
        await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return await working
        raise Problem(499, "gone", "Nobody waits for the answer.")
    finally:
        leaving.cancel()
        working.cancel()
        await asyncio.wait([working])


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _face(tally: Tally, question: Question, instants: list[datetime]) -> Document:
    left = sum(tally.left.values())
    months = tally.followed / MONTH
    return {
        "from": instant_text(instants[0]),
        "until": instant_text(instants[-1]),
        "every_days": question.every_days,
        "subjects": tally.subjects,
        "left": {"total": left, **dict.fromkeys(("contract", "silence", "deletion"), 0), **tally.left},
        "customer_months": significant(months),
        "today": _side(tally.today, left, months),
        "changed": _side(tally.changed, left, months),
        "earlier_days": tally.earlier_days,
        "changes": {
            "subjects": sum(number for to in tally.turns.values() for number in to.values()),
            "turns": tally.turns,
            "who": [_who(each) for each in tally.who],
        },
    }


def _side(side: Side, left: int, months: float) -> Document:
    warned, in_vain = len(side.leads), side.warnings.get("in_vain", 0)
    return {
        "bands": {**dict.fromkeys(_BANDS, 0), **side.bands},
        "warned": warned,
        "recall": significant(warned / left) if left else None,
        "lead_days": side.lead_days,
        "warnings": {**dict.fromkeys(_OUTCOMES, 0), **side.warnings},
        "precision": side.precision,
        "false_alarms_per_100_customer_months": significant(100 * in_vain / months) if months else None,
    }


def _who(changed: Changed) -> Document:
    journey = changed.journey
    return {
        "subject": subject_face(journey),
        "stage": journey.stage.name,
        "today": _stands(changed.today),
        "changed": _stands(changed.changed),
    }


def _stands(stands: Stands) -> Document:
    return {"score": stands.score, "band": stands.band, "profile": stands.profile}
