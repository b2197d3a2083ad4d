"""Answers who a key or token belongs to, from memory where it may: also while Postgres is away."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

from cachetools import TTLCache

from jornada.access.grants import Principal, WriteGrant
from jornada.access.secrets import digest
from jornada.db.errors import Conflict, Unavailable

FRESH = 30.0
"""Seconds for which a known secret is not asked about again: how long a revoked one may still pass."""
UNKNOWN = 5.0
"""Seconds for which an unknown secret stays unknown: how long a new one, tried too early, may be refused."""
STALE = 3600.0
"""Seconds since its last confirmation for which a known secret passes while Postgres is away."""

_KNOWN_MAX = 10_000
_UNKNOWN_MAX = 10_000
_ASKING_MAX = 2
_ANSWER = 2.0
_AWAY = 1.0
_LATELY = 10.0

T = TypeVar("T")


class Lookups(Protocol):
    """Finds what a secret's SHA-256 allows, None for nothing; raises Unavailable or Conflict."""

    async def write_grant(self, sha256: bytes) -> WriteGrant | None: ...

    async def principal(self, sha256: bytes) -> Principal | None: ...


class Keyring:
    """Cached look-ups for one event loop, found by digest; `monotonic` gives seconds."""

    def __init__(self, access: Lookups, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._grants: _Ring[WriteGrant] = _Ring(access.write_grant, monotonic)
        self._principals: _Ring[Principal] = _Ring(access.principal, monotonic)

    def known(self, write_key: str) -> WriteGrant | None:
        """What the write key allows if that was confirmed a moment ago; None tells nothing."""
        return self._grants.fresh(_digest(write_key))

    def refused(self, write_key: str) -> bool:
        """Whether the write key was found to be unknown or revoked a moment ago."""
        return self._grants.lacks(_digest(write_key))

    async def write_grant(self, write_key: str) -> WriteGrant | None:
        """What the write key allows, None for an unknown or revoked one; raises Unavailable if that cannot be told."""
        return await self._grants.find(_digest(write_key))

    async def principal(self, api_token: str) -> Principal | None:
        """Who bears the API token, None for an unknown or revoked one; raises Unavailable if that cannot be told."""
        return await self._principals.find(digest(api_token))


_digest = lru_cache(1_000)(digest)
"""For keys that come with every request."""


@dataclass(frozen=True, slots=True)
class _Confirmed(Generic[T]):
    value: T
    at: float


class _Ring(Generic[T]):
    def __init__(self, ask: Callable[[bytes], Awaitable[T | None]], monotonic: Callable[[], float]) -> None:
        self._ask = ask
        self._monotonic = monotonic
        # In the order of their confirmation. Asked for every request, which a cache's own time-keeping would make dear.
        self._known: dict[bytes, _Confirmed[T]] = {}
        self._unknown: TTLCache[bytes, bool] = TTLCache(_UNKNOWN_MAX, UNKNOWN, monotonic)
        self._asked: dict[bytes, asyncio.Task[T | None]] = {}
        # Strangers' secrets must not take all of the service's connections.
        self._gate = asyncio.Semaphore(_ASKING_MAX)
        self._failed_at = float("-inf")

    def fresh(self, sha256: bytes) -> T | None:
        confirmed = self._known.get(sha256)
        return confirmed.value if confirmed is not None and self._monotonic() - confirmed.at < FRESH else None

    def lacks(self, sha256: bytes) -> bool:
        return self._confirmed(sha256) is None and sha256 in self._unknown

    async def find(self, sha256: bytes) -> T | None:
        fresh = self.fresh(sha256)
        if fresh is not None:
            return fresh
        if self.lacks(sha256):
            return None
        confirmed = self._confirmed(sha256)
        asking = self._confirmation(sha256)
        if confirmed is not None and self._monotonic() - self._failed_at < _LATELY:
            return confirmed.value  # nobody known waits for a Postgres that just did not answer
        try:
            return await asyncio.shield(asking)
        except (Unavailable, Conflict) as error:
            if confirmed is not None:
                return confirmed.value
            raise Unavailable("the key cannot be checked now") from error

    def _confirmation(self, sha256: bytes) -> "asyncio.Task[T | None]":
        """Asks once for all who wait for the same secret; one who goes away does not end it for the others."""
        task = self._asked.get(sha256)
        if task is None:
            task = self._asked[sha256] = asyncio.create_task(self._look_up(sha256))
            task.add_done_callback(lambda done: self._answered(sha256, done))
        return task

    def _answered(self, sha256: bytes, task: "asyncio.Task[T | None]") -> None:
        del self._asked[sha256]
        if not task.cancelled():
            task.exception()  # read here: those who waited may all have gone

    async def _look_up(self, sha256: bytes) -> T | None:
        async with self._gate:
            if self._monotonic() - self._failed_at < _AWAY:
                raise Unavailable("Postgres: away a moment ago")
            try:
                async with asyncio.timeout(_ANSWER):
                    value = await self._ask(sha256)
            except (Unavailable, TimeoutError) as error:
                self._failed_at = self._monotonic()
                raise Unavailable(f"Postgres: {error}") from error
            self._failed_at = float("-inf")
        self._known.pop(sha256, None)
        if value is None:
            self._unknown[sha256] = True
        else:
            self._known[sha256] = _Confirmed(value, self._monotonic())
            if len(self._known) > _KNOWN_MAX:
                del self._known[next(iter(self._known))]
        return value

    def _confirmed(self, sha256: bytes) -> _Confirmed[T] | None:
        """What may still pass while Postgres is away."""
        confirmed = self._known.get(sha256)
        return confirmed if confirmed is not None and self._monotonic() - confirmed.at < STALE else None
