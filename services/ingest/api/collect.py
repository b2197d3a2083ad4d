"""The hot routes: one raw ASGI handler that takes events in Segment's dialect."""

import math
import time
from collections.abc import Callable
from functools import lru_cache

import msgspec
from prometheus_client import Counter, Histogram
from starlette.types import Message, Receive, Scope, Send

from jornada.access.grants import WriteGrant
from jornada.access.keyring import Keyring
from jornada.bus.carrier import BusUnavailable
from jornada.db import Conflict, Unavailable
from jornada.events.touchpoints import CallType
from jornada.observe import logs, metrics, trace
from jornada.web import Answer, Headers, Problem
from services.ingest.api.credentials import header_key, plausible
from services.ingest.domain.cloudevents import read_cloudevents
from services.ingest.domain.express import Judged, Sent, sent
from services.ingest.domain.reading import BODY_BYTES, Unreadable, inflated, too_large
from services.ingest.intake import Intake
from services.ingest.limits import Budget, Limits

_log = logs.get(__name__)

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

ALLOWED = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"retry-after, traceparent"),
]
"""Headers of every answer: any page may read it."""

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


class Collect:
    """Answers POST on the hot paths: 200 with a result for each event, or why not."""

    def __init__(self, intake: Intake, keyring: Keyring, limits: Limits) -> None:
        self._intake = intake
        self._keyring = keyring
        self._limits = limits

    def refusal(self, path: str, headers: Headers) -> Answer | None:
        """What is said to a request that is not to be begun as too many stand in line; it costs next to nothing."""
        wait = self._limits.turns.wait()
        if wait <= LONGEST_LINE or (wait <= BROWSERS_LONGEST_LINE and any(name == b"origin" for name, _ in headers)):
            return None
        _requests(path, _OVERLOADED.status).inc()
        return _OVERLOADED

    async def __call__(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request on `path`, one of READERS."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        traceparent = trace.begin(headers.get(b"traceparent"))
        began = time.perf_counter()
        body = _Body(self._limits.bytes)
        try:
            if scope["method"] == "POST":
                answer = await self._collected(path, scope["headers"], headers, receive, body)
            else:
                answer = _NOT_ALLOWED
        except Gone:
            return
        except Exception as error:
            answer = _failed(error, path)
        finally:
            body.give_back()
        _requests(path, answer.status).inc()
        _request_seconds(path).observe(time.perf_counter() - began)
        more = [(b"content-length", b"%d" % len(answer.body)), (b"traceparent", traceparent.encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers + more})
        await send({"type": "http.response.body", "body": answer.body})

    async def _collected(
        self, path: str, lines: Headers, headers: dict[bytes, bytes], receive: Receive, body: "_Body"
    ) -> Answer:
        wait = self._limits.all.wait(None)
        if wait:
            raise overloaded(wait)
        key = header_key(headers)
        grant = await self._grant(key) if key is not None else None
        raw = await body.read(headers.get(b"content-length"), receive)
        if self._limits.turns.must_wait():
            await self._limits.turns.wait_for_one()
        if b"content-encoding" in headers:
            raw = body.counted(inflated(raw, headers[b"content-encoding"].decode("latin-1")))
        request = READERS[path](raw, lines)
        if grant is None:
            grant = await self._grant(request.write_key)
        self._limits.spend(grant.key_id, request.count)
        results = await self._intake.take(request, grant)
        return Answer(200, _HEADERS, _json.encode({"success": True, "results": results}))

    async def _grant(self, key: str | None) -> WriteGrant:
        grant = None
        if key is not None and plausible(key):
            grant = self._keyring.known(key) or await self._keyring.write_grant(key)
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

    async def read(self, length: bytes | None, receive: Receive) -> bytes:
        """The whole body as sent. Raises Problem, Unreadable, Gone."""
        if length is not None and length.isdigit() and int(length[:20]) > BODY_BYTES:
            raise too_large()
        message = await receive()
        whole = self._part(message)
        while message.get("more_body", False):
            message = await receive()
            whole += self._part(message)
        return whole

    def _part(self, message: Message) -> bytes:
        if message["type"] != "http.request":
            raise Gone
        part: bytes = message.get("body", b"")
        if self._taken + len(part) > BODY_BYTES:
            raise too_large()
        return self.counted(part)

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


_HEADERS = [*ALLOWED, (b"content-type", b"application/json")]
_json = msgspec.json.Encoder()


def _seconds(wait: float) -> int:
    return min(LONGEST_WAIT, max(1, math.ceil(wait)))


@lru_cache(1_000)
def _requests(path: str, status: int) -> Counter:
    return metrics.REQUESTS.labels("ingest", path, str(status))


@lru_cache(100)
def _request_seconds(path: str) -> Histogram:
    return metrics.REQUEST_SECONDS.labels("ingest", path)


def _failed(error: Exception, path: str) -> Answer:
    """What is said when there are no results."""
    match error:
        case Unreadable():
            return _refused(Problem(error.status, error.code, str(error)))
        case Problem():
            return _refused(error)
        case BusUnavailable() | Unavailable() | Conflict() | TimeoutError():
            _log.warning("events.unavailable", route=path, error=type(error).__name__)
            return _refused(unavailable())
        case _:
            _log.error("events.failed", route=path, exc_info=error)
            return _refused(Problem(500, "internal", "Something broke on our side; it is in the log."))


def _refused(problem: Problem) -> Answer:
    status, headers, body = problem.answer()
    return Answer(status, [*ALLOWED, *headers], body)


_OVERLOADED = _refused(overloaded())
_NOT_ALLOWED = _refused(Problem(405, "method_not_allowed", "Events are sent by POST."))
_NOT_ALLOWED.headers.append((b"allow", b"POST, OPTIONS"))
