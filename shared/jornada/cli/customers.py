"""Erases one customer, or gives out all that is held of one."""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import typer

from jornada.access.store import Refused
from jornada.cli.sister import Sister, reached
from jornada.db import Unavailable

_ASKED = 10
_PAGES = (("notify", "decisions", "decision"), ("notify", "messages", "message"))
_LIMIT = 1_000


async def erase(ref: str, token: str, *, block: bool) -> dict[str, Any]:
    """The receipt, asked for again while another service has yet to follow. Raises Refused, Unavailable."""
    async with reached("journey", token) as journey:
        for asked in range(1, _ASKED + 1):
            try:
                receipt: dict[str, Any] = await journey.ask("POST", "/v1/erasures", body={"ref": ref, "block": block})
            except Unavailable as error:
                if asked == _ASKED:
                    raise
                typer.echo(f"jornada: {error}", err=True)
            else:
                return receipt
    raise AssertionError


async def exported(ref: str, token: str) -> AsyncIterator[str]:
    """Every line of it: journey's own, then what scoring and notify hold. Raises Refused, Unavailable."""
    path = f"/v1/customers/{quote(ref, safe='')}"
    async with reached("journey", token) as journey:
        async for line in journey.lines(f"{path}/export"):
            yield line
    async with reached("scoring", token) as scoring:
        async for document in _scores(scoring, path):
            yield document
    for service, part, name in _PAGES:
        async with reached(service, token) as sister:
            async for item in _items(sister, f"{path}/{part}"):
                yield _line(name, item)


async def _scores(scoring: Sister, path: str) -> AsyncIterator[str]:
    try:
        yield _line("scores", await scoring.ask("GET", f"{path}/scores"))
        async for item in _items(scoring, f"{path}/scores/history"):
            yield _line("score", item)
        async for item in _items(scoring, f"{path}/overrides"):
            yield _line("override", item)
    except Refused as error:
        if error.code != "not_found":
            raise


async def _items(sister: Sister, path: str) -> AsyncIterator[dict[str, Any]]:
    """Every item of a list, page by page; none of whom the service does not know."""
    cursor: str | None = None
    try:
        while True:
            page = await sister.ask("GET", path, limit=_LIMIT, cursor=cursor)
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return
    except Refused as error:
        if error.code != "not_found":
            raise


def _line(name: str, document: dict[str, Any]) -> str:
    return json.dumps({"line": name, **document}, ensure_ascii=False)
