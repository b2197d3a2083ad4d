"""Runs wired services in this process until a signal: servers up first, then resources, then tasks; down in reverse."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

import uvicorn

from jornada.bus.carrier import BusUnavailable, LogTruncated
from jornada.bus.dead_letters import TooManyDeadLetters
from jornada.bus.worker import STUCK_SECONDS, Outdated
from jornada.db import Unavailable
from jornada.observe import logs, metrics
from jornada.runtime.connections import Connection
from jornada.runtime.service import Resource, Service

_log = logs.get(__name__)

EXIT_STUCK = 75
DRAIN_SECONDS = 10
"""For requests in flight: longer than any answer of ingest's takes."""
_SOUND_SECONDS = 60
"""A task that ran for so long is sound: its failures before count no more."""
_CANCEL_SECONDS = 5
_CLOSE_SECONDS = 7


_FOR_GOOD = (LogTruncated, TooManyDeadLetters, Outdated)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are handled once for the process; several servers would re-raise them and skip clean-up."""
        yield


class Stuck(Exception):
    """A part made no progress and could not be brought back; the process must be restarted."""


async def run(
    services: Sequence[Service],
    *,
    host: str,
    shared: Sequence[Resource] = (),
    on_up: Callable[[], None] = lambda: None,
) -> int:
    """Runs the services until SIGTERM or SIGINT; returns the exit code (75: restart me).

    `shared` opens first and closes last.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    life = asyncio.create_task(_lived(services, host, shared, on_up))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([life, stopping], return_when=asyncio.FIRST_COMPLETED)
    # Once only: a second signal must not cut short what the first one began.
    (stopping if life.done() else life).cancel()
    try:
        await life
    except Stuck as error:
        _log.error("process.giving_up", error=str(error))
        return EXIT_STUCK
    except asyncio.CancelledError:
        if not life.cancelled():
            raise
    return 0


async def _lived(services: Sequence[Service], host: str, shared: Sequence[Resource], on_up: Callable[[], None]) -> None:
    """Until cancelled, also while it still waits for a resource; raises Stuck."""
    async with serving(services, host=host, shared=shared) as failed:
        on_up()
        await asyncio.wait([failed])
        failed.result()


@contextlib.asynccontextmanager
async def serving(
    services: Sequence[Service], *, host: str, shared: Sequence[Resource] = ()
) -> AsyncIterator["asyncio.Future[None]"]:
    """Everything up; yields a future that fails if a part is stuck beyond repair. Leaving stops all within 25 s."""
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    servers = [_server(service, host) for service in services]
    serving_tasks = [asyncio.create_task(server.serve()) for server in servers]
    tasks: list[asyncio.Task[None]] = []
    opened: list[Resource] = []
    try:
        for resource in shared:
            await _open(resource, opened)
        for service in services:
            for resource in service.resources:
                await _open(resource, opened)
            tasks += [asyncio.create_task(_supervised(service, name, act, failed)) for name, act in service.tasks]
            tasks.append(asyncio.create_task(_watched(service, failed)))
            service.health.up = True
        yield failed
    finally:
        await _close(services, servers, serving_tasks, tasks, opened)
        if not failed.cancel():
            failed.exception()


def _server(service: Service, host: str) -> _Server:
    return _Server(
        uvicorn.Config(
            service.app,
            host=host,
            port=service.port,
            lifespan="off",
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=DRAIN_SECONDS,
            timeout_keep_alive=30,
            server_header=False,
            proxy_headers=False,
            http=Connection,
            ws="none",
        )
    )


async def _open(resource: Resource, opened: list[Resource]) -> None:
    """Opens a resource once, patiently."""
    if any(resource is other for other in opened):
        return
    while True:
        try:
            await resource.start()
        except (Unavailable, BusUnavailable) as error:
            _log.warning("resource.waiting", resource=type(resource).__name__, error=str(error))
            await asyncio.sleep(0.5)
        else:
            opened.append(resource)
            return


async def _close(
    services: Sequence[Service],
    servers: Sequence[uvicorn.Server],
    serving_tasks: Sequence["asyncio.Task[None]"],
    tasks: Sequence["asyncio.Task[None]"],
    opened: Sequence[Resource],
) -> None:
    for service in services:
        service.health.draining = True
        for worker in service.workers:
            worker.stop()
    for server in servers:
        server.should_exit = True
    workers = [task for task in tasks if task.get_name().startswith("worker")]
    await asyncio.wait([*serving_tasks, *workers], timeout=DRAIN_SECONDS + 2)
    for task in (*tasks, *serving_tasks):
        task.cancel()
    await asyncio.wait([*tasks, *serving_tasks], timeout=_CANCEL_SECONDS)
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            for resource in reversed(opened):
                await resource.stop()
    except TimeoutError:
        _log.warning("process.unclosed", seconds=_CLOSE_SECONDS)


async def _supervised(
    service: Service, name: str, act: Callable[[], Awaitable[None]], failed: "asyncio.Future[None]"
) -> None:
    """Runs a task for ever: again after a failure, more patiently each time; unready where repeating cannot help."""
    current = asyncio.current_task()
    if current is not None:
        current.set_name(f"{name}:{service.name}")
    failures = 0
    clock = asyncio.get_running_loop().time
    while True:
        began = clock()
        try:
            await act()
            return
        except _FOR_GOOD as error:
            service.health.stopped = f"{name}: {error}"
            _log.error("task.stopped", service=service.name, task=name, error=str(error))
            return
        except Exception:
            failures = 1 if clock() - began > _SOUND_SECONDS else failures + 1
            _log.exception("task.failed", service=service.name, task=name, failures=failures)
            if failures > 10 and not failed.done():
                failed.set_exception(Stuck(f"{service.name}/{name} fails again and again"))
            await asyncio.sleep(min(0.5 * failures, 5))


async def _watched(service: Service, failed: "asyncio.Future[None]") -> None:
    """Ends the process when a worker makes no progress for twice the time that turns it unready."""
    while True:
        await asyncio.sleep(1)
        for worker in service.workers:
            stuck = worker.stuck_seconds()
            metrics.BUSY_SECONDS.labels(worker.group).set(stuck)
            if stuck > 2 * STUCK_SECONDS and not failed.done():
                failed.set_exception(Stuck(f"{worker.group} made no progress for {stuck:.0f} s"))
