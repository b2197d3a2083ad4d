"""Overrides: a person's word on a subject's health, for a while, with its author and its reason."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import Body, Depends, FastAPI
from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import Response

from jornada.access.grants import Principal
from jornada.clock import Clock
from jornada.db import Database
from jornada.web import Gate, Problem, documents
from jornada.web.app import answer
from jornada.web.pages import page
from services.scoring.api.faces import Document, health_face, instant_text, said_face
from services.scoring.api.subjects import KINDS, found
from services.scoring.domain.overriding import Override
from services.scoring.domain.scores import score
from services.scoring.store import overrides
from services.scoring.store.reading import Readings, Scored

LONGEST = timedelta(days=366)
_TEXT = r"^[^\x00]*[^\x00\s][^\x00]*$"
_EXAMPLE = {
    "band": "green",
    "reason": "Their champion told me that they are on summer break.",
    "author": "Carla Dias",
    "until": "2026-04-15T00:00:00Z",
}
_INVALID = (422, "invalid_override", "It contradicts itself; `errors` names everything wrong.")


class Word(BaseModel):
    """What health is to be shown as: a `score`, whose band it then is, or a `band` alone."""

    score: float | None = Field(default=None, ge=0, le=100, allow_inf_nan=False)
    band: Literal["green", "yellow", "red"] | None = None
    reason: str = Field(max_length=1_000, pattern=_TEXT)
    author: str = Field(max_length=200, pattern=_TEXT)
    until: AwareDatetime


def serve(app: FastAPI, gate: Gate, database: Database, readings: Readings, clock: Clock) -> None:
    """Adds the routes, the same ones for customers and for accounts."""
    for kind in KINDS:
        _serve(app, gate, database, readings, clock, kind)


def _serve(app: FastAPI, gate: Gate, database: Database, readings: Readings, clock: Clock, kind: str) -> None:
    type_ = KINDS[kind].type
    path = f"/v1/{kind}/{{ref}}/override"

    @app.put(path, tags=["overrides"], name=f"override_{type_}", responses=documents.refusals(_INVALID))
    async def put(
        ref: str,
        word: Annotated[Word, Body(examples=[_EXAMPLE])],
        principal: Principal = Depends(gate.needs("write")),
        dry_run: bool = False,
    ) -> Response:
        """Shows a subject's health as this until the instant named; what is computed is kept beside it.

        Crossings and alerts go by what is computed. It stands in the place of the one before, which is kept.
        """
        now = clock.now()
        override = _override(word, now)
        subject = await found(readings, principal, kind, ref)
        if not dry_run:
            id_ = subject.journey.subject_id
            async with database.transaction([principal.workspace]) as connection:
                if not await overrides.hold(connection, principal.workspace, id_):
                    raise Problem(404, "not_found", f"No such {type_}.")
                await overrides.set_(connection, principal.workspace, id_, override, principal.token_id)
        return answer(await _shown(readings, principal, subject, override, now) | {"dry_run": dry_run})

    @app.delete(path, tags=["overrides"], name=f"take_back_override_of_{type_}")
    async def delete(ref: str, principal: Principal = Depends(gate.needs("write")), dry_run: bool = False) -> Response:
        """Takes back the override that stands; it is kept as history."""
        now = clock.now()
        subject = await found(readings, principal, kind, ref)
        id_ = subject.journey.subject_id
        stood = await readings.override(principal.workspace, id_, now) is not None
        if stood and not dry_run:
            async with database.transaction([principal.workspace]) as connection:
                held = await overrides.hold(connection, principal.workspace, id_)
                stood = held and await overrides.end(connection, principal.workspace, id_, now, principal.token_id)
        if not stood:
            raise Problem(404, "not_found", "No override stands.")
        return answer(await _shown(readings, principal, subject, None, now) | {"dry_run": dry_run})

    @app.get(f"{path}s", tags=["overrides"], name=f"overrides_of_{type_}")
    async def listed(ref: str, principal: Principal = Depends(gate.needs("read"))) -> Response:
        """The latest hundred, the newest first, with who set and who ended each: a token's id."""
        subject = await found(readings, principal, kind, ref)
        async with database.transaction([principal.workspace]) as connection:
            said = await overrides.all_of(connection, principal.workspace, subject.journey.subject_id)
        return answer(page([said_face(each, clock.now()) for each in said], None))


def _override(word: Word, now: datetime) -> Override:
    """The override that is asked for; 422 where it contradicts itself."""
    flaws = []
    if (word.score is None) == (word.band is None):
        flaws.append({"at": "/score", "message": "must be said, or else the band; not both"})
    if not now < word.until <= now + LONGEST:
        flaws.append({"at": "/until", "message": f"must be in the future, and within {LONGEST.days} days"})
    if flaws:
        raise Problem(422, "invalid_override", f"{flaws[0]['at']} {flaws[0]['message']}", errors=flaws)
    return Override(word.score, word.band, word.author, word.reason, now, word.until)


async def _shown(
    readings: Readings, principal: Principal, subject: Scored, override: Override | None, now: datetime
) -> Document:
    """The subject's health as it is shown under an override, or under none."""
    configuration = await readings.configuration(principal.workspace)
    scores = score(subject.journey, configuration, now, override)
    return {"as_of": instant_text(scores.as_of), "health": health_face(scores.shown, "en")}
