"""The risk board and the search."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from fastapi import Depends, FastAPI, Request
from starlette.responses import Response

from services.console.api.pages import Pages
from services.console.api.viewers import Viewer, seen_by
from services.console.domain import board as boards
from services.console.domain.actions import Action, alerted, decided, newest_first
from services.console.domain.reading import Document, items, mapping, segment, text
from services.console.domain.subjects import of_document
from services.console.sessions import Sessions
from services.console.sisters import Answer, Silent, Sisters, Told

Shown = Literal["red", "yellow", "green", "unknown", "all"]
Kind = Literal["customer", "account"]
_ROWS = 40
_NOTICES = 20


def serve(app: FastAPI, pages: Pages, sessions: Sessions, sisters: Sisters) -> None:
    """Adds the board, its live part, and the search."""

    @app.get("/", tags=["pages"])
    async def board(
        request: Request,
        band: Shown | None = None,
        type: Kind = "customer",
        viewer: Viewer = Depends(seen_by(sessions)),
    ) -> Response:
        """The risk board."""
        return pages.render(request, "board.html", viewer, **await _board(sisters, viewer, band, type, pages.now()))

    @app.get("/board", tags=["pages"])
    async def live_part(
        request: Request,
        band: Shown | None = None,
        type: Kind = "customer",
        viewer: Viewer = Depends(seen_by(sessions)),
    ) -> Response:
        """The part of the risk board that is fetched again when an alert arrives."""
        return pages.render(
            request, "board_live.html", viewer, **await _board(sisters, viewer, band, type, pages.now())
        )

    @app.get("/search", tags=["pages"])
    async def search(
        request: Request, q: str = "", stage: str = "", viewer: Viewer = Depends(seen_by(sessions))
    ) -> Response:
        """Customers found by name, identifier or stage."""
        answer = await sisters.get(
            "journey", "/v1/customers", viewer.api_token, q=q[:200] or None, stage=stage[:60] or None, limit=50
        )
        found = [(of_document(item), item) for item in items(answer.document)] if isinstance(answer, Told) else []
        return pages.render(request, "search.html", viewer, q=q, stage=stage, found=found, silent=silence(answer))


def silence(*answers: Answer) -> list[Silent]:
    """The services that gave no answer where one was due."""
    return [answer for answer in answers if isinstance(answer, Silent)]


async def _board(sisters: Sisters, viewer: Viewer, band: Shown | None, kind: Kind, now: datetime) -> dict[str, Any]:
    token = viewer.api_token
    shown = band or "red"
    query: dict[str, str | int | None] = {
        "type": kind,
        "sort": "revenue_at_risk",
        "limit": _ROWS,
        "lang": viewer.language.name,
    }
    query["band"] = None if shown == "all" else shown
    scores, distribution, stages, notices = await asyncio.gather(
        sisters.get("scoring", "/v1/scores", token, **query),
        sisters.get("scoring", "/v1/scores/distribution", token, type=kind),
        sisters.get("journey", "/v1/stages/counts", token),
        sisters.get("scoring", "/v1/notices", token, limit=_NOTICES),
    )
    rows = boards.rows(scores.document) if isinstance(scores, Told) else []
    rows = await _introduced(sisters, token, rows)
    done, unsaid = await _done(sisters, token, rows)
    bands = boards.distribution(distribution.document, kind) if isinstance(distribution, Told) else None
    return {
        "kind": kind,
        "shown": shown,
        "rows": rows,
        "more": bool(mapping(scores.document).get("next")) if isinstance(scores, Told) else False,
        "worth": boards.worth_together(rows),
        "done": done,
        "bands": bands,
        "shares": boards.shares(bands) if bands is not None else [],
        "stages": boards.stage_counts(stages.document, kind) if isinstance(stages, Told) else [],
        "imports": boards.imports(notices.document, now) if isinstance(notices, Told) else [],
        "trackers": boards.trackers(notices.document, now) if isinstance(notices, Told) else [],
        "silent": silence(scores, distribution, stages) + unsaid,
    }


async def _introduced(sisters: Sisters, token: str, rows: list[boards.Row]) -> list[boards.Row]:
    """The rows with names: scores know subjects by their identifiers only."""
    answers = await asyncio.gather(
        *(sisters.get("journey", f"/v1/{row.subject.type}s/{segment(row.subject.id)}", token) for row in rows)
    )
    journeys = [mapping(answer.document) if isinstance(answer, Told) else {} for answer in answers]
    ids = sorted({text(each.get("account_id")) for each in journeys if "customer_id" in each} - {""})
    found = await asyncio.gather(*(sisters.get("journey", f"/v1/accounts/{segment(id_)}", token) for id_ in ids))
    accounts = {
        id_: of_document(mapping(answer.document))
        for id_, answer in zip(ids, found, strict=True)
        if isinstance(answer, Told)
    }
    return [
        boards.introduced(row, each, accounts.get(text(each.get("account_id"))) if "customer_id" in each else None)
        for row, each in zip(rows, journeys, strict=True)
    ]


async def _done(
    sisters: Sisters, token: str, rows: list[boards.Row]
) -> tuple[dict[str, tuple[Action, ...]], list[Silent]]:
    """Subject id → what was done about those in red, and whether notify could not say."""
    ids = {row.subject.id: row.subject.type for row in rows if row.band == "red"}
    alerts = await asyncio.gather(*(sisters.get("notify", "/v1/alerts", token, subject=id_, limit=100) for id_ in ids))
    people = [id_ for id_, type_ in ids.items() if type_ == "customer"]
    decisions = await asyncio.gather(
        *(sisters.get("notify", f"/v1/customers/{segment(id_)}/decisions", token, limit=100) for id_ in people)
    )
    told = {id_: _newest(map(alerted, _items(answer))) for id_, answer in zip(ids, alerts, strict=True)}
    taken = {id_: _newest(map(decided, _items(answer))) for id_, answer in zip(people, decisions, strict=True)}
    done = {id_: newest_first([*taken.get(id_, []), *told[id_]]) for id_ in ids}
    return done, [each for each in silence(*alerts, *decisions) if each.kind == "away"][:1]


def _items(answer: Answer) -> list[Document]:
    return items(answer.document) if isinstance(answer, Told) else []


def _newest(actions: Iterable[Action]) -> tuple[Action, ...]:
    return newest_first(actions)[:1]
