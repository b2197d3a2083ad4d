"""Outgoing HTTP on hostile ground: every address is checked, and the one that was checked is the one connected to."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import NamedTuple

import httpx

from services.notify.senders.addresses import Address, Allowed, Refused, Target, reachable, target_of

SECONDS = 15.0
MOST_READ = 20_480
_CONNECT_SECONDS = 5.0
_TRIED = 3

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
"""Every address of a host; raises OSError."""


class Answer(NamedTuple):
    """What came back: `status` is None where nothing did, `error` then says why. `body` is at most MOST_READ bytes."""

    status: int | None
    body: bytes = b""
    retry_after: str | None = None
    error: str | None = None


async def resolved(host: str, port: int) -> Sequence[Address]:
    """Every address that the system's resolver knows for the host."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(each[4][0]) for each in found))


class CheckedTransport(httpx.AsyncBaseTransport):
    """Resolves once, refuses unless every address may be reached, and connects to those alone, keeping SNI and Host."""

    def __init__(self, allow: Allowed, resolve: Resolve = resolved) -> None:
        self._allow = allow
        self._resolve = resolve
        # No connection is kept: one made for another host's certificate could be taken for this one's.
        self._inner = httpx.AsyncHTTPTransport(
            trust_env=False, limits=httpx.Limits(max_connections=None, max_keepalive_connections=0)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises Refused, or httpx.TransportError."""
        target = target_of(str(request.url), self._allow)
        failure: Exception | None = None
        for address in (await self._checked(target))[:_TRIED]:
            try:
                return await self._inner.handle_async_request(_pinned(request, target, address))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        raise failure or httpx.ConnectError("the host has no address")

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _checked(self, target: Target) -> Sequence[Address]:
        try:
            addresses = await self._resolve(target.host, target.port)
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError("the host cannot be resolved") from error
        if not all(reachable(target, address, self._allow) for address in addresses):
            raise Refused("the host leads to an address that is not public")
        return addresses


def _pinned(request: httpx.Request, target: Target, address: Address) -> httpx.Request:
    return httpx.Request(
        request.method,
        request.url.copy_with(host=str(address)),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": target.host},
    )


class Outgoing:
    """Posts bytes to URLs that strangers gave us."""

    def __init__(self, allow: Allowed, resolve: Resolve = resolved, seconds: float = SECONDS) -> None:
        self._client = httpx.AsyncClient(
            transport=CheckedTransport(allow, resolve),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(seconds, connect=min(_CONNECT_SECONDS, seconds)),
        )
        self._seconds = seconds

    async def start(self) -> None:
        """Nothing to open: connections are made one by one."""

    async def stop(self) -> None:
        """Closes the client."""
        await self._client.aclose()

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Posts once, within the seconds given, following nothing. Never raises for what the other side does."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._post(url, body, headers)
        except TimeoutError:
            return Answer(None, error="timeout")
        except Refused as error:
            return Answer(None, error=f"refused: {error}")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            return Answer(None, error=type(error).__name__)

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        sent = {**headers, "accept-encoding": "identity", "user-agent": "Jornada-Webhooks/1"}
        # Cookies that one host set must reach no other: the client keeps none.
        self._client.cookies.clear()
        async with self._client.stream("POST", url, content=body, headers=sent) as response:
            read = bytearray()
            async for chunk in response.aiter_raw():
                read += chunk
                if len(read) >= MOST_READ:
                    break
            return Answer(response.status_code, bytes(read[:MOST_READ]), response.headers.get("retry-after"))
