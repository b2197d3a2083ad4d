"""Wakes the loops of this process at once; what other replicas did is seen at the next look."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from jornada.db import Conflict, Unavailable
from jornada.observe import logs

_log = logs.get(__name__)
_K = TypeVar("_K")


class Bell:
    """Rung by who has news; waited for by one loop."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wakes the loop, or lets its next wait end at once."""
        self._rung.set()

    async def wait(self, seconds: float) -> None:
        """Until rung, at most so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return
        finally:
            self._rung.clear()


class Crew(Generic[_K]):
    """Jobs under way, by key; rings the bell when one is done well (one that failed waits for the next look)."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._jobs: dict[_K, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, key: _K) -> bool:
        return key in self._jobs

    def begin(self, key: _K, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Starts a job."""
        task = self._jobs[key] = asyncio.create_task(job())
        task.add_done_callback(lambda done: self._done(key, done))

    def under_way(self) -> list[_K]:
        """What is under way."""
        return list(self._jobs)

    async def leave(self, seconds: float) -> None:
        """Lets what is under way finish for so long, then ends it."""
        tasks = list(self._jobs.values())
        if not tasks:
            return
        _, slow = await asyncio.wait(tasks, timeout=seconds)
        for task in slow:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, key: _K, task: "asyncio.Task[None]") -> None:
        del self._jobs[key]
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Unavailable | Conflict):
            _log.warning("job.waiting", error=str(error))
        elif error is not None:
            _log.error("job.failed", error=type(error).__name__, exc_info=error)
        else:
            self._bell.ring()
