"""The application every service starts from: health, metrics, lag and dead letters are the same on each."""

from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

import msgspec
from fastapi import Depends, FastAPI
from starlette.responses import PlainTextResponse, Response

from jornada.access.grants import Principal
from jornada.bus.carrier import BusUnavailable
from jornada.bus.dead_letters import DeadLetter, DeadLetters, Place
from jornada.bus.lag import Lag, LagMeter
from jornada.bus.replaying import replay_round
from jornada.bus.worker import Outdated, Worker
from jornada.db import Conflict, Unavailable
from jornada.observe import metrics
from jornada.web import documents, problems
from jornada.web.auth import Gate
from jornada.web.middleware import Edge
from jornada.web.pages import Limit, cursor_at, instant_after, page

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
    """Adds the list of what the worker could not fold, one of it whole, and the replay of one or of all."""

    @app.get("/v1/dead-letters", tags=["operations"])
    async def listed(
        principal: Principal = Depends(gate.needs("read")),
        limit: Limit = 100,
        cursor: str | None = None,
        waiting: bool = False,
    ) -> Response:
        """Records that could not be processed, with why, the oldest first; `waiting`: only those never replayed."""
        found = await letters.page(principal.workspace, limit + 1, _place(cursor), waiting=waiting)
        items = [line._asdict() for line in found[:limit]]
        return answer(page(items, cursor_at(*found[limit - 1].place) if len(found) > limit else None))

    @app.get("/v1/dead-letters/{id}", tags=["operations"])
    async def shown(id: UUID, principal: Principal = Depends(gate.needs("read"))) -> Response:
        """One of them; what it holds (`key`, `headers`, `value`, `error`) only to tokens of the scope `payloads`."""
        return answer(_document(await _known(principal, id), "payloads" in principal.scopes))

    still = (409, "still_failing", "It failed again.")

    @app.post("/v1/dead-letters/{id}/replay", tags=["operations"], responses=documents.refusals(still))
    async def replayed(id: UUID, principal: Principal = Depends(gate.needs("admin"))) -> Response:
        """Processes one again; twice equals once."""
        letter = await _known(principal, id)
        try:
            await worker.replay(letter)
        except (Unavailable, BusUnavailable, Conflict):
            raise
        except Exception as error:
            raise problems.Problem(409, "still_failing", f"It failed again: {type(error).__name__}.") from error
        return answer({"id": letter.id, "status": "replayed"})

    old = (409, "outdated", "What is stored was made by a newer release than this one.")

    @app.post("/v1/dead-letters/replay", tags=["operations"], responses=documents.refusals(old))
    async def replayed_all(
        principal: Principal = Depends(gate.needs("admin")), limit: Limit = 100, cursor: str | None = None
    ) -> Response:
        """Processes again up to `limit` of those never replayed, for at most 15 s; `next` is the cursor to go on with.

        One that fails again keeps waiting and stops nobody else's.
        """
        try:
            done = await replay_round(worker, letters, principal.workspace, limit, _place(cursor))
        except Outdated as error:
            raise problems.Problem(409, "outdated", str(error)) from error
        failed = [{"id": id_, "error": error} for id_, error in done.failed]
        next_ = None if done.next is None else cursor_at(*done.next)
        return answer({"replayed": done.replayed, "failed": failed, "waiting": done.waiting, "next": next_})

    async def _known(principal: Principal, id_: UUID) -> DeadLetter:
        letter = await letters.one(principal.workspace, id_)
        if letter is None:
            raise problems.Problem(404, "not_found", "No such dead letter.")
        return letter


def _place(cursor: str | None) -> Place | None:
    position = instant_after(cursor)
    return None if position is None else Place(*position)


def _document(letter: DeadLetter, payloads: bool) -> dict[str, object]:
    record = letter.record
    document: dict[str, object] = {
        "id": letter.id,
        "carrier": letter.carrier,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "reason": letter.reason,
        "since": letter.since,
        "replayed_at": letter.replayed_at,
    }
    return document | (_held(letter) if payloads else {})


def _held(letter: DeadLetter) -> dict[str, object]:
    """What is personal in it: the record, and the error, which may quote it."""
    record = letter.record
    return {
        "error": letter.error,
        "key": record.key.decode("utf-8", "replace"),
        "headers": {name: value.decode("utf-8", "replace") for name, value in record.headers},
        "value": (record.value or b"").decode("utf-8", "replace"),
    }
