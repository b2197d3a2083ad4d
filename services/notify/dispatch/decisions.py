"""Takes the decisions that are due and sends what they send, at most once each."""

import asyncio
from datetime import timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jornada import crashpoints
from jornada.bus.carrier import BusUnavailable, Record
from jornada.bus.publisher import Publisher
from jornada.clock import Clock
from jornada.db import Conflict, Connection, Database, Unavailable
from jornada.events import TOUCHPOINTS, encode, topic_key
from jornada.observe import logs, metrics
from services.notify.campaigns import shipped
from services.notify.dispatch.waking import Bell, Crew
from services.notify.domain import messages, templates, touchpoints
from services.notify.domain.customers import Customer, address_of, language_of, sender_of, text, worth_deciding
from services.notify.domain.decisions import Asked, HoldUntil, Known, Send, Suppress, decide
from services.notify.domain.schedule import RETRIES
from services.notify.domain.touchpoints import Told
from services.notify.senders.smtp import MailSender, Sent
from services.notify.store import campaigns, decisions, subjects
from services.notify.store.campaigns import Stored
from services.notify.store.decisions import Due, Message, Waiting
from services.notify.store.subjects import Found

_log = logs.get(__name__)

CLAIMED = "notify.claimed"
SENT = "notify.sent"
LOOK_SECONDS = 0.5
AT_ONCE = 8
PATIENCE = timedelta(minutes=2)
"""How long a claimed decision may stay without a result before nobody can know any more what came of it."""
_MOMENT = timedelta(milliseconds=100)
_AFTER_BUG = timedelta(seconds=30)


class From(NamedTuple):
    """Whose name and address are on the mails, and the zone of customers who have none."""

    address: str
    name: str
    zone: tzinfo


class Mail(NamedTuple):
    """A claimed message, ready to be sent."""

    waiting: Waiting
    customer: Customer
    address: str
    language: str
    subject: str
    content: bytes


class Decisions:
    """Decides and sends. A decision is committed before its mail leaves: a crash between leaves it unknown, unsent."""

    def __init__(
        self, database: Database, publisher: Publisher, sender: MailSender | None, from_: From, clock: Clock
    ) -> None:
        self.bell = Bell()
        self._database = database
        self._publisher = publisher
        self._sender = sender
        self._from = from_
        self._clock = clock
        self._crew: Crew[Due] = Crew(self.bell)

    async def run(self) -> None:
        """Works for ever; when told to end, what is being sent is first let finish."""
        try:
            while True:
                try:
                    await self._begin()
                except (Unavailable, Conflict) as error:
                    _log.warning("decisions.waiting", error=str(error))
                await self.bell.wait(LOOK_SECONDS)
        finally:
            await self._crew.leave(5)

    async def sweep(self) -> None:
        """Gives up, for ever, on what was claimed too long ago."""
        while True:
            try:
                given_up = await decisions.give_up(self._database, self._clock.now(), PATIENCE)
                if given_up:
                    _log.error("messages.unknown", count=given_up)
            except (Unavailable, Conflict) as error:
                _log.warning("decisions.waiting", error=str(error))
            await asyncio.sleep(10)

    async def _begin(self) -> None:
        free = AT_ONCE - len(self._crew)
        if free <= 0:
            return
        for due in await decisions.due(self._database, self._clock.now(), AT_ONCE + free):
            if due not in self._crew and len(self._crew) < AT_ONCE:
                self._crew.begin(due, lambda due=due: self._patient(due))  # type: ignore[misc]

    async def _patient(self, due: Due) -> None:
        """Takes a decision; one that fails by a bug is left alone for a while, and does not hold up the others."""
        try:
            await self.take(due)
        except (Unavailable, Conflict):
            raise
        except Exception:
            async with self._database.transaction([due.workspace]) as connection:
                await decisions.wait(connection, due, self._clock.now() + _AFTER_BUG)
            raise

    async def take(self, due: Due) -> None:
        """Takes one decision, and sends its message if it has one."""
        async with self._database.transaction([due.workspace]) as connection:
            mail = await self._decide(connection, due)
        if mail is not None and self._sender is not None:
            crashpoints.reached(CLAIMED)
            sent = await self._sender.send(self._from.address, mail.address, mail.content)
            crashpoints.reached(SENT)
            await self._record(mail, sent)
        try:
            await self._publisher.drain([due.workspace])
        except BusUnavailable as error:
            _log.warning("outbox.waiting", error=str(error))

    async def _decide(self, connection: Connection, due: Due) -> Mail | None:
        now = self._clock.now()
        waiting = await decisions.lock(connection, due, now)
        if waiting is None:
            return None
        found = await subjects.locked(connection, due.workspace, waiting.subject)
        waited = (now - waiting.created_at).total_seconds()
        if not found.erased and not worth_deciding(found.settled, waiting.to, waited):
            await decisions.wait(connection, due, now + _MOMENT)
            return None
        stored = await campaigns.one(connection, due.workspace, waiting.campaign, shipped())
        if stored is None:
            await self._suppressed(connection, waiting, found, Suppress("campaign_not_running"))
            return None
        asked = Asked(due.workspace, stored.name, stored.campaign, stored.status == "running")
        known = await self._known(connection, waiting, found)
        decision = decide(asked, found.customer, known, now)
        if isinstance(decision, Send) and found.customer is not None:
            return await self._claimed(connection, waiting, stored, found, found.customer, decision)
        if isinstance(decision, HoldUntil):
            await decisions.decided(connection, due, "held", "hold", decision.reason, now, decision.at)
            await self._tell(connection, "Message Held", _told(waiting, decision.reason), found.customer)
        elif isinstance(decision, Suppress):
            await self._suppressed(connection, waiting, found, decision)
        metrics.DECISIONS.labels(type(decision).__name__, decision.reason).inc()
        return None

    async def _known(self, connection: Connection, waiting: Waiting, found: Found) -> Known:
        workspace = waiting.due.workspace
        address = address_of(found.customer) if found.customer is not None else None
        family = await subjects.family(connection, workspace, found.id)
        return Known(
            zone=self._zone(found.customer),
            sent_at=await decisions.sent_at(connection, workspace, family, waiting.campaign),
            suppressed=address is not None and await decisions.is_suppressed(connection, workspace, "email", address),
            erased=found.erased,
            sender=self._sender is not None,
        )

    def _zone(self, customer: Customer | None) -> tzinfo:
        name = text(customer.traits, "timezone") if customer is not None else None
        try:
            return ZoneInfo(name) if name is not None else self._from.zone
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return self._from.zone

    async def _claimed(
        self,
        connection: Connection,
        waiting: Waiting,
        stored: Stored,
        found: Found,
        customer: Customer,
        send: Send,
    ) -> Mail | None:
        now, campaign = self._clock.now(), stored.campaign
        language = language_of(customer, campaign.messages, campaign.language)
        try:
            data = templates.data_of(customer, waiting.because, language)
            rendered = templates.render(campaign.messages[language], data, strict=False)
            domain = self._from.address.partition("@")[2]
            envelope = messages.Envelope(
                self._from.address, self._from.name, send.address, f"{waiting.due.id}@{domain}", now, language
            )
            content = messages.mail(envelope, rendered)
        except (templates.TemplateFailed, messages.UnsafeData) as error:
            unsafe = isinstance(error, messages.UnsafeData)
            await self._suppressed(connection, waiting, found, Suppress("unsafe_data" if unsafe else "template_failed"))
            return None
        message = Message(found.id, waiting.campaign, campaign.channel, send.address, language, rendered)
        await decisions.decided(connection, waiting.due, "claimed", "send", send.reason, now, None)
        await decisions.write(connection, waiting.due, message, now)
        metrics.DECISIONS.labels("Send", send.reason).inc()
        return Mail(waiting, customer, send.address, language, rendered.subject, content)

    async def _suppressed(self, connection: Connection, waiting: Waiting, found: Found, decision: Suppress) -> None:
        now = self._clock.now()
        await decisions.decided(connection, waiting.due, "suppressed", "suppress", decision.reason, now, None)
        await self._tell(connection, "Message Suppressed", _told(waiting, decision.reason), found.customer)

    async def _record(self, mail: Mail, sent: Sent) -> None:
        """Keeps what came of it, however long Postgres is away, until the sweep has given up on it."""
        while True:
            try:
                async with self._database.transaction([mail.waiting.due.workspace]) as connection:
                    await self._recorded(connection, mail, sent)
                return
            except (Unavailable, Conflict) as error:
                _log.warning("decisions.recording", error=str(error))
                await asyncio.sleep(0.5)

    async def _recorded(self, connection: Connection, mail: Mail, sent: Sent) -> None:
        due, attempts, now = mail.waiting.due, mail.waiting.attempts + 1, self._clock.now()
        if sent.verdict == "sent":
            told = _told(mail.waiting, "eligible")._replace(subject=mail.subject, language=mail.language)
            if await decisions.finish(connection, due, "sent", "eligible", None):
                await self._tell(connection, "Message Sent", told, mail.customer)
        elif sent.verdict == "again" and attempts < len(RETRIES):
            await decisions.finish(connection, due, "waiting", "not_taken", now + RETRIES[attempts])
        elif sent.verdict == "unknown":
            await decisions.finish(connection, due, "unknown", "no_answer", None)
        elif await decisions.finish(connection, due, "failed", sent.verdict, None) and sent.verdict == "bounced":
            await decisions.suppress_address(connection, due.workspace, "email", mail.address, "bounced", now)
        if sent.verdict != "sent":
            _log.warning("message.not_sent", verdict=sent.verdict, error=sent.error, attempts=attempts)

    async def _tell(
        self, connection: Connection, event: touchpoints.Event, told: Told, customer: Customer | None
    ) -> None:
        """Puts our touchpoint into the outbox, where the customer has an identifier that a touchpoint can carry."""
        identifier = sender_of(customer) if customer is not None else None
        if identifier is None:
            return
        touchpoint = touchpoints.touchpoint(event, told, identifier, self._clock.now())
        record = Record(TOUCHPOINTS.name, topic_key(told.workspace, identifier.value), encode(touchpoint))
        id_ = touchpoints.id_of(event, told)
        await self._publisher.hold(connection, told.workspace, [(id_, record)])


def _told(waiting: Waiting, reason: str) -> Told:
    return Told(waiting.due.workspace, waiting.due.id, waiting.campaign, "email", reason)
