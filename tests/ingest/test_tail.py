"""`jornada tail` as a person at a shell meets it: a process, its lines, its end."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.ingest.conftest import Running, Tenant
from tests.ingest.makes import batch, event

OK = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\nevent: hello\ndata: {}\n\n"
REFUSED = "HTTP/1.1 401 Unauthorized\r\nconnection: close\r\n\r\n" + '{"code": "unauthorized", "message": "Go away."}'
ELSE = "HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\nnothing here"


class Tail:
    """A running `jornada tail`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def lines(self, count: int) -> list[str]:
        """The next lines."""
        assert self.process.stdout is not None
        return [(await self.process.stdout.readline()).decode().rstrip("\n") for _ in range(count)]

    async def following(self) -> None:
        """Returns once it says that it follows."""
        assert self.process.stderr is not None
        assert (await self.process.stderr.readline()).startswith(b"jornada: following http://")

    async def ended(self) -> tuple[int, list[str]]:
        """Its exit code and what it said on stderr, once it has ended."""
        _, said = await self.process.communicate()
        return self.process.returncode or 0, said.decode().splitlines()


@asynccontextmanager
async def tail(*arguments: str, **settings: str) -> AsyncIterator[Tail]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("JORNADA_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "jornada.cli.main", "tail", *arguments,
        env=kept | settings, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(40):
            yield Tail(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def send(http: httpx.AsyncClient, tenant: Tenant) -> None:
    odd = event(messageId="odd", event="a\tb\x1b[31mc")
    body = batch(event(), event(messageId="bad", userId="null"), odd)
    assert (await http.post("/v1/batch", content=body, headers={"x-write-key": tenant.write_key})).status_code == 200


def verdict(**fields: str) -> str:
    whole = {"received_at": "2026-03-01T12:00:00Z", "source": "app", "message_id": "m", "status": "accepted", **fields}
    return f"event: verdict\ndata: {json.dumps(whole)}\n\n"


@asynccontextmanager
async def replica(answers: Sequence[str]) -> AsyncIterator[str]:
    """Something that answers each connection in turn as given, and hangs up; its address."""
    waiting = list(answers)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(waiting.pop(0).encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_verdicts_come_as_tab_separated_lines_and_ctrl_c_ends_it(
    http: httpx.AsyncClient, running: Running, tenant: Tenant
) -> None:
    async with tail(JORNADA_INGEST_URL=running.url, JORNADA_API_TOKEN=tenant.token) as following:
        await following.following()
        await send(http, tenant)
        good, bad, odd = [line.split("\t") for line in await following.lines(3)]
        following.process.send_signal(signal.SIGINT)
        assert await following.ended() == (0, [])
    assert good[1:] == ["app", "track", "Report Exported", "accepted", "", ""]
    assert bad[1:6] == ["app", "track", "Report Exported", "rejected", "id_illegal"]
    assert "placeholder" in bad[6]
    assert odd[3] == "a\ufffdb\ufffd[31mc"
    assert good[0].startswith("20") and good[0].endswith("Z")


async def test_only_what_is_asked_for_is_shown(http: httpx.AsyncClient, running: Running, tenant: Tenant) -> None:
    settings = {"JORNADA_INGEST_URL": running.url, "JORNADA_API_TOKEN": tenant.token}
    async with tail("--rejected", **settings) as refused, tail("--source", "other", **settings) as other:
        await asyncio.gather(refused.following(), other.following())
        await send(http, tenant)
        [line] = await refused.lines(1)
        assert line.split("\t")[4] == "rejected"
        other.process.send_signal(signal.SIGINT)
        assert other.process.stdout is not None
        assert await other.process.stdout.read() == b""


async def test_on_a_terminal_it_has_colours_and_obeys_no_event(
    http: httpx.AsyncClient, running: Running, tenant: Tenant
) -> None:
    settings = {"JORNADA_INGEST_URL": running.url, "JORNADA_API_TOKEN": tenant.token, "FORCE_COLOR": "1"}
    async with tail(**settings) as following:
        await following.following()
        await send(http, tenant)
        good, bad, odd = await following.lines(3)
    assert "\x1b[32maccepted" in good and "Report Exported" in good
    assert "\x1b[31mrejected" in bad and "id_illegal" in bad
    assert "\x1b[31mc" not in odd


async def test_the_local_token_is_found_under_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "dev.json").write_text('{"api_token": "jt_local"}')
    async with (
        replica([OK + verdict(event="Found")]) as url,
        tail(JORNADA_INGEST_URL=url, JORNADA_DATA_DIR=str(tmp_path)) as following,
    ):
        assert "Found" in (await following.lines(1))[0]


async def test_a_lost_replica_is_joined_again_and_said_so() -> None:
    answers = [OK + verdict(event="One"), OK + verdict(event="Two"), REFUSED]
    async with replica(answers) as url, tail("--replica", url, "--token", "t") as following:
        assert [line.split("\t")[3] for line in await following.lines(2)] == ["One", "Two"]
        code, said = await following.ended()
    assert code == 1
    turn = [f"jornada: following {url}", f"jornada: {url} is lost; what comes meanwhile is not shown"]
    assert said == [*turn, *turn, f"jornada: {url} answers 401: Go away."]


async def test_every_replica_named_is_followed_and_what_is_dropped_is_said() -> None:
    dropped = 'event: dropped\ndata: {"count": 12}\n\n'
    async with (
        replica([OK + verdict(event="A")] * 9) as one,
        replica([OK + verdict(event="B") + dropped] * 9) as two,
        tail("--replica", one, "--replica", two, "--token", "t") as following,
    ):
        shown = {line.split("\t")[3] for line in await following.lines(2)}
        following.process.send_signal(signal.SIGINT)
        _, said = await following.ended()
    assert shown == {"A", "B"}
    assert "jornada: 12 verdicts are not shown: too many came at once" in said


@pytest.mark.parametrize(
    ("answer", "said"), [(REFUSED, "answers 401: Go away."), (ELSE, "answers 404: it does not look like"), ("", "")]
)
async def test_a_start_that_fails_is_one_line(answer: str, said: str) -> None:
    async with replica([answer]) as url, tail("--replica", url, "--token", "t") as following:
        code, lines = await following.ended()
    assert code == 1
    assert len(lines) == 1 and lines[0].startswith(f"jornada: {url}") and said in lines[0]


async def test_without_a_token_it_says_where_one_is_looked_for(tmp_path: Path) -> None:
    async with tail(JORNADA_DATA_DIR=str(tmp_path)) as following:
        code, lines = await following.ended()
    assert (code, len(lines)) == (1, 1)
    assert "JORNADA_API_TOKEN" in lines[0] and str(tmp_path) in lines[0]
