"""One connection as uvicorn serves it, with bounds that it lacks: heads and bodies in time, heads within 64 KB."""

import asyncio
from collections.abc import Coroutine
from functools import lru_cache, partial
from time import monotonic
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from jornada.web import Answer, Begin, Exchange, Fields, Headers, Problem

try:
    from jornada_express import whole
except ImportError:

    def whole(data: bytes) -> Any:
        """Head, target and body of an ordinary request that is there as a whole, else None."""


HEADER_SECONDS = 10.0
HEADER_BYTES = 65_536
BODY_SECONDS = 10.0

_IDLE, _HEAD, _BODY = range(3)
"""What of a request has yet to come."""


class Connection(HttpToolsProtocol):
    """Whoever sends a head or a body slowly, without end or not at all is let go; a refusal is a document with a code.

    A request that is there as a whole when it is first looked at costs nothing of this.
    """

    cycle: Any
    """uvicorn's for what goes the way of ASGI, else a `_Direct`."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._begin: Begin | None = getattr(self.config.app, "begin", None)
        self._until: asyncio.TimerHandle | None = None
        self._awaited = _IDLE
        self._came = self._head_bytes = 0
        self._rested_at = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await(HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._unset_keepalive_if_required()
        if type(self.cycle) is _Direct and self.cycle.more_body and not self.cycle.response_complete:
            self.cycle.exchange.end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._awaited == _IDLE and self._begin is not None and self._idle() and self._takes_whole(data):
            return
        self._came = len(data)
        self._head_bytes += self._came
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as offered:
            self._decline(data[offered.args[0] :])
        except HttpParserError:
            self.send_400_response("")
        if self._awaited == _IDLE and not self._head_bytes:
            self._stop_waiting()
        elif self._until is None:
            self._await(BODY_SECONDS if self._awaited == _BODY else HEADER_SECONDS)
        if self._awaited == _HEAD and self._head_bytes > HEADER_BYTES:
            self._refuse(_TOO_LARGE)

    def _takes_whole(self, data: bytes) -> bool:
        """Takes a request for an exchange, if it is there as a whole; the parser never hears of it."""
        request = whole(data)
        if request is None:
            return False
        begun = self._begin(b"POST", request.target, request)  # type: ignore[misc]
        if begun is None:
            return False
        self._stop_waiting()
        self._head_bytes = 0
        if isinstance(begun, Answer):
            self._send(begun, keep_alive=True)
            return True
        self.cycle = direct = _Direct(begun, keep_alive=True)
        self._take(direct, request.body)
        self._complete(direct)
        return True

    def on_response_complete(self) -> None:
        """As uvicorn's, but for the timer of an idle connection: it is not set anew with every answer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        self._rested_at = monotonic()
        if self.timeout_keep_alive_task is None:
            self._rest(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        left = self._rested_at + self.timeout_keep_alive - monotonic()
        if left > 0:
            self._rest(left)
        elif self._awaited == _IDLE and self._idle():
            self.transport.close()

    def _rest(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def on_message_begin(self) -> None:
        self.url, self.headers, self.expect_100_continue = b"", [], False
        self._awaited = _HEAD

    def on_headers_complete(self) -> None:
        if (self._came > HEADER_BYTES or self._head_bytes > HEADER_BYTES) and self._head() > HEADER_BYTES:
            self._head_bytes = HEADER_BYTES + 1
            raise ValueError  # which the parser takes for the end of what it can read
        if not self.parser.should_upgrade():
            self._stop_waiting()
            self._awaited, self._head_bytes = _BODY, 0
            self._begun()
        elif self.parser.get_method() == b"CONNECT":
            raise ValueError("no proxy")

    def on_body(self, body: bytes) -> None:
        if type(self.cycle) is not _Direct:
            super().on_body(body)
        elif not self.cycle.response_complete:
            self._take(self.cycle, body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._awaited, self._head_bytes = _IDLE, 0
        if type(self.cycle) is _Direct:
            self._complete(self.cycle)
        else:
            super().on_message_complete()

    def _begun(self) -> None:
        """What comes after the head: an exchange of the application's, or uvicorn's own way."""
        begun = None
        if self._begin is not None and self._idle():
            begun = self._begin(self.parser.get_method(), self.url, Fields(self.headers))
        if begun is None:
            self._by_asgi()
            return
        keep_alive = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        self.cycle = direct = _Direct(begun, keep_alive=keep_alive)
        if isinstance(begun, Answer):
            self._answered(direct, begun)
        elif self.expect_100_continue:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _take(self, direct: "_Direct", body: bytes) -> None:
        answer = direct.exchange.take(body)
        if answer is not None:
            direct.exchange.end()
            self._answered(direct, answer)

    def _complete(self, direct: "_Direct") -> None:
        """The body of an exchange is there."""
        if not direct.response_complete:
            direct.more_body = False
            rest = direct.exchange.answer(partial(self._served, direct))
            if rest is not None:
                self._go_on(rest)

    def _by_asgi(self) -> None:
        """uvicorn's own way, whose scope is made only now."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        super().on_headers_complete()

    def _go_on(self, rest: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(rest)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _served(self, direct: "_Direct", answer: Answer) -> None:
        direct.exchange.end()
        if self.flow.write_paused:
            self._go_on(self._drained(direct, answer))
        else:
            self._answered(direct, answer)

    async def _drained(self, direct: "_Direct", answer: Answer) -> None:
        await self.flow.drain()
        self._answered(direct, answer)

    def _answered(self, direct: "_Direct", answer: Answer) -> None:
        direct.response_started = direct.response_complete = True
        self._send(answer, keep_alive=direct.keep_alive)

    def _send(self, answer: Answer, *, keep_alive: bool) -> None:
        if self.transport.is_closing():
            return
        if keep_alive:
            self._write(answer)
            self.on_response_complete()
        else:
            self._write(answer, _CLOSE)
            self.transport.close()

    def _decline(self, rest: bytes) -> None:
        """Reads a request again without the upgrade that it offers (Java's client does), as if it had offered none."""
        first = b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = HttpRequestParser(self)
        self.data_received(b"".join([first, *lines, b"\r\n", rest]))

    def send_400_response(self, msg: str) -> None:
        """For bytes that are no HTTP; a request before them that is whole is still answered."""
        if self._idle() or self.cycle.more_body:
            self._refuse(_TOO_LARGE if self._head_bytes > HEADER_BYTES else _BROKEN)
        else:
            self.cycle.keep_alive = False
            self.flow.pause_reading()

    def _head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + len(b": \r\n") for name, value in self.headers)

    def _await(self, seconds: float) -> None:
        self._until = self.loop.call_later(seconds, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._until is not None:
            self._until.cancel()
            self._until = None

    def _too_slow(self) -> None:
        self._until = None
        if self._awaited == _BODY and not self.cycle.response_started:
            self._refuse(_BODY_TOO_SLOW)
        elif self._awaited != _BODY and not self._idle():
            self._await(HEADER_SECONDS)
        elif self._awaited != _BODY and self._head_bytes:
            self._refuse(_HEAD_TOO_SLOW)
        else:
            self.transport.close()

    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _refuse(self, problem: Problem) -> None:
        if not self.transport.is_closing():
            self._write(problem.answer(), _CLOSE)
            self._stop_waiting()
            self.transport.close()

    def _write(self, answer: Answer, more: Headers = ()) -> None:
        begins = _beginning(answer.status, tuple(self.server_state.default_headers), answer.headers)
        lines = b"".join([b"%b: %b\r\n" % field for field in answer.own + more])
        body = answer.body
        self.transport.write(b"%b%bcontent-length: %d\r\n\r\n%b" % (begins, lines, len(body), body))


class _Direct:
    """An exchange, in the place of uvicorn's own cycle and with what uvicorn asks of that."""

    __slots__ = ("disconnected", "exchange", "keep_alive", "more_body", "response_complete", "response_started")
    message_event = asyncio.Event()  # nobody waits for it

    def __init__(self, exchange: Any, *, keep_alive: bool) -> None:
        self.exchange: Exchange = exchange
        self.keep_alive = keep_alive
        self.more_body = True
        self.response_started = self.response_complete = self.disconnected = False


@lru_cache(256)
def _beginning(status: int, *headers: Headers) -> bytes:
    """What all answers of a kind begin with, within the same second."""
    lines = [b"%b: %b\r\n" % field for each in headers for field in each]
    return b"".join([STATUS_LINE[status], *lines])


_CLOSE: Headers = ((b"connection", b"close"),)
_BROKEN = Problem(400, "bad_request", "This is no HTTP/1.1 request.")
_TOO_LARGE = Problem(431, "headers_too_large", f"Headers may have at most {HEADER_BYTES} bytes.")
_HEAD_TOO_SLOW = Problem(408, "headers_too_slow", "The headers did not arrive in time.")
_BODY_TOO_SLOW = Problem(408, "body_too_slow", "The body did not arrive in time.")
