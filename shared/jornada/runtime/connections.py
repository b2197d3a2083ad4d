"""One connection as uvicorn serves it, with bounds that it lacks: heads and bodies in time, heads within 64 KB."""

import asyncio
from collections.abc import Callable
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from jornada.web import Answer, Headers, Problem

Door = Callable[[bytes, bytes, Headers], Answer | None]
"""An application's attribute `door`: its answer to a request (method, target, headers) that is not to be begun."""

HEADER_SECONDS = 10.0
HEADER_BYTES = 65_536
BODY_SECONDS = 10.0

_IDLE, _HEAD, _BODY = range(3)
"""What of a request has yet to come."""


class Connection(HttpToolsProtocol):
    """Whoever sends a head or a body slowly, without end or not at all is let go; a refusal is a document with a code.

    A request that is there as a whole when it is first looked at costs nothing of this.
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._door: Door | None = getattr(self.config.app, "door", None)
        self._until: asyncio.TimerHandle | None = None
        self._awaited = _IDLE
        self._came = self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await(HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._came = len(data)
        self._head_bytes += self._came
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as offered:
            self._decline(data[offered.args[0] :])
        except HttpParserError:
            self.send_400_response("")
        if self._awaited == _IDLE:
            self._stop_waiting()
        elif self._until is None:
            self._await(HEADER_SECONDS if self._awaited == _HEAD else BODY_SECONDS)
        if self._awaited == _HEAD and self._head_bytes > HEADER_BYTES:
            self._refuse(_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._awaited = _HEAD

    def on_headers_complete(self) -> None:
        if (self._came > HEADER_BYTES or self._head_bytes > HEADER_BYTES) and self._head() > HEADER_BYTES:
            self._head_bytes = HEADER_BYTES + 1
            raise ValueError  # which the parser takes for the end of what it can read
        if not self.parser.should_upgrade():
            self._stop_waiting()
            self._awaited, self._head_bytes = _BODY, 0
            answer = None
            if self._door is not None and self._idle():
                answer = self._door(self.parser.get_method(), self.url, self.headers)
            if answer is None:
                super().on_headers_complete()
            else:
                self._turn_away(answer)
        elif self.parser.get_method() == b"CONNECT":
            raise ValueError("no proxy")

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            self._awaited, self._head_bytes = _IDLE, 0
            super().on_message_complete()

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
        elif self._awaited == _HEAD and self._idle():
            self._refuse(_HEAD_TOO_SLOW)
        elif self._awaited == _HEAD:
            self._await(HEADER_SECONDS)
        else:
            self.transport.close()

    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _turn_away(self, answer: Answer) -> None:
        """Answers with nothing begun; the body that may follow is read and forgotten."""
        self.cycle = _TURNED_AWAY
        keep = self.parser.should_keep_alive()
        self._write(answer, [] if keep else [_CLOSE])
        if keep:
            self.on_response_complete()
        else:
            self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        if not self.transport.is_closing():
            self._write(problem.answer(), [_CLOSE])
            self._stop_waiting()
            self.transport.close()

    def _write(self, answer: Answer, more: Headers) -> None:
        headers = [*self.server_state.default_headers, *answer.headers, (b"content-length", b"%d" % len(answer.body))]
        lines = [b"%b: %b\r\n" % header for header in (*headers, *more)]
        self.transport.write(b"".join([STATUS_LINE[answer.status], *lines, b"\r\n", answer.body]))


class _TurnedAway:
    """Stands for a request that was answered before it began."""

    response_started = response_complete = True
    more_body = False
    keep_alive = True
    disconnected = False
    message_event = asyncio.Event()


_TURNED_AWAY: Any = _TurnedAway()
_CLOSE = (b"connection", b"close")
_BROKEN = Problem(400, "bad_request", "This is no HTTP/1.1 request.")
_TOO_LARGE = Problem(431, "headers_too_large", f"Headers may have at most {HEADER_BYTES} bytes.")
_HEAD_TOO_SLOW = Problem(408, "headers_too_slow", "The headers did not arrive in time.")
_BODY_TOO_SLOW = Problem(408, "body_too_slow", "The body did not arrive in time.")
