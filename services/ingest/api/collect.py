"""The hot routes: one raw ASGI handler that takes events in Segment's dialect."""

import asyncio
import math
import time
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import msgspec
from prometheus_client import Counter, Histogram
from starlette.types import Receive, Scope, Send

from jornada.access.grants import WriteGrant
from jornada.access.keyring import Keyring
from jornada.bus.carrier import BusUnavailable
from jornada.db import Conflict, Unavailable
from jornada.events.touchpoints import CallType
from jornada.observe import logs, metrics, trace
from jornada.web import Problem
from services.ingest.api.credentials import header_key, plausible
from services.ingest.domain.cloudevents import read_cloudevents
from services.ingest.domain.express import Judged, Sent, sent
from services.ingest.domain.reading import BODY_BYTES, Unreadable, inflated, too_large
from services.ingest.intake import Intake
from services.ingest.limits import Budget, Limits

_log = logs.get(__name__)

BODY_SECONDS = 10.0
LONGEST_LINE, BROWSERS_LONGEST_LINE = 0.15, 0.4
"""Seconds to wait in line from which on requests are turned away. Browsers last: they send nothing a second time."""
LONGEST_WAIT = 300

PATHS: dict[str, CallType | None] = {
    "/v1/identify": "identify",
    "/v1/track": "track",
    "/v1/page": "page",
    "/v1/screen": "screen",
    "/v1/group": "group",
    "/v1/alias": "alias",
    "/v1/batch": None,
    "/v1/import": None,
    "/v1/i": "identify",
    "/v1/t": "track",
    "/v1/p": "page",
    "/v1/s": "screen",
    "/v1/g": "group",
    "/v1/a": "alias",
    "/v1/b": None,
}
"""Segment's paths, without a trailing slash, and what each says of an event; None for those that take a batch."""

Headers = list[tuple[bytes, bytes]]
Reader = Callable[[bytes, Headers], Sent]


def _reader(type_: CallType | None) -> Reader:
    return lambda body, _headers: sent(body, "single" if type_ else "batch", type_)


READERS: dict[str, Reader] = {
    **{path: _reader(type_) for path, type_ in PATHS.items()},
    "/v1/events": lambda body, _headers: sent(body, "events"),
    "/v1/cloudevents": lambda body, headers: Judged(read_cloudevents(body, headers)),
}
"""Every hot path, and how its bodies are read."""


class Gone(Exception):
    """The sender hung up before the end of its body."""


class _Answer(NamedTuple):
    status: int
    body: bytes
    headers: list[tuple[bytes, bytes]]


class Collect:
    """Answers POST on the hot paths: 200 with a result for each event, or why not."""

    def __init__(self, intake: Intake, keyring: Keyring, limits: Limits) -> None:
        self._intake = intake
        self._keyring = keyring
        self._limits = limits

    async def __call__(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request on `path`, one of READERS."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if self._too_late(headers):
            _requests(path, _OVERLOADED.status).inc()
            await _said(send, _OVERLOADED, [])
            return
        traceparent = trace.begin(headers.get(b"traceparent", b"").decode("latin-1"))
        began = time.perf_counter()
        body = _Body(self._limits.bytes)
        try:
            answer = await self._answered(path, scope, headers, receive, body)
        except Gone:
            return
        finally:
            body.give_back()
        _requests(path, answer.status).inc()
        _request_seconds(path).observe(time.perf_counter() - began)
        await _said(send, answer, [(b"traceparent", traceparent.encode())])

    async def _answered(
        self, path: str, scope: Scope, headers: dict[bytes, bytes], receive: Receive, body: "_Body"
    ) -> _Answer:
        try:
            if scope["method"] != "POST":
                return _NOT_ALLOWED
            return await self._collected(path, scope, headers, receive, body)
        except Gone:
            raise
        except Unreadable as error:
            return _refused(Problem(error.status, error.code, str(error)))
        except Problem as problem:
            return _refused(problem)
        except (BusUnavailable, Unavailable, Conflict, TimeoutError) as error:
            _log.warning("events.unavailable", route=path, error=type(error).__name__)
            return _refused(unavailable())
        except Exception:
            _log.exception("events.failed", route=path)
            return _refused(Problem(500, "internal", "Something broke on our side; it is in the log."))

    async def _collected(
        self, path: str, scope: Scope, headers: dict[bytes, bytes], receive: Receive, body: "_Body"
    ) -> _Answer:
        wait = self._limits.all.wait(None)
        if wait:
            raise overloaded(wait)
        key = header_key(headers)
        grant = await self._grant(key) if key is not None else None
        raw = await body.read(headers.get(b"content-length", b""), receive)
        await self._limits.turns.take()
        encoding = headers.get(b"content-encoding", b"").decode("latin-1")
        request = READERS[path](body.counted(inflated(raw, encoding)), scope["headers"])
        if grant is None:
            grant = await self._grant(request.write_key)
        self._limits.spend(grant.key_id, request.count)
        results = await self._intake.take(request, grant)
        return _Answer(200, _json.encode({"success": True, "results": results}), _JSON)

    def _too_late(self, headers: dict[bytes, bytes]) -> bool:
        """Whether too many stand in line: asked before anything else, since it must cost next to nothing."""
        wait = self._limits.turns.wait()
        return wait > LONGEST_LINE and (wait > BROWSERS_LONGEST_LINE or b"origin" not in headers)

    async def _grant(self, key: str | None) -> WriteGrant:
        grant = await self._keyring.write_grant(key) if key is not None and plausible(key) else None
        if grant is None:
            raise Problem(401, "invalid_write_key", "Send a valid write key, as the user name of Basic for instance.")
        wait = self._limits.keys.wait(grant.key_id)
        if wait:
            raise Problem(429, "rate_limited", "This write key sends too much.", retry_after=_seconds(wait))
        return grant


def overloaded(wait: float = 0.0) -> Problem:
    """503: there is too much to do; nothing of the request was acknowledged."""
    return Problem(503, "overloaded", "Too much is in hand; send the events again.", retry_after=_seconds(wait))


def unavailable(retry_after: int = 2) -> Problem:
    """503: nothing of the request was acknowledged."""
    return Problem(503, "unavailable", "The events could not be stored now; send them again.", retry_after=retry_after)


class _Body:
    """One request's body, counted against what all may take together."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._taken = 0

    async def read(self, length: bytes, receive: Receive) -> bytes:
        """The whole body as sent. Raises Problem, Unreadable, Gone."""
        if length.isdigit() and int(length[:20]) > BODY_BYTES:
            raise too_large()
        chunks: list[bytes] = []
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while await self._next(receive, chunks):
                    pass
        except TimeoutError:
            raise Problem(408, "body_too_slow", "The body did not arrive in time.") from None
        return b"".join(chunks)

    async def _next(self, receive: Receive, chunks: list[bytes]) -> bool:
        message = await receive()
        if message["type"] != "http.request":
            raise Gone
        chunk = message.get("body", b"")
        if self._taken + len(chunk) > BODY_BYTES:
            raise too_large()
        chunks.append(self.counted(chunk))
        return bool(message.get("more_body", False))

    def counted(self, part: bytes) -> bytes:
        """The part, once there is room for it. Raises a 503."""
        if not self._budget.take(len(part)):
            raise overloaded()
        self._taken += len(part)
        return part

    def give_back(self) -> None:
        """Gives back what the request took."""
        self._budget.give_back(self._taken)
        self._taken = 0


_JSON = [(b"content-type", b"application/json")]
_json = msgspec.json.Encoder()


def _seconds(wait: float) -> int:
    return min(LONGEST_WAIT, max(1, math.ceil(wait)))


@lru_cache(1_000)
def _requests(path: str, status: int) -> Counter:
    return metrics.REQUESTS.labels("ingest", path, str(status))


@lru_cache(100)
def _request_seconds(path: str) -> Histogram:
    return metrics.REQUEST_SECONDS.labels("ingest", path)


def _refused(problem: Problem) -> _Answer:
    response = problem.response()
    headers = [(name, value) for name, value in response.raw_headers if name != b"content-length"]
    return _Answer(problem.status, bytes(response.body), headers)


async def _said(send: Send, answer: _Answer, more: list[tuple[bytes, bytes]]) -> None:
    lines = [*answer.headers, (b"content-length", b"%d" % len(answer.body)), *more]
    await send({"type": "http.response.start", "status": answer.status, "headers": lines})
    await send({"type": "http.response.body", "body": answer.body})


_OVERLOADED = _refused(overloaded())
_NOT_ALLOWED = _refused(Problem(405, "method_not_allowed", "Events are sent by POST."))
_NOT_ALLOWED.headers.append((b"allow", b"POST, OPTIONS"))
