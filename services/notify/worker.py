"""What comes off the stream: the newest of each subject, and crossings, each of which becomes one alert."""

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta

from jornada.bus.carrier import Received
from jornada.bus.erasures import confirmation, ends
from jornada.bus.publisher import Publisher, Subject
from jornada.clock import Clock
from jornada.db import Connection
from jornada.events import (
    CROSSINGS,
    ERASURES,
    JOURNEYS,
    SCORES,
    Crossing,
    ErasureAsked,
    ErasureEvent,
    JourneyEvent,
    ScoreEvent,
    WorkspaceId,
    decode,
    derived_id,
)
from services.notify.domain.alerts import ALERT_CREATED, Alert, alert_of, alerts, wanted, webhook_body
from services.notify.domain.campaigns import enters
from services.notify.store import alerts as alert_rows
from services.notify.store import campaigns, decisions, deliveries, subjects, subscriptions

GROUP = "notify"
READ = (JOURNEYS.name, SCORES.name, CROSSINGS.name, ERASURES.name)


class Fold:
    """Keeps snapshots, and makes of each crossing, once for ever, its alert, its deliveries and its decisions."""

    def __init__(self, publisher: Publisher, clock: Clock, freshness: timedelta) -> None:
        self._publisher = publisher
        self._clock = clock
        self._freshness = freshness

    async def __call__(self, connection: Connection, records: Sequence[Received]) -> Collection[Subject]:
        """See jornada.bus.worker.Fold; nothing that is published hangs on a subject here."""
        by_topic: dict[str, list[bytes | None]] = {}
        for record in records:
            by_topic.setdefault(record.topic, []).append(record.value)
        journeys: list[JourneyEvent] = [decode(value, JourneyEvent) for value in by_topic.get(JOURNEYS.name, ())]
        scores: list[ScoreEvent] = [decode(value, ScoreEvent) for value in by_topic.get(SCORES.name, ())]
        crossings: list[Crossing] = [decode(value, Crossing) for value in by_topic.get(CROSSINGS.name, ())]
        erasures: list[ErasureEvent] = [decode(value, ErasureEvent) for value in by_topic.get(ERASURES.name, ())]
        asked = [each for each in erasures if isinstance(each, ErasureAsked)]
        await subjects.keep_journeys(connection, [*journeys, *(end for each in asked for end in ends(each))])
        await subjects.keep_scores(connection, scores)
        for workspace in sorted({crossing.workspace for crossing in crossings}):
            await self._tell(connection, workspace, [each for each in crossings if each.workspace == workspace])
        for each in asked:
            confirmed = confirmation(each, GROUP, self._clock.now())
            await self._publisher.hold(connection, each.workspace, [confirmed])
        return ()

    async def _tell(self, connection: Connection, workspace: WorkspaceId, crossings: Sequence[Crossing]) -> None:
        now = self._clock.now()
        there = await subjects.held(connection, workspace, {each.subject_id for each in crossings if alerts(each)})
        told = [
            alert_of(each, freshness=self._freshness, now=now)
            for each in crossings
            if alerts(each) and each.subject_id in there
        ]
        if not told:
            return
        new = [each for each in await alert_rows.create(connection, workspace, told, now) if not each.stale]
        if not new:
            return
        wanting = await subscriptions.enabled(connection, workspace)
        made = [
            deliveries.New(
                derived_id("delivery", workspace, alert.id, subscription.id),
                alert.id,
                subscription.id,
                webhook_body(ALERT_CREATED, alert, now),
            )
            for alert in new
            for subscription in wanting
            if wanted(subscription.when, alert)
        ]
        if made:
            await deliveries.create(connection, workspace, made, now)
        await self._enrol(connection, workspace, new)

    async def _enrol(self, connection: Connection, workspace: WorkspaceId, new: Sequence[Alert]) -> None:
        running = [(each.name, each.campaign) for each in await campaigns.running(connection, workspace)]
        for alert in new:
            names = [name for name, campaign in running if enters(campaign, alert)]
            if names:
                await decisions.enrol(connection, workspace, alert, names, self._clock.now())


class WakingPublisher(Publisher):
    """Tells the rest of the process, after each commit of the worker, that there may be something to do."""

    wake: Callable[[], None] = staticmethod(lambda: None)

    async def publish(self, subjects: Collection[Subject]) -> None:
        """See Publisher."""
        self.wake()
        await super().publish(subjects)
