"""Asks journey how far behind the stream it is."""

from typing import Any

import httpx

from jornada.db import Unavailable


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
        """The age of the oldest record that journey has still to fold. Raises Unavailable: then nobody knows."""
        try:
            response = await self._client.get("/v1/lag")
            response.raise_for_status()
            document: Any = response.json()
            return float(document["oldest_waiting_seconds"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise Unavailable(f"journey does not say how far it is: {type(error).__name__}") from error
