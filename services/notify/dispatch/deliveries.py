"""Delivers webhooks: a queue per subscription, so that a slow endpoint delays nobody but itself."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from cryptography.fernet import InvalidToken

from jornada.clock import Clock
from jornada.db import Conflict, Database, Unavailable
from jornada.observe import logs, metrics
from services.notify.dispatch.waking import Bell, Crew
from services.notify.domain import schedule
from services.notify.domain.alerts import stage_wanted
from services.notify.domain.customers import worth_deciding
from services.notify.sealing import Seal
from services.notify.senders import webhook
from services.notify.senders.outgoing import SECONDS, Answer, Outgoing
from services.notify.store import deliveries, subjects
from services.notify.store.deliveries import Attempt, Claimed, Due

_log = logs.get(__name__)

LOOK_SECONDS = 0.5
LEASE = timedelta(seconds=SECONDS + 10)
AT_ONCE_EACH = 4
AT_ONCE = 256
_MOMENT = timedelta(milliseconds=200)


class Deliveries:
    """Makes the deliveries that are due, whoever stored them. After a crash one is made again: same id, same bytes."""

    def __init__(
        self,
        database: Database,
        outgoing: Outgoing,
        seal: Seal,
        clock: Clock,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.bell = Bell()
        self._database = database
        self._outgoing = outgoing
        self._seal = seal
        self._clock = clock
        self._chance = chance
        self._crew: Crew[Due] = Crew(self.bell)

    async def run(self) -> None:
        """Works for ever."""
        try:
            while True:
                try:
                    await self._begin()
                except (Unavailable, Conflict) as error:
                    _log.warning("deliveries.waiting", error=str(error))
                await self.bell.wait(LOOK_SECONDS)
        finally:
            await self._crew.leave(1)

    async def _begin(self) -> None:
        free = AT_ONCE - len(self._crew)
        if free <= 0:
            return
        under_way: Counter[UUID] = Counter(due.subscription for due in self._crew.under_way())
        busy = [each for each, count in under_way.items() if count >= AT_ONCE_EACH]
        now = self._clock.now()
        for due in await deliveries.due(self._database, now, busy=busy, each=AT_ONCE_EACH, most=free):
            if due in self._crew or under_way[due.subscription] >= AT_ONCE_EACH:
                continue
            under_way[due.subscription] += 1
            self._crew.begin(due, lambda due=due: self._make(due))  # type: ignore[misc]

    async def _make(self, due: Due) -> None:
        claimed = await self._claim(due)
        if claimed is None:
            return
        now = self._clock.now()
        began = self._clock.monotonic()
        answer = await self._post(claimed)
        took = int((self._clock.monotonic() - began) * 1000)
        outcome = schedule.Outcome(answer.status, answer.retry_after)
        verdict = schedule.after(claimed.attempt, outcome, self._clock.now(), self._chance())
        attempt = Attempt(now, took, answer.status, answer.error, answer.body)
        metrics.DELIVERIES.labels(type(verdict).__name__).inc()
        await self._record(claimed, attempt, verdict)

    async def _claim(self, due: Due) -> Claimed | None:
        """Takes the delivery, if its subject's stage is one that the subscription wants."""
        now = self._clock.now()
        async with self._database.transaction([due.workspace]) as connection:
            claimed = await deliveries.claim(connection, due, now, LEASE)
            if claimed is None or claimed.when.stage is None or claimed.attempt > 1 or claimed.subject is None:
                return claimed
            found = await subjects.known(connection, due.workspace, claimed.subject)
            if not worth_deciding(found.settled, "red", (now - claimed.created_at).total_seconds()):
                await deliveries.postpone(connection, due, now + _MOMENT)
                return None
            if not stage_wanted(claimed.when, found.customer.stage if found.customer else None):
                await deliveries.close(connection, due, "skipped", "other_stage")
                return None
        return claimed

    async def _post(self, claimed: Claimed) -> Answer:
        try:
            secret = self._seal.open(claimed.secret)
        except InvalidToken:
            return Answer(None, error="secret_unreadable")
        return await webhook.deliver(
            self._outgoing,
            url=claimed.to.url,
            secret=secret,
            id_=str(claimed.due.id),
            body=claimed.body,
            now=self._clock.now(),
        )

    async def _record(
        self, claimed: Claimed, attempt: Attempt, verdict: schedule.Delivered | schedule.TryAgain | schedule.GiveUp
    ) -> None:
        """Keeps what came of it, however long Postgres is away: else it would be told again."""
        while True:
            try:
                async with self._database.transaction([claimed.due.workspace]) as connection:
                    await deliveries.record(connection, claimed, attempt, verdict)
                return
            except (Unavailable, Conflict) as error:
                _log.warning("deliveries.recording", error=str(error))
                await asyncio.sleep(0.5)
