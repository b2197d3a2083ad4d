"""What a service is to the process that runs it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from starlette.types import ASGIApp

from jornada.bus.worker import Worker


class Resource(Protocol):
    """Something opened before a service works and closed after it: a pool, a bus, a client."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


@dataclass
class Health:
    """What the runtime knows of a service and its `/readyz` tells: whether it is up, draining, or stopped for good."""

    up: bool = False
    draining: bool = False
    stopped: str | None = None

    async def check(self) -> str | None:
        """For `application(checks=…)`."""
        if self.stopped is not None:
            return self.stopped
        if self.draining:
            return "shutting down"
        return None if self.up else "starting"


@dataclass
class Service:
    """One service, wired. `tasks` run for as long as it does."""

    name: str
    port: int
    app: ASGIApp
    resources: Sequence[Resource] = ()
    tasks: Sequence[tuple[str, Callable[[], Awaitable[None]]]] = ()
    workers: Sequence[Worker] = ()
    health: Health = field(default_factory=Health)
