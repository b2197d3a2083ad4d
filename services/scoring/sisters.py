"""Asks journey how far it is, how subjects stood and what was sent; tells until when all that it told is scored."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import httpx
import msgspec

from jornada.bus.carrier import Partition
from jornada.bus.lag import PartitionLag
from jornada.clock import Clock
from jornada.db import Unavailable
from jornada.events import JourneySnapshot, SubjectId, Undecodable, WorkspaceId, decode
from jornada.web.auth import sister_headers


class JourneyLag:
    """A client of journey's `/v1/lag`."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._client = httpx.AsyncClient(base_url=url, trust_env=False, timeout=2.0, transport=transport)

    async def start(self) -> None:
        """Connects at the first question."""

    async def stop(self) -> None:
        """Closes its connections."""
        await self._client.aclose()

    async def oldest_waiting_seconds(self) -> float:
        """The age of the oldest record of which journey has not told all. Raises Unavailable: then nobody knows."""
        try:
            response = await self._client.get("/v1/lag")
            response.raise_for_status()
            document: Any = response.json()
            return float(document["oldest_waiting_seconds"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise Unavailable(f"journey does not say how far it is: {type(error).__name__}") from error


class Lines(NamedTuple):
    """Snapshots of some subjects as lines of JSON, in pieces of any size; `following` leads on while there is more."""

    pieces: AsyncIterator[bytes]
    following: str | None


class Journeys:
    """A client of journey's `/v1/snapshots`: journeys as they stood, told to whoever asks by their own token.

    `token` is the caller's header `Authorization`, whole. Whatever journey does not answer is Unavailable.
    """

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        timeout = httpx.Timeout(8.0, connect=2.0, read=20.0)
        self._client = httpx.AsyncClient(base_url=url, trust_env=False, timeout=timeout, transport=transport)

    async def start(self) -> None:
        """Connects at the first question."""

    async def stop(self) -> None:
        """Closes its connections."""
        await self._client.aclose()

    async def at(self, token: str, subject: SubjectId, at: datetime) -> JourneySnapshot | None:
        """The subject's journey as of an instant; None where nothing of it counted by then. Raises Unavailable."""
        asked = {"subject": str(subject), "at": at.isoformat()}
        try:
            response = await self._client.get("/v1/snapshots", params=asked, headers={"authorization": token})
            response.raise_for_status()
            return decode(response.content, JourneySnapshot) if response.content else None
        except (httpx.HTTPError, Undecodable) as error:
            raise _silent(error) from error

    @asynccontextmanager
    async def through(
        self, token: str, instants: Sequence[datetime], limit: int, cursor: str | None
    ) -> AsyncIterator[Lines]:
        """The journeys of up to `limit` subjects by id, each as of all the instants in turn. Raises Unavailable."""
        asked: dict[str, Any] = {"at": [each.isoformat() for each in instants], "limit": limit}
        if cursor is not None:
            asked["cursor"] = cursor
        try:
            async with self._client.stream(
                "GET", "/v1/snapshots", params=asked, headers={"authorization": token}
            ) as response:
                response.raise_for_status()
                yield Lines(response.aiter_bytes(), response.headers.get("next-cursor"))
        except httpx.HTTPError as error:
            raise _silent(error) from error


def _silent(error: Exception) -> Unavailable:
    return Unavailable(f"journey does not tell how it was: {type(error).__name__}")


class Volume(msgspec.Struct, frozen=True):
    """What a source sent of a kind in the hour that begins at `hour`, and which measures of journeys that feeds."""

    source: str
    kind: str
    hour: datetime
    customers: int
    last_received_at: datetime
    measures: Sequence[str]


class _Page(msgspec.Struct):
    items: list[Volume]
    next: str | None


class NotLetIn(Exception):
    """Journey does not take us for a sister."""


class JourneyVolumes:
    """A client of journey's `/v1/volumes`, let in by what the services share."""

    def __init__(self, url: str, token: bytes, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._client = httpx.AsyncClient(base_url=url, trust_env=False, timeout=10.0, transport=transport)
        self._token = token

    async def start(self) -> None:
        """Connects at the first question."""

    async def stop(self) -> None:
        """Closes its connections."""
        await self._client.aclose()

    async def since(self, workspace: WorkspaceId, begin: datetime) -> list[Volume]:
        """Of the hours that begin then or later. Raises Unavailable, NotLetIn."""
        found: list[Volume] = []
        query = {"since": begin.isoformat(), "limit": "1000"}
        while True:
            page = await self._page(workspace, query)
            found += page.items
            if page.next is None:
                return found
            query["cursor"] = page.next

    async def _page(self, workspace: WorkspaceId, query: dict[str, str]) -> _Page:
        try:
            response = await self._client.get(
                "/v1/volumes", params=query, headers=sister_headers(self._token, workspace)
            )
            if response.status_code in {401, 403}:
                raise NotLetIn("journey refuses the internal token")
            response.raise_for_status()
            return msgspec.json.decode(response.content, type=_Page)
        except (httpx.HTTPError, msgspec.DecodeError) as error:
            raise Unavailable(f"journey does not say what was sent: {type(error).__name__}") from error


class _Ahead(NamedTuple):
    """Journey had told of everything before `until` when its topic ended here."""

    until: datetime
    ends: dict[Partition, int]


class Following:
    """What scoring's timers wait for: that everything is scored which journey had told of touchpoints before them.

    A journey is appended after the touchpoints that it tells of, who knows by how much. So the age of what waits here
    says nothing of them: journey is asked, and then what it had published by then is waited for.
    """

    def __init__(
        self,
        journey_waits: Callable[[], Awaitable[float]],
        partitions: Callable[[], Awaitable[Sequence[PartitionLag]]],
        clock: Clock,
    ) -> None:
        self._journey_waits = journey_waits
        self._partitions = partitions
        self._clock = clock
        self._until = datetime.min.replace(tzinfo=UTC)
        self._ahead: _Ahead | None = None

    async def scored_until(self) -> datetime:
        """The instant before which every touchpoint appended is scored. Raises BusUnavailable, Unavailable."""
        if self._ahead is not None:
            self._pass(self._ahead, await self._partitions())
        if self._ahead is None:
            asked_at = self._clock.now()
            until = asked_at - timedelta(seconds=await self._journey_waits())
            partitions = await self._partitions()
            self._ahead = _Ahead(until, {Partition(each.topic, each.partition): each.end for each in partitions})
            self._pass(self._ahead, partitions)
        return self._until

    def _pass(self, ahead: _Ahead, partitions: Sequence[PartitionLag]) -> None:
        if all(each.position >= ahead.ends.get(Partition(each.topic, each.partition), 0) for each in partitions):
            self._until, self._ahead = max(self._until, ahead.until), None
