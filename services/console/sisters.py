"""The other services, asked over HTTP on behalf of a viewer: each answer is a value, also when there is none."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from jornada.observe import logs

_log = logs.get(__name__)

Name = Literal["ingest", "journey", "scoring", "notify"]
NAMES: tuple[Name, ...] = ("ingest", "journey", "scoring", "notify")
_ANSWER_MAX = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Told:
    """What a service answered: its JSON document."""

    document: Any


@dataclass(frozen=True, slots=True)
class Silent:
    """No answer to show. `away`: not reached or in trouble; `missing`: 404; `refused`: it said no, and why."""

    service: Name
    kind: Literal["away", "missing", "refused"]
    code: str = ""
    message: str = ""


Answer = Told | Silent


class LoggedOut(Exception):
    """A service does not know the viewer's API token (any more)."""


class Sisters:
    """HTTP clients of the other services. Paths come percent-encoded; `token` is the viewer's API token."""

    def __init__(self, urls: Mapping[Name, str], transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._urls = dict(urls)
        self._transport = transport
        self._client: httpx.AsyncClient | None = None

    async def start(self) -> None:
        """Opens the connections' pool."""
        self._client = httpx.AsyncClient(
            transport=self._transport,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(8.0, connect=2.0),
            limits=httpx.Limits(max_connections=300, max_keepalive_connections=40),
            headers={"accept": "application/json"},
        )

    async def stop(self) -> None:
        """Closes what is open."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def get(self, service: Name, path: str, token: str, **query: str | int | None) -> Answer:
        """Reads a document. Raises LoggedOut."""
        asked = {name: str(value) for name, value in query.items() if value is not None}
        return await self._ask("GET", service, path, token, params=asked)

    async def put(self, service: Name, path: str, token: str, document: object) -> Answer:
        """Puts a document. Raises LoggedOut."""
        return await self._ask("PUT", service, path, token, json=document)

    async def post(self, service: Name, path: str, token: str, document: object) -> Answer:
        """Posts a document. Raises LoggedOut."""
        return await self._ask("POST", service, path, token, json=document)

    async def send(self, write_key: str, document: object) -> Answer:
        """Posts a batch of events to ingest with a write key."""
        return await self._ask("POST", "ingest", "/v1/batch", write_key, json=document)

    @asynccontextmanager
    async def stream(
        self, service: Name, path: str, token: str, headers: Mapping[str, str]
    ) -> AsyncIterator[AsyncIterator[bytes] | None]:
        """Server-sent events as bytes for as long as both sides stay; None where the service gives none."""
        said = {"authorization": f"Bearer {token}", "accept": "text/event-stream", **headers}
        timeout = httpx.Timeout(8.0, read=90.0)
        try:
            async with self._opened().stream(
                "GET", self._urls[service] + path, headers=said, timeout=timeout
            ) as answer:
                yield answer.aiter_bytes() if answer.status_code == 200 else None
        except httpx.ConnectError:
            yield None

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            raise RuntimeError("the sisters' client is not started")
        return self._client

    async def _ask(self, method: str, service: Name, path: str, token: str, **more: Any) -> Answer:
        try:
            answer = await self._opened().request(
                method, self._urls[service] + path, headers={"authorization": f"Bearer {token}"}, **more
            )
            return _read(service, answer)
        except (httpx.HTTPError, ValueError) as error:
            _log.warning("sister.away", service=service, error=type(error).__name__)
            return Silent(service, "away")


def _read(service: Name, answer: httpx.Response) -> Answer:
    if answer.status_code == 401:
        raise LoggedOut
    if answer.status_code >= 500 or answer.status_code in {408, 429} or len(answer.content) > _ANSWER_MAX:
        return Silent(service, "away")
    document = answer.json() if answer.content else None
    if answer.is_success:
        return Told(document)
    said = document if isinstance(document, dict) else {}
    kind: Literal["missing", "refused"] = "missing" if answer.status_code == 404 else "refused"
    return Silent(service, kind, str(said.get("code", answer.status_code)), str(said.get("message", ""))[:300])
