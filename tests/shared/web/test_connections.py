"""One connection, whatever comes on it: exchanges and the framework's requests in turn, slow senders, idle ones."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import uvicorn

from jornada.runtime import connections
from jornada.runtime.connections import Connection
from jornada.web import Answer, Exchange, Head

REST = 0.4


class Echo:
    """Answers with the body it was given, once it may; counts those that began and did not end."""

    in_hand = 0

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._parts: list[bytes] = []
        self._size = 0
        Echo.in_hand += 1

    def take(self, part: bytes) -> Answer | None:
        self._parts.append(part)
        self._size += len(part)
        return Answer(413, (), b"enough") if self._size > self._most else None

    def answer(self, then: Callable[[Answer], None]) -> Coroutine[Any, Any, None] | None:
        """The first part says how: `now`, `later` (by a call back), or else by waiting."""
        body = b"".join(self._parts)
        headers = ((b"x-way", b"exchange"), (b"x-kind", body[:1]))
        answer = Answer(200, headers, body, ((b"x-size", b"%d" % self._size),))
        if self._parts[:1] == [b"now"]:
            then(answer)
        elif self._parts[:1] == [b"later"]:
            asyncio.get_running_loop().call_later(0.01, then, answer)
        else:
            return self._waited(then, answer)
        return None

    async def _waited(self, then: Callable[[Answer], None], answer: Answer) -> None:
        await asyncio.sleep(0.01)
        then(answer)

    def end(self) -> None:
        Echo.in_hand -= 1


class App:
    """`/echo` is an exchange, `/away` is turned away, all else goes by ASGI."""

    def begin(self, method: bytes, target: bytes, head: Head) -> Exchange | Answer | None:
        if target == b"/away":
            return Answer(503, (), b"later", ((b"x-size", b"0"),))
        return Echo(most=100_000) if target == b"/echo" and method == b"POST" else None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = [(b"x-way", b"asgi"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture(autouse=True, params=["natively", "by the parser"])
def hasty(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """Ordinary requests are read in either way."""
    if request.param == "by the parser":
        monkeypatch.setattr(connections, "whole", lambda _data: None)
    monkeypatch.setattr(connections, "HEADER_SECONDS", REST)
    monkeypatch.setattr(connections, "BODY_SECONDS", REST)
    Echo.in_hand = 0
    yield
    assert Echo.in_hand == 0


@asynccontextmanager
async def line() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server of its own."""
    config = uvicorn.Config(App(), port=0, lifespan="off", log_config=None, http=Connection, ws="none")
    config.timeout_keep_alive = 1
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it by this alone
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.servers[0].sockets[0].getsockname()[1])
    try:
        yield reader, writer
    finally:
        writer.close()
        server.should_exit = True
        await serving


def request(target: bytes, body: bytes = b"", *lines: bytes, method: bytes = b"POST") -> bytes:
    head = [b"%b %b HTTP/1.1" % (method, target), b"host: x", b"content-length: %d" % len(body), *lines]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


async def whole_answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Status, fields and body."""
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).decode().lower()
    fields = dict(each.split(": ", 1) for each in head.split("\r\n")[1:] if each)
    body = await reader.readexactly(int(fields["content-length"]))
    return int(head[9:12]), fields, body


async def answer(reader: asyncio.StreamReader) -> tuple[int, str, bytes]:
    """Status, the way it took, and the body."""
    status, fields, body = await whole_answer(reader)
    return status, fields.get("x-way", ""), body


async def test_exchanges_and_requests_of_the_framework_take_turns_on_one_connection() -> None:
    async with line() as (reader, writer):
        for target, way in ((b"/echo", "exchange"), (b"/other", "asgi"), (b"/echo", "exchange"), (b"/x", "asgi")):
            writer.write(request(target, target * 3))
            assert await answer(reader) == (200, way, target * 3)


async def test_an_answer_comes_at_once_or_later_and_nothing_is_lost_between() -> None:
    async with line() as (reader, writer):
        bodies = [b"now", b"later", b"waited", b"now", b"now", b"waited", b"later", b"later", b"now"]
        for body in bodies:
            writer.write(request(b"/echo", body))
            assert await answer(reader) == (200, "exchange", body)
        writer.write(b"".join(request(b"/echo", body) for body in bodies))
        assert [(await answer(reader))[2] for _ in bodies] == bodies


async def test_an_answer_has_what_is_of_its_kind_and_its_own_and_the_date_of_its_second() -> None:
    dates: dict[bytes, set[str]] = {b"x": set(), b"y": set(), b"": set()}
    size = 0
    async with line() as (reader, writer), asyncio.timeout(10):
        while min(map(len, dates.values())) < 2:
            size += 1
            for kind, seen in dates.items():
                writer.write(request(b"/echo" if kind else b"/away", kind * size))
                _, fields, _ = await whole_answer(reader)
                assert (fields.get("x-kind", ""), fields["x-size"]) == (kind.decode(), f"{size * len(kind)}")
                seen.add(fields["date"])
            await asyncio.sleep(0.05)
    for seen in dates.values():
        assert all(abs(parsedate_to_datetime(each).timestamp() - time.time()) < 5 for each in seen)


async def test_answers_come_in_the_order_of_requests_sent_at_once() -> None:
    async with line() as (reader, writer):
        targets = [b"/echo", b"/echo", b"/other", b"/echo", b"/other"]
        writer.write(b"".join(request(target, b"%d" % number) for number, target in enumerate(targets)))
        assert [(await answer(reader))[2] for _ in targets] == [b"0", b"1", b"2", b"3", b"4"]


async def test_who_is_turned_away_may_send_its_body_and_go_on() -> None:
    async with line() as (reader, writer):
        for size in (1, 50_000):
            writer.write(request(b"/away", b"x" * size))
            assert (await answer(reader))[0] == 503
            writer.write(request(b"/echo", b"again"))
            assert await answer(reader) == (200, "exchange", b"again")


async def test_a_body_of_very_many_parts_is_taken_whole_and_one_too_large_is_answered_at_once() -> None:
    async with line() as (reader, writer):
        parts = b"".join(b"1\r\n%c\r\n" % (65 + number % 26) for number in range(50_000))
        head = b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        writer.write(head + parts + b"0\r\n\r\n")
        assert (await answer(reader))[2] == bytes(65 + number % 26 for number in range(50_000))
        writer.write(head + b"30d41\r\n" + b"y" * 200_001)
        assert (await answer(reader))[::2] == (413, b"enough")


async def test_a_slow_body_and_a_slow_head_are_let_go() -> None:
    for sent, code in ((request(b"/echo", b"abc")[:-1], b"body_too_slow"), (b"POST /ec", b"headers_too_slow")):
        async with line() as (reader, writer):
            writer.write(sent)
            status, fields, body = await whole_answer(reader)
            assert (status, fields["connection"], code in body) == (408, "close", True)
            assert await reader.read() == b""


async def test_who_hangs_up_amid_a_body_leaves_nothing_in_hand() -> None:
    async with line() as (_, writer):
        writer.write(request(b"/echo", b"abc")[:-1])
        await asyncio.sleep(0.1)
        assert Echo.in_hand == 1
        writer.close()
        await asyncio.sleep(0.1)
        assert Echo.in_hand == 0


@pytest.mark.parametrize(("target", "status"), [(b"/echo", 200), (b"/away", 503)])
async def test_an_idle_connection_is_kept_a_while_after_its_last_answer_and_then_closed(
    target: bytes, status: int
) -> None:
    async with line() as (reader, writer):
        for _ in range(3):
            writer.write(request(target, b"x"))
            assert (await answer(reader))[0] == status
            await asyncio.sleep(0.6)
        assert await asyncio.wait_for(reader.read(), 3) == b""


async def test_blank_lines_alone_keep_nothing_open() -> None:
    async with line() as (reader, writer):
        writer.write(b"\r\n\r\n")
        status, _, body = await answer(reader)
        assert (status, b"headers_too_slow" in body) == (408, True)


@pytest.mark.parametrize(("target", "said"), [(b"/echo", b"old"), (b"/away", b"later")])
async def test_http_1_0_and_who_asks_for_it_are_answered_told_and_closed(target: bytes, said: bytes) -> None:
    for version, *lines in ((b"1.0",), (b"1.0", b"connection: keep-alive"), (b"1.1", b"connection: close")):
        async with line() as (reader, writer):
            writer.write(request(target, b"old", *lines).replace(b"HTTP/1.1", b"HTTP/" + version))
            _, fields, body = await whole_answer(reader)
            assert (fields["connection"], body) == ("close", said)
            assert await asyncio.wait_for(reader.read(), 0.8) == b""


async def test_a_sender_that_waits_to_be_asked_for_its_body_is_asked() -> None:
    async with line() as (reader, writer):
        whole = request(b"/echo", b"body", b"expect: 100-continue")
        writer.write(whole[:-4])
        assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 3) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"body")
        assert (await answer(reader))[2] == b"body"
