"""The hot routes: one raw ASGI handler that takes events in Segment's dialect."""

import math
from collections.abc import Callable, Coroutine, Iterable
from functools import lru_cache
from typing import Any

import msgspec

from jornada.access.grants import WriteGrant
from jornada.access.keyring import Keyring
from jornada.bus.carrier import BusUnavailable
from jornada.db import Conflict, Unavailable
from jornada.events.touchpoints import CallType
from jornada.observe import logs, metrics, trace
from jornada.web import Answer, Exchange, Head, Headers, Problem
from services.ingest.api.credentials import header_key, plausible
from services.ingest.domain.cloudevents import read_cloudevents
from services.ingest.domain.express import Judged, Sent, sent
from services.ingest.domain.reading import BODY_BYTES, Unreadable, inflated, too_large
from services.ingest.domain.verdicts import AllAccepted, Result
from services.ingest.intake import Intake
from services.ingest.limits import Limits

_log = logs.get(__name__)

LONGEST_LINE, BROWSERS_LONGEST_LINE = 0.15, 0.4
"""Seconds to wait in line from which on requests are turned away. Browsers last: they send nothing a second time."""
LONGEST_WAIT = 300
_BESIDE = 512
"""About as many bytes are held of an event beside its own text while the stream has yet to acknowledge it."""

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

ALLOWED: Headers = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"retry-after, traceparent"),
)
"""Headers of every answer: any page may read it."""

Reader = Callable[[bytes, Head], Sent]


def _reader(type_: CallType | None) -> Reader:
    return lambda body, _head: sent(body, "single" if type_ else "batch", type_)


READERS: dict[str, Reader] = {
    **{path: _reader(type_) for path, type_ in PATHS.items()},
    "/v1/events": lambda body, _head: sent(body, "events"),
    "/v1/cloudevents": lambda body, head: Judged(read_cloudevents(body, head.fields)),
}
"""Every hot path, and how its bodies are read."""


class Collect:
    """Answers POST on the hot paths: 200 with a result for each event, or why not."""

    def __init__(self, intake: Intake, keyring: Keyring, limits: Limits) -> None:
        self.intake = intake
        self.keyring = keyring
        self.limits = limits

    def begin(self, path: str, head: Head) -> "Exchange | Answer":
        """Begins one request on `path`, one of READERS, or says at once why it is not to be begun."""
        if self.is_late(head):
            return counted(path, _overloaded(1))
        now = self.limits.monotonic()
        wait = self.limits.all.wait(None, now)
        if wait:
            return counted(path, _overloaded(_seconds(wait)))
        try:
            if (head.length or 0) > BODY_BYTES:
                raise too_large()
            key = header_key(head)
            grant = self.known(key) if key is not None else None
        except Exception as error:
            return counted(path, _failed(error, path))
        wait = self.limits.keys.wait(key, now) if grant is not None else 0.0
        if wait:
            return counted(path, _rate_limited(_seconds(wait)))
        return _Collected(self, path, head, key, grant, now)

    def is_late(self, head: Head) -> bool:
        """Whether who comes with this head would stand in line for too long."""
        wait = self.limits.turns.wait()
        if wait > LONGEST_LINE and (wait > BROWSERS_LONGEST_LINE or head.get(b"origin") is None):
            return True
        return self.limits.stream.is_full()

    def known(self, key: str | None) -> WriteGrant | None:
        """What a key allows, if that is known without asking. Raises Problem for one that is none."""
        if key is None or not plausible(key):
            raise unauthorized()
        grant = self.keyring.known(key)
        if grant is None and self.keyring.refused(key):
            raise unauthorized()
        return grant

    async def grant(self, key: str | None) -> WriteGrant:
        """What a key allows. Raises Problem, also for one that is not to send now; Unavailable."""
        grant = self.known(key)
        if grant is None:
            assert key is not None
            grant = await self.keyring.write_grant(key)
        if grant is None:
            raise unauthorized()
        wait = self.limits.keys.wait(key, self.limits.monotonic())
        if wait:
            raise rate_limited(_seconds(wait))
        return grant


class _Collected:
    """One request: its body as it comes, counted against what all bodies may take together, then its answer."""

    __slots__ = (
        "_began",
        "_collect",
        "_grant",
        "_head",
        "_key",
        "_parts",
        "_path",
        "_size",
        "_taken",
        "_then",
        "_traceparent",
    )

    def __init__(
        self,
        collect: Collect,
        path: str,
        head: Head,
        key: str | None,
        grant: WriteGrant | None,
        now: float,
    ) -> None:
        self._collect, self._path, self._head, self._began = collect, path, head, now
        self._key, self._grant = key, grant
        self._parts: list[bytes] = []
        self._size = self._taken = 0

    def take(self, part: bytes) -> Answer | None:
        try:
            self._size += len(part)
            if self._size > BODY_BYTES:
                raise too_large()
            self._count(len(part))
        except Exception as error:
            return self._said(_failed(error, self._path), ())
        self._parts.append(part)
        return None

    def answer(self, then: Callable[[Answer], None]) -> Coroutine[Any, Any, None] | None:
        self._then = then
        self._traceparent = trace.begin(self._head.get(b"traceparent"))
        collect, grant = self._collect, self._grant
        if grant is None or collect.is_late(self._head) or collect.limits.turns.must_wait():
            return self._patiently()
        try:
            return self._taken_in(self._read(), grant, self._key)
        except Exception as error:
            self._say(_failed(error, self._path))
            return None

    def end(self) -> None:
        self._collect.limits.bytes.give_back(self._taken)
        self._taken = 0

    async def _patiently(self) -> None:
        """The same for who has to wait: for their key to be confirmed, or for their turn."""
        collect, grant, key = self._collect, self._grant, self._key
        try:
            if grant is None and key is not None:
                grant = await collect.grant(key)
            if collect.is_late(self._head):
                self._say(_overloaded(1))  # many came while its body did
                return
            if collect.limits.turns.must_wait():
                await collect.limits.turns.wait_for_one()
            request = self._read()
            if grant is None:
                key = request.write_key
                grant = await collect.grant(key)
            rest = self._taken_in(request, grant, key)
        except Exception as error:
            self._say(_failed(error, self._path))
        else:
            if rest is not None:
                await rest

    def _read(self) -> Sent:
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        encoding = self._head.get(b"content-encoding")
        if encoding is not None:
            body = inflated(body, encoding.decode("latin-1"))
            self._count(len(body))
        self._size = len(body)
        request = READERS[self._path](body, self._head)
        self._count(request.count * _BESIDE)
        self._parts.clear()
        return request

    def _taken_in(self, request: Sent, grant: WriteGrant, key: str | None) -> Coroutine[Any, Any, None] | None:
        limits = self._collect.limits
        limits.spend(key, request.count)
        limits.stream.give(self._size)
        try:
            return self._collect.intake.take(request, grant, self._heard)
        except Exception:
            limits.stream.take(self._size, acked=False)
            raise

    def _heard(self, results: Iterable[Result] | Exception) -> None:
        failed = isinstance(results, Exception)
        self._collect.limits.stream.take(self._size, acked=not failed)
        self._say(_failed(results, self._path) if isinstance(results, Exception) else _told(results))

    def _say(self, answer: Answer) -> None:
        then = self._then
        del self._then  # which holds on to whoever holds on to this
        then(self._said(answer, ((b"traceparent", self._traceparent.encode()),)))

    def _count(self, size: int) -> None:
        if not self._collect.limits.bytes.take(size):
            raise overloaded()
        self._taken += size

    def _said(self, answer: Answer, more: Headers) -> Answer:
        metrics.ANSWERS.note("ingest", self._path, answer.status, self._collect.limits.monotonic() - self._began)
        return Answer(answer.status, answer.headers, answer.body, answer.own + more)


def _told(results: Iterable[Result]) -> Answer:
    written = results.json() if isinstance(results, AllAccepted) else _json.encode(results)
    return Answer(200, _HEADERS, b'{"success":true,"results":%b}' % written)


def counted(path: str, answer: Answer) -> Answer:
    """An answer given at once."""
    metrics.ANSWERS.note("ingest", path, answer.status, 0.0)
    return answer


def unauthorized() -> Problem:
    """401."""
    return Problem(401, "invalid_write_key", "Send a valid write key, as the user name of Basic for instance.")


def overloaded(retry_after: int = 1) -> Problem:
    """503: there is too much to do; nothing of the request was acknowledged."""
    return Problem(503, "overloaded", "Too much is in hand; send the events again.", retry_after=retry_after)


def rate_limited(retry_after: int) -> Problem:
    """429: others may send, this key not now."""
    return Problem(429, "rate_limited", "This write key sends too much.", retry_after=retry_after)


def unavailable(retry_after: int = 2) -> Problem:
    """503: nothing of the request was acknowledged."""
    return Problem(503, "unavailable", "The events could not be stored now; send them again.", retry_after=retry_after)


_HEADERS = (*ALLOWED, (b"content-type", b"application/json"))
_json = msgspec.json.Encoder()


def _seconds(wait: float) -> int:
    return min(LONGEST_WAIT, max(1, math.ceil(wait)))


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
    answer = problem.answer()
    return Answer(answer.status, ALLOWED + answer.headers, answer.body, answer.own)


@lru_cache
def _overloaded(retry_after: int) -> Answer:
    return _refused(overloaded(retry_after))


@lru_cache
def _rate_limited(retry_after: int) -> Answer:
    return _refused(rate_limited(retry_after))


NOT_ALLOWED = msgspec.structs.replace(
    _refused(Problem(405, "method_not_allowed", "Events are sent by POST.")), own=((b"allow", b"POST, OPTIONS"),)
)
