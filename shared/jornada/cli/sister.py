"""Asks one of the services, over HTTP, with the operator's token."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx

from jornada.access.store import Refused
from jornada.cli.place import service_urls
from jornada.db import Unavailable

_PASSING = {408, 429, 502, 503, 504}
_PATIENCE = httpx.Timeout(60, connect=5)
"""A round of replays takes 15 s and one record more."""


class Sister(NamedTuple):
    """One service, and the client that asks it with the operator's token."""

    name: str
    client: httpx.AsyncClient

    async def ask(self, method: str, path: str, *, body: object = None, **params: Any) -> Any:
        """Its document. Raises Unavailable, or Refused with the code of its answer."""
        given = {name: each for name, each in params.items() if each is not None}
        answer = await self._answered(method, path, given, body)
        document = _document(answer)
        if answer.is_success and document is not None:
            return document
        raise _wrong(self.name, answer)

    async def wrong(self) -> list[str]:
        """What keeps it from working, part by part, as `/readyz` says."""
        document = _document(await self._answered("GET", "/readyz", {})) or {}
        return [f"{part}: {why}" for part, why in document.get("wrong", {}).items()]

    async def lines(self, path: str) -> AsyncIterator[str]:
        """What it streams, line by line; raises as `ask` does."""
        try:
            async with self.client.stream("GET", path) as answer:
                if not answer.is_success:
                    await answer.aread()
                    raise _wrong(self.name, answer)
                async for line in answer.aiter_lines():
                    yield line
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(f"{self.name}: {error or type(error).__name__}") from error

    async def _answered(self, method: str, path: str, params: dict[str, Any], body: object = None) -> httpx.Response:
        try:
            return await self.client.request(method, path, params=params, json=body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(f"{self.name}: {error or type(error).__name__}") from error


@asynccontextmanager
async def reached(name: str, token: str) -> AsyncIterator[Sister]:
    """A service by name."""
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        base_url=service_urls()[name], headers=headers, timeout=_PATIENCE, trust_env=False
    ) as client:
        yield Sister(name, client)


def _wrong(name: str, answer: httpx.Response) -> Exception:
    document = _document(answer) or {}
    said = f"{name} answers {answer.status_code}: {document.get('message', 'no Jornada is there')}"
    return Unavailable(said) if answer.status_code in _PASSING else Refused(document.get("code", ""), said)


def _document(answer: httpx.Response) -> dict[str, Any] | None:
    try:
        document = answer.json()
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
