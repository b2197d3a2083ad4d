"""The application every service starts from: health, metrics, lag and dead letters are the same on each."""

from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

import msgspec
from fastapi import Depends, FastAPI
from starlette.responses import PlainTextResponse, Response

from jornada.access.grants import Principal
from jornada.bus.carrier import BusUnavailable
from jornada.bus.dead_letters import DeadLetter, DeadLetters
from jornada.bus.lag import Lag, LagMeter
from jornada.bus.worker import Worker
from jornada.db import Conflict, Unavailable
from jornada.observe import metrics
from jornada.web import documents, problems
from jornada.web.auth import Gate
from jornada.web.middleware import Edge
from jornada.web.pages import Limit, cursor_of, id_after, page

Check = Callable[[], Awaitable[str | None]]
"""Says what is wrong with a part, or None when all is well."""


def answer(value: object, status: int = 200) -> Response:
    """A JSON answer, encoded by msgspec (exact numbers, no NaN turned into null)."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def application(
    service: str,
    description: str,
    *,
    checks: Mapping[str, Check],
    lag: LagMeter | None = None,
    body_limit: int = 1_048_576,
) -> FastAPI:
    """A FastAPI application with what every service answers. `checks` name the parts that `/readyz` asks."""
    app = FastAPI(
        title=f"Jornada {service}",
        description=description,
        version="1",
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    documents.describe(app)
    app.add_middleware(Edge, service=service, body_limit=body_limit)

    @app.get("/livez", tags=["health"])
    async def livez() -> Response:
        """200 while the process answers."""
        return answer({"status": "ok"})

    @app.get("/readyz", tags=["health"], responses=documents.example({"status": "unready", "wrong": {}}, 503))
    async def readyz() -> Response:
        """200 when every part works, else 503 and what is wrong, part by part."""
        wrong = {name: said for name, check in checks.items() if (said := await check()) is not None}
        return answer({"status": "unready" if wrong else "ok", "wrong": wrong}, 503 if wrong else 200)

    @app.get("/metrics", tags=["health"], response_class=PlainTextResponse)
    async def exposed() -> Response:
        """Metrics in Prometheus' text format."""
        return Response(metrics.exposition(), media_type="text/plain; version=0.0.4")

    @app.get("/v1/lag", tags=["health"], responses=documents.refusals((503, "unavailable", "The stream is away.")))
    async def lagging() -> Response:
        """How far the service is behind the stream; `caught_up` covers all that was acked before the request."""
        return answer(await lag.read() if lag is not None else Lag(True, 0.0, [], 0))

    return app


def serve_dead_letters(app: FastAPI, gate: Gate, letters: DeadLetters, worker: Worker) -> None:
    """Adds the list and the replay of what the worker could not fold."""

    @app.get("/v1/dead-letters", tags=["operations"])
    async def listed(
        principal: Principal = Depends(gate.needs("read")), limit: Limit = 100, cursor: str | None = None
    ) -> Response:
        """Records that could not be processed, with why."""
        found = await letters.page(principal.workspace, limit + 1, id_after(cursor))
        payloads = "payloads" in principal.scopes
        items = [_document(letter, payloads) for letter in found[:limit]]
        return answer(page(items, cursor_of(str(found[limit - 1].id)) if len(found) > limit else None))

    still = (409, "still_failing", "It failed again.")

    @app.post("/v1/dead-letters/{id}/replay", tags=["operations"], responses=documents.refusals(still))
    async def replayed(id: UUID, principal: Principal = Depends(gate.needs("admin"))) -> Response:
        """Processes one again; twice equals once."""
        letter = await letters.one(principal.workspace, id)
        if letter is None:
            raise problems.Problem(404, "not_found", "No such dead letter.")
        try:
            await worker.replay(letter)
        except (Unavailable, BusUnavailable, Conflict):
            raise
        except Exception as error:
            raise problems.Problem(409, "still_failing", f"It failed again: {type(error).__name__}.") from error
        return answer({"id": letter.id, "status": "replayed"})


def _document(letter: DeadLetter, payloads: bool) -> dict[str, object]:
    record = letter.record
    document: dict[str, object] = {
        "id": letter.id,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "reason": letter.reason,
        "since": letter.since,
        "replayed_at": letter.replayed_at,
    }
    return document | ({"value": record.value.decode("utf-8", "replace")} if payloads else {})
