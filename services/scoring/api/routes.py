"""The routes of reading: one subject's scores and their history, the board, and its counts."""

from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI, Query, Request
from starlette.responses import Response

from jornada.access.grants import Principal
from jornada.clock import Clock
from jornada.events import Band, SubjectId, SubjectType
from jornada.web import Gate, Limit, Problem, cursor_of, position_of
from jornada.web.app import answer
from jornada.web.pages import page
from services.scoring.api.faces import (
    TREND_DAYS,
    Language,
    history_face,
    row_face,
    scores_face,
)
from services.scoring.api.subjects import KINDS, found
from services.scoring.domain.scores import score
from services.scoring.domain.since import since_last
from services.scoring.sisters import Journeys
from services.scoring.store.reading import Among, Position, Readings, Sort

Name = Annotated[str | None, Query(max_length=200, pattern="^[^\\x00]*$")]
"""The name of a stage or a segment."""

FURTHEST = timedelta(days=3_650)
"""How far ahead of now scores can be asked for."""


def serve(app: FastAPI, gate: Gate, readings: Readings, journeys: Journeys, clock: Clock) -> None:
    """Adds scoring's reads."""
    for kind in KINDS:
        _serve_subject(app, gate, readings, journeys, clock, kind)
        _serve_history(app, gate, readings, kind)
    _serve_lists(app, gate, readings)


def _serve_subject(app: FastAPI, gate: Gate, readings: Readings, journeys: Journeys, clock: Clock, kind: str) -> None:
    type_ = KINDS[kind].type

    @app.get(f"/v1/{kind}/{{ref}}/scores", tags=["scores"], name=f"{type_}_scores")
    async def of_subject(
        request: Request,
        ref: str,
        principal: Principal = Depends(gate.needs("read")),
        as_of: str | None = None,
        lang: Language = "en",
    ) -> Response:
        """Health, churn risk and upsell propensity with their reasons, now or at any other instant.

        At a later one: if nothing happens. At an earlier one: what today's touchpoints up to it give, by what is
        configured now; `since_last` and `red_since` are then null, and 404 says that nothing was known by then. What
        was published is the history.
        """
        subject = await found(readings, principal, kind, ref)
        whom = principal.workspace, subject.journey.subject_id
        at = _instant(as_of, max(clock.now(), subject.journey.as_of))
        configuration = await readings.configuration(principal.workspace)
        since = None
        if at < subject.journey.as_of:
            past = await journeys.at(request.headers["authorization"], whom[1], at)
            if past is None:
                raise Problem(404, "not_found", f"Nothing was known of this {type_} by then.")
            subject = subject.as_it_was(past)
        elif (before := await readings.before(subject.journey)) is not None:
            since = since_last(subject.journey, before, configuration, at)
        said = await readings.override(*whom, at)
        scores = score(subject.journey, configuration, at, said)
        earlier = await readings.published(*whom, scores.as_of - timedelta(days=TREND_DAYS))
        return answer(scores_face(subject, scores, since, earlier, lang))


def _serve_history(app: FastAPI, gate: Gate, readings: Readings, kind: str) -> None:
    @app.get(f"/v1/{kind}/{{ref}}/scores/history", tags=["scores"], name=f"{KINDS[kind].type}_score_history")
    async def history(
        ref: str,
        principal: Principal = Depends(gate.needs("read")),
        limit: Limit = 100,
        cursor: str | None = None,
        lang: Language = "en",
    ) -> Response:
        """What was published of the subject, newest first."""
        subject = await found(readings, principal, kind, ref)
        before = _version(cursor) if cursor else None
        lines = await readings.history(principal.workspace, subject.journey.subject_id, limit + 1, before)
        items = [history_face(line, lang) for line in lines[:limit]]
        return answer(page(items, cursor_of(lines[limit - 1].version) if len(lines) > limit else None))


def _serve_lists(app: FastAPI, gate: Gate, readings: Readings) -> None:
    @app.get("/v1/scores", tags=["scores"])
    async def listed(
        *,
        principal: Principal = Depends(gate.needs("read")),
        among: Among = Depends(_among),
        sort: Sort = "revenue_at_risk",
        limit: Limit = 100,
        cursor: str | None = None,
        as_of: str | None = None,
        lang: Language = "en",
    ) -> Response:
        """Subjects as last scored, the most urgent first: by revenue at risk, lowest health, risk or newest band.

        `account` is the id of an account: of its people alone.
        """
        _no_as_of(as_of)
        after = _position(cursor, sort) if cursor else None
        rows = await readings.page(principal.workspace, sort, limit + 1, among=among, after=after)
        last = rows[limit - 1] if len(rows) > limit else None
        following = cursor_of(sort, repr(last.key), str(last.journey.subject_id)) if last else None
        return answer(page([row_face(row, lang) for row in rows[:limit]], following))

    @app.get("/v1/scores/distribution", tags=["scores"])
    async def distribution(
        principal: Principal = Depends(gate.needs("read")),
        type: SubjectType | None = None,
        as_of: str | None = None,
    ) -> Response:
        """How many subjects stand in each band, in all and by stage."""
        _no_as_of(as_of)
        bands = dict.fromkeys(("green", "yellow", "red", "unknown"), 0)
        stages: dict[str, dict[str, int]] = {}
        for each in await readings.counts(principal.workspace, type):
            bands[each.band] += each.subjects
            stages.setdefault(each.stage, dict.fromkeys(bands, 0))[each.band] += each.subjects
        return answer({"total": sum(bands.values()), "bands": bands, "stages": stages})


def _among(
    band: Band | None = None,
    type: SubjectType | None = None,
    stage: Name = None,
    segment: Name = None,
    account: UUID | None = None,
) -> Among:
    return Among(band, type, stage, segment, account)


def _instant(text: str | None, now: datetime) -> datetime:
    """The instant asked for; now by default."""
    if text is None:
        return now
    try:
        given = datetime.fromisoformat(text.replace(" ", "+"))
        at = given.astimezone(UTC) if given.tzinfo is not None else None
    except (ValueError, OverflowError):
        at = None
    if at is None:
        raise Problem(400, "invalid_as_of", "`as_of` is an RFC 3339 instant with a zone.")
    if at > now + FURTHEST:
        raise Problem(400, "as_of_too_far", f"Scores can be asked for up to {FURTHEST.days} days ahead.")
    return at


def _no_as_of(as_of: str | None) -> None:
    if as_of is not None:
        raise Problem(400, "as_of_unsupported", "Lists show subjects as last scored.")


def _version(cursor: str) -> int:
    (version, *rest) = position_of(cursor)
    if rest or not isinstance(version, int) or isinstance(version, bool) or not 0 <= version < 2**63:
        raise _broken()
    return version


def _position(cursor: str, sort: Sort) -> Position:
    position = position_of(cursor)
    try:
        by, key, id_ = position
        if by != sort or not isfinite(float(key)):
            raise _broken()
        return Position(float(key), SubjectId(UUID(id_)))
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise _broken() from None


def _broken() -> Problem:
    return Problem(400, "invalid_cursor", "The cursor is not one of ours, or of another list.")
