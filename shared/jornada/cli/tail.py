"""Follows what ingest accepts and refuses, as it comes."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import httpx
import typer
from httpx_sse import aconnect_sse
from rich.console import Console
from rich.text import Text

from jornada.access.store import Refused
from jornada.cli.listing import plain
from jornada.db import Unavailable

_SILENCE = 45.0
"""Seconds without a heartbeat after which a stream is taken for lost; one comes every 15."""
_PAUSE = 1.0
_COLOURS = {"accepted": "green", "duplicate": "yellow", "rejected": "red"}
_PASSING = {408, 429, 502, 503, 504}

Tell = Callable[[str, Mapping[str, Any]], None]
"""Takes an event's name and its document."""


class Wanted(NamedTuple):
    """Which verdicts: of one source, or only the refused."""

    source: str | None = None
    rejected: bool = False


async def follow(replicas: Sequence[str], token: str, wanted: Wanted, tell: Tell) -> None:
    """Tells what each replica shows, for ever; joins again what it loses.

    Raises Unavailable for one that cannot be reached at the start, Refused for a token that does not let in.
    """
    timeout = httpx.Timeout(5.0, read=_SILENCE)
    async with httpx.AsyncClient(timeout=timeout, trust_env=False) as client:
        await asyncio.gather(*(_followed(client, url.rstrip("/"), token, wanted, tell) for url in replicas))


async def _followed(client: httpx.AsyncClient, url: str, token: str, wanted: Wanted, tell: Tell) -> None:
    joined = False
    query = {"source": wanted.source, "status": "rejected" if wanted.rejected else None}
    params = {name: value for name, value in query.items() if value is not None}
    while True:
        try:
            headers = {"authorization": f"Bearer {token}"}
            async with aconnect_sse(client, "GET", f"{url}/v1/live", params=params, headers=headers) as stream:
                await _let_in(stream.response, url)
                joined = True
                typer.echo(f"jornada: following {url}", err=True)
                async for event in stream.aiter_sse():
                    tell(event.event, json.loads(event.data))
        except (httpx.TransportError, httpx.InvalidURL, Unavailable) as error:
            if not joined:
                raise Unavailable(f"{url}: {error or type(error).__name__}") from error
        typer.echo(f"jornada: {url} is lost; what comes meanwhile is not shown", err=True)
        await asyncio.sleep(_PAUSE)


async def _let_in(answer: httpx.Response, url: str) -> None:
    if answer.is_success:
        return
    await answer.aread()
    try:
        said = str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        said = "it does not look like Jornada's ingest"
    if answer.status_code in _PASSING:
        raise Unavailable(said)
    raise Refused("not_let_in", f"{url} answers {answer.status_code}: {said}")


def teller() -> Tell:
    """Prints each verdict: in colours on a terminal, else as tab-separated fields, a line each."""
    console = Console(soft_wrap=True, highlight=False)

    def tell(name: str, document: Mapping[str, Any]) -> None:
        if name == "dropped":
            typer.echo(f"jornada: {document.get('count')} verdicts are not shown: too many came at once", err=True)
        elif name == "verdict" and console.is_terminal:
            console.print(_coloured(document))
        elif name == "verdict":
            typer.echo("\t".join(_fields(document)))

    return tell


def _fields(document: Mapping[str, Any]) -> list[str]:
    """Time, source, type, event, verdict, code and message; nothing that a terminal would obey."""
    names = ("received_at", "source", "type", "event", "status", "code", "message")
    return [plain(document.get(name)) for name in names]


def _coloured(document: Mapping[str, Any]) -> Text:
    at, source, type_, event, status, code, message = _fields(document)
    reason = ": ".join(part for part in (code, message) if part)
    return Text.assemble(
        (f"{_clock(at)}  ", "dim"),
        (f"{status:<9}", _COLOURS.get(status, "")),
        f"  {source:<12}  {type_:<8}  {event}",
        (f"  {reason}" if reason else "", "dim"),
    )


def _clock(at: str) -> str:
    """The time of day, in the machine's zone."""
    try:
        return datetime.fromisoformat(at).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return at
